"""Tokens of a prompt near a window's edge, counted as the engine that packed it counted.

LlamaIndex packs a prompt until its own tokenizer says that the window is full. The core's estimate is off
by some percent, which matters only there: it would refuse the very model that the prompt was packed for,
and the only model altogether where there is no larger one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.utils import get_tokenizer

from capability_router.catalog.card import ModelCard
from capability_router.eligibility import default_reserve
from capability_router.features import framing
from capability_router.request import Request
from capability_router.tokens.estimate import estimate_tokens

_SHORT = 2_000  # characters: whatever a window holds, they fit or are far from it
_NEAR = 0.5, 1.6  # times the estimate: between them the tokenizer is asked
_OVERPACKED = 1.025  # "simple_summarize" does not count what it joins its passages with


def counted(texts: Sequence[str], tools: str, cards: Sequence[ModelCard], max_tokens: int | None) -> int | None:
    """Input tokens by LlamaIndex's tokenizer if they may fill a model's window, else None: an estimate will do."""
    text = "\n".join(texts)
    if len(text) + len(tools) < _SHORT:
        return None
    beside = estimate_tokens(tools) if tools else 0
    least, most = (times * (estimate_tokens(text) + beside) for times in _NEAR)
    if not any(least < room < most for card in cards for room in _rooms(card, max_tokens)):
        return None
    tokenizer: Any = get_tokenizer()
    tokens = sum(len(tokenizer(part)) for part in texts) + beside
    return tokens if max_tokens else _as_packed(tokens, cards)


def tokens_of(request: Request) -> int:
    """A request's messages by LlamaIndex's tokenizer."""
    tokenizer: Any = get_tokenizer()
    return sum(len(tokenizer(text)) for text in request.counted) + framing(request)


def _as_packed(tokens: int, cards: Sequence[ModelCard]) -> int:
    """The tokens; or the room, if they overrun it slightly: the default output reserve then shrinks."""
    windows = ((card, card.context_window) for card in cards if card.context_window and not card.output_reserve)
    soft = sorted(window - default_reserve(card) for card, window in windows)
    return next((room for room in soft if room < tokens <= _OVERPACKED * room), tokens)


def _rooms(card: ModelCard, max_tokens: int | None) -> list[int]:
    kept = max_tokens or card.output_reserve or default_reserve(card)
    whole = [card.context_window - kept] if card.context_window else []
    return [*whole, card.max_input_tokens] if card.max_input_tokens else whole
