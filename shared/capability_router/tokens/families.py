"""What attached parts and tools take, by the maker of the model: each counts them by a rule of its own.

Sources, and how far the rules were found to hold: docs/tokens.md. Models of no known maker get the dearest usual
figure, so that they are not called too small to hold what they can't.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from capability_router.tokens.attached import AttachedPart
from capability_router.tokens.estimate import measure

Family = Literal["openai", "anthropic", "google", "other"]
_BY_NAME: tuple[tuple[str, Family], ...] = (
    ("claude", "anthropic"), ("gemini", "google"), ("gpt-", "openai"),
    ("chatgpt", "openai"), ("o1-", "openai"), ("o3-", "openai"), ("o4-", "openai"),
)  # fmt: skip
_BY_PROVIDER: dict[str, Family] = {
    "openai": "openai", "azure": "openai", "anthropic": "anthropic", "google": "google"
}  # fmt: skip


class Media(NamedTuple):
    """Tokens for one image of unknown size, one page, one second of sound; `image` is the rule for a known size."""

    image: Callable[[AttachedPart], int]
    unknown_image: int
    page: int
    audio_s: float
    unknown_pages: int = 3
    unknown_s: float = 60.0
    video: int = 15_800  # a minute at Gemini's 263 a second: a video's length is not read


def _fit(width: float, height: float, long: float) -> tuple[float, float]:
    shrink = min(1.0, long / max(width, height))
    return width * shrink, height * shrink


def _tiles(base: int, tile: int) -> Callable[[AttachedPart], int]:
    """OpenAI's older rule: into 2048 x 2048, the shorter side to 768, a price for each 512 x 512."""

    def rule(part: AttachedPart) -> int:
        if part.detail == "low":
            return base
        width, height = _fit(part.width, part.height, 2_048)
        shrink = min(1.0, 768 / min(width, height))
        return base + tile * math.ceil(width * shrink / 512) * math.ceil(height * shrink / 512)

    return rule


def _patches(factor: float, most: int = 1_536) -> Callable[[AttachedPart], int]:
    """OpenAI's newer rule: patches of 32 x 32, at most so many, times the model's factor; `detail` changes nothing."""

    def rule(part: AttachedPart) -> int:
        return math.ceil(factor * min(math.ceil(part.width / 32) * math.ceil(part.height / 32), most))

    return rule


def _visual(long: int, most: int) -> Callable[[AttachedPart], int]:
    """Claude's rule: the longer side at most so long, then a token for each patch of 28 x 28, at most so many."""

    def rule(part: AttachedPart) -> int:
        width, height = _fit(part.width, part.height, long)
        return min(math.ceil(width / 28) * math.ceil(height / 28), most)

    return rule


def _crops(part: AttachedPart) -> int:
    """Gemini 1 and 2: into 3072 x 3072, a price for each 768 x 768, small images whole."""
    if part.width <= 384 and part.height <= 384:
        return 258
    width, height = _fit(part.width, part.height, 3_072)
    return 258 * math.ceil(width / 768) * math.ceil(height / 768)


def _same(part: AttachedPart) -> int:
    """Gemini 3: as many for every image."""
    return 1_120


_CLAUDE_4, _CLAUDE_5 = _visual(1_568, 1_568), _visual(2_576, 4_784)


def _dearest(part: AttachedPart) -> int:
    return max(rule(part) for rule in (_tiles(85, 170), _CLAUDE_4, _crops))


_OPENAI: tuple[tuple[tuple[str, ...], Media], ...] = (
    (("gpt-4o-mini",), Media(_tiles(2_833, 5_667), 36_835, 1_200, 10.0)),
    (("gpt-4.1-nano",), Media(_patches(2.46), 3_779, 1_200, 10.0)),
    (("gpt-4.1-mini", "gpt-5-mini", "gpt-5-nano"), Media(_patches(1.62), 2_489, 1_200, 10.0)),
    (("o4-mini", "codex-mini"), Media(_patches(1.72), 2_642, 1_200, 10.0)),
    (("o1", "o3", "o4"), Media(_tiles(75, 150), 975, 1_200, 10.0)),
    (("gpt-5.1",), Media(_tiles(70, 140), 1_190, 1_200, 10.0)),
    (("gpt-5.2", "gpt-5.3", "gpt-5.4"), Media(_patches(1.2, 2_500), 3_000, 1_200, 10.0)),
    (("gpt-5.",), Media(_patches(1.2, 10_000), 12_000, 1_200, 10.0)),
    (("gpt-5",), Media(_tiles(70, 140), 1_190, 1_200, 10.0)),
    (("gpt-6", "gpt-7"), Media(_patches(1.2, 50_000), 12_000, 1_200, 10.0)),
    (("",), Media(_tiles(85, 170), 1_445, 1_200, 10.0)),
)  # fmt: skip
_OTHERS: dict[Family, Media] = {
    "anthropic": Media(_CLAUDE_5, 4_784, 2_400, 32.0),
    "google": Media(_same, 1_120, 560, 32.0),
    "other": Media(_dearest, 1_600, 2_400, 32.0),
}
_BEFORE: tuple[tuple[re.Pattern[str], Media], ...] = (
    (
        re.compile(r"claude-(?:instant|[1-4]|sonnet-4|haiku-4|opus-4(?![-.][78]))"),
        Media(_CLAUDE_4, 1_568, 2_400, 32.0),
    ),
    (re.compile(r"gemini-(?:pro|[12])"), Media(_crops, 1_548, 258, 32.0)),
)
"""Models before Claude Opus 4.7 and before Gemini 3."""


_TOOLS_FIXED: dict[Family, int] = {"openai": 12, "anthropic": 346, "google": 0, "other": 0}
"""Tokens for having any tools: OpenAI's frame around them, Claude's instructions for their use."""

_WORDS = 0.9
"""OpenAI writes tools anew, as types without JSON's signs; what is left of them takes this share."""

_JSON_SIGNS = str.maketrans("", "", '{}[]",')


@lru_cache(1_024)
def family_of(provider: str, model: str) -> Family:
    """Who made the model: its name tells, also behind a gateway; else its provider, by its canonical name."""
    name = model.lower()
    told = next((family for part, family in _BY_NAME if part in name), None)
    return told or _BY_PROVIDER.get(provider, "other")


@lru_cache(1_024)
def media_of(family: Family, model: str) -> Media:
    """The maker's rule for attached parts; it differs by model."""
    name = model.lower().rpartition("/")[2]
    if family != "openai":
        return next((media for known, media in _BEFORE if known.search(name)), _OTHERS[family])
    return next(media for prefixes, media in _OPENAI if name.startswith(prefixes))


def media_tokens(parts: Iterable[AttachedPart], family: Family, model: str) -> int:
    """Tokens of the attached parts together."""
    media = media_of(family, model)
    return sum(_part(part, media) for part in parts)


def _part(part: AttachedPart, media: Media) -> int:
    if part.kind == "image":
        if part.width and part.height:
            return media.image(part)
        return media.image(part._replace(width=512, height=512)) if part.detail == "low" else media.unknown_image
    if part.kind == "pdf":
        return media.page * (part.pages or media.unknown_pages)
    return math.ceil(media.audio_s * (part.seconds or media.unknown_s)) if part.kind == "audio" else media.video


@lru_cache(64)
def tool_tokens(tools: str, family: Family, written: int) -> int:
    """Tokens of tools, given as JSON that is estimated at `written` tokens as it stands."""
    fixed = _TOOLS_FIXED[family]
    return fixed + (math.ceil(_WORDS * measure(tools.translate(_JSON_SIGNS)).tokens) if family == "openai" else written)
