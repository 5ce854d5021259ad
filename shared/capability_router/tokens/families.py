"""What attached parts and tools take, by the maker of the model: each counts them by a rule of its own.

Sources, and how far the rules were found to hold: docs/tokens.md. Models of no known maker get the dearest usual
figure, so that they are not called too small to hold what they can't.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from capability_router.tokens.attached import Attached
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

    image: Callable[[Attached], int]
    unknown_image: int
    page: int
    audio_s: float
    unknown_pages: int = 3
    unknown_s: float = 60.0
    video: int = 15_800  # a minute at Gemini's 263 a second: nobody reads a video's length


def _fit(width: float, height: float, long: float) -> tuple[float, float]:
    shrink = min(1.0, long / max(width, height))
    return width * shrink, height * shrink


def _tiles(base: int, tile: int) -> Callable[[Attached], int]:
    """OpenAI's older rule: into 2048 x 2048, the shorter side to 768, a price for each 512 x 512."""

    def rule(part: Attached) -> int:
        if part.detail == "low":
            return base
        width, height = _fit(part.width, part.height, 2_048)
        shrink = min(1.0, 768 / min(width, height))
        return base + tile * math.ceil(width * shrink / 512) * math.ceil(height * shrink / 512)

    return rule


def _patches(factor: float) -> Callable[[Attached], int]:
    """OpenAI's newer rule: patches of 32 x 32, at most 1,536, times the model's factor."""

    def rule(part: Attached) -> int:
        return math.ceil(factor * min(math.ceil(part.width / 32) * math.ceil(part.height / 32), 1_536))

    return rule


def _claude_image(part: Attached) -> int:
    width, height = _fit(part.width, part.height, 1_568)
    return min(math.ceil(width * height / 750), 1_600)


def _gemini_image(part: Attached) -> int:
    if part.width <= 384 and part.height <= 384:
        return 258
    return 258 * math.ceil(part.width / 768) * math.ceil(part.height / 768)


def _dearest(part: Attached) -> int:
    return max(rule(part) for rule in (_tiles(85, 170), _claude_image, _gemini_image))


_OPENAI: tuple[tuple[tuple[str, ...], Media], ...] = (
    (("gpt-4o-mini",), Media(_tiles(2_833, 5_667), 36_835, 1_200, 10.0)),
    (("gpt-4.1-nano",), Media(_patches(2.46), 3_779, 1_200, 10.0)),
    (("gpt-4.1-mini", "gpt-5-mini", "gpt-5-nano", "o4-mini"), Media(_patches(1.72), 2_642, 1_200, 10.0)),
    (("o1", "o3", "o4"), Media(_tiles(75, 150), 975, 1_200, 10.0)),
    (("gpt-5",), Media(_tiles(70, 140), 1_190, 1_200, 10.0)),
    (("",), Media(_tiles(85, 170), 1_445, 1_200, 10.0)),
)  # fmt: skip
_OTHERS: dict[Family, Media] = {
    "anthropic": Media(_claude_image, 1_600, 2_400, 32.0),
    "google": Media(_gemini_image, 1_120, 560, 32.0),
    "other": Media(_dearest, 1_600, 2_400, 32.0),
}


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
    """The maker's rule for attached parts; OpenAI's differs by model."""
    if family != "openai":
        return _OTHERS[family]
    name = model.lower().rpartition("/")[2]
    return next(media for prefixes, media in _OPENAI if name.startswith(prefixes))


def media_tokens(parts: Iterable[Attached], family: Family, model: str) -> int:
    """Tokens of the attached parts together."""
    media = media_of(family, model)
    return sum(_part(part, media) for part in parts)


def _part(part: Attached, media: Media) -> int:
    if part.kind == "image":
        if part.width and part.height:
            return media.image(part)
        return media.image(part._replace(width=512, height=512)) if part.detail == "low" else media.unknown_image
    if part.kind == "pdf":
        return media.page * (part.pages or media.unknown_pages)
    return math.ceil(media.audio_s * (part.seconds or media.unknown_s)) if part.kind == "audio" else media.video


def tool_tokens(tools: str, family: Family, written: int) -> int:
    """Tokens of tools, given as JSON that is estimated at `written` tokens as it stands."""
    fixed = _TOOLS_FIXED[family]
    return fixed + (math.ceil(_WORDS * measure(tools.translate(_JSON_SIGNS)).tokens) if family == "openai" else written)
