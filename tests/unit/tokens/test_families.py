"""Each maker's rule, against the examples that the makers (or those who measured) publish."""

from __future__ import annotations

import pytest

from capability_router.tokens.attached import AttachedPart
from capability_router.tokens.families import family_of, media_tokens, tool_tokens


def image(width: int = 0, height: int = 0, detail: str = "") -> AttachedPart:
    return AttachedPart("image", width, height, detail=detail)


@pytest.mark.parametrize(
    ("model", "part", "tokens"),
    [
        ("gpt-4o", image(1_024, 1_024), 765),  # the three examples of OpenAI's guide
        ("gpt-4o", image(2_048, 4_096), 1_105),
        ("gpt-4o", image(4_096, 8_192, "low"), 85),
        ("gpt-4o", image(detail="low"), 85),
        ("gpt-4o-mini", image(128, 64), 8_500),  # measured, less the text beside it: 8,512
        ("gpt-4.1-2025-04-14", image(128, 64), 255),
        ("o3-2025-04-16", image(128, 64), 225),
        ("gpt-4.1-mini", image(2_400, 1_800), 2_489),
        ("gpt-5.4-mini", image(1_600, 1_600), 3_000),  # measured
        ("gpt-5.5", image(512, 512), 308),  # this and what follows are published measurements, less the text beside it
        ("gpt-5.5", image(3_840, 2_160), 9_792),
        ("gpt-6-astra", image(1_024, 1_024), 1_229),
        ("gpt-6-astra", image(4_032, 3_024), 14_364),
        ("claude-opus-5-5", image(256, 256), 100),
        ("claude-opus-5-5", image(1_280, 720), 1_196),
        ("claude-sonnet-5-5", image(1_920, 1_080), 2_691),
        ("claude-sonnet-5-5", image(2_000, 1_500), 3_888),
        ("claude-haiku-4-5", image(768, 768), 784),
        ("claude-haiku-4-5", image(1_920, 1_080), 1_568),  # measured: 1,560
        ("anthropic/claude-opus-4.6", image(8_000, 8_000), 1_568),
        ("anthropic.claude-opus-4-20250514-v1:0", image(8_000, 8_000), 1_568),
        ("claude-opus-4-7", image(8_000, 8_000), 4_784),
        ("gemini-3.8-flash", image(256, 256), 1_120),  # measured: 1,065 to 1,101, with the text
        ("gemini-3.8-flash", image(4_032, 3_024), 1_120),
        ("gemini-2.5-pro", image(384, 384), 258),  # Google's guide
        ("gemini-2.5-pro", image(1_536, 768), 516),
        ("gemini-2.5-pro", image(9_216, 6_912), 12 * 258),  # larger ones are scaled down to 3072 x 3072
        ("gemini-2.5-pro", image(2**31, 2**31), 16 * 258),
        ("qwen3-vl", image(2**31, 2**31), 16 * 258),
    ],
)
def test_images(model: str, part: AttachedPart, tokens: int) -> None:
    assert media_tokens([part], family_of("", model), model) == tokens


def test_an_image_of_unknown_size_counts_as_a_large_one() -> None:
    for model in ("gpt-4o", "gpt-4o-mini", "gpt-5", "gpt-6-sol", "claude-opus-5", "gemini-3-pro", "qwen3-vl"):
        family = family_of("", model)
        assert media_tokens([image()], family, model) >= media_tokens([image(700, 700)], family, model)


@pytest.mark.parametrize(
    ("part", "openai", "claude", "gemini"),
    [
        (AttachedPart("pdf", pages=10), 12_000, 24_000, 2_580),
        (AttachedPart("audio", seconds=30), 300, 960, 960),
    ],
)
def test_pages_and_seconds(part: AttachedPart, openai: int, claude: int, gemini: int) -> None:
    told = [media_tokens([part], family_of("", m), m) for m in ("gpt-4o", "claude-haiku-4-5", "gemini-2.5-flash")]
    assert told == [openai, claude, gemini]


def test_parts_add_up() -> None:
    parts = [image(1_024, 1_024), image(1_024, 1_024), AttachedPart("pdf", pages=2)]
    assert media_tokens(parts, "openai", "gpt-4o") == 2 * 765 + 2_400


@pytest.mark.parametrize(
    ("provider", "model", "family"),
    [
        ("openai", "o3", "openai"), ("azure", "my-deployment", "openai"),
        ("bedrock", "anthropic.claude-opus-4", "anthropic"),
        ("openrouter", "google/gemini-2.5-pro", "google"), ("openrouter", "openai/gpt-5", "openai"),
        ("google", "gemma-3", "google"), ("", "qwen3-32b", "other"), ("vllm", "llama-4", "other"),
    ],
)  # fmt: skip
def test_the_maker_is_known_behind_gateways_too(provider: str, model: str, family: str) -> None:
    assert family_of(provider, model) == family


def test_tools_are_fewer_where_they_are_written_anew_and_more_where_instructions_are_added() -> None:
    tools = '{"type": "function", "function": {"name": "search", "description": "Search the web", "parameters": {}}}'
    assert tool_tokens(tools, "other", 30) == 30
    assert tool_tokens(tools, "anthropic", 30) == 376
    assert 12 < tool_tokens(tools, "openai", 30) < 30
