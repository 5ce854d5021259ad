"""How much of each model's window a request takes: text by a learned scale, parts and tools by the maker's rule."""

from __future__ import annotations

import math
from collections.abc import Mapping

from capability_router.catalog.aliases import canonical
from capability_router.catalog.card import ModelCard
from capability_router.features import Features, attached_parts
from capability_router.learning.token_scales import UNSEEN, TokenScale
from capability_router.request import Request
from capability_router.tokens.families import Family, family_of, media_tokens, tool_tokens


class PromptSizing:
    """Made only if models may count differently: with parts, tools, or something learned about their vocabularies."""

    __slots__ = ("_found", "_media", "_parts", "_request", "_scales", "_tools")

    def __init__(self, request: Request, found: Features, scales: Mapping[str, TokenScale]) -> None:
        self._request, self._found, self._scales = request, found, scales
        self._parts = attached_parts(request) if request.media else ()
        self._tools: dict[Family, int] = {}
        self._media: dict[tuple[Family, str], int] = {}

    def tokens(self, card: ModelCard) -> int:
        """Input tokens as this model will count them."""
        family = family_of(canonical(card.provider), card.name)
        text = self._found.text_tokens + (self._tools_for(family) if self._request.tools else 0)
        scaled = math.ceil(text * self.scale(card).factor) if self._scales else text
        return scaled + (self._media_for(family, card.name) if self._parts else 0)

    def scale(self, card: ModelCard) -> TokenScale:
        """The learned factor of the model for such text."""
        return self._scales.get(card.id, UNSEEN)

    def _tools_for(self, family: Family) -> int:
        if family not in self._tools:
            self._tools[family] = tool_tokens(self._request.tools, family, self._found.tool_tokens)
        return self._tools[family]

    def _media_for(self, family: Family, name: str) -> int:
        if (family, name) not in self._media:
            self._media[family, name] = media_tokens(self._parts, family, name)
        return self._media[family, name]


def sizing_of(request: Request, found: Features, scales: Mapping[str, TokenScale]) -> PromptSizing | None:
    """None if every model is assumed to count alike, as for most requests."""
    counted = not found.bucket
    return None if counted or not (scales or request.media or request.tools) else PromptSizing(request, found, scales)
