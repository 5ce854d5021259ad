"""What the router says of itself: one window and one output length that belong together.

LlamaIndex packs retrieved text into `context_window - num_output` once per engine, so the pair must
not move, must come from one model, and decides how many candidates can take a packed prompt.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from llama_index.core.base.llms.types import LLMMetadata, MessageRole
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW, DEFAULT_NUM_OUTPUTS

from capability_router.catalog.card import ModelCard
from capability_router.eligibility import default_reserve
from capability_router.errors import ConfigError

Mode = Literal["auto", "min", "max", "primary"]
ContextWindow = Mode | int
_MODES = ("auto", "min", "max", "primary")
_FAR_APART = 4
_log = logging.getLogger(__name__)


class ModelWindow(NamedTuple):
    """Tokens: all a model holds, and what of that is kept for its answer."""

    context: int
    output: int

    @property
    def budget(self) -> int:
        """Tokens left for the prompt."""
        return self.context - self.output


def metadata_for(
    name: str,
    cards: Sequence[ModelCard],
    told: Mapping[str, LLMMetadata | None],
    mode: ContextWindow,
    max_tokens: int | None,
) -> LLMMetadata:
    """The router's metadata. `told` is what each candidate's LLM says of itself; `max_tokens` the caller's own.

    "min": every candidate can take a packed prompt; "max": the largest one's window; "primary": the
    first entry's; an int: that window; "auto": the largest that half of the candidates, and at least
    two, can take, so that a fallback remains and one small model doesn't multiply the calls.
    """
    windows = [w for card in cards if (w := _window(card, told.get(card.id), max_tokens))]
    chosen = _chosen(windows, mode, max_tokens)
    return LLMMetadata(
        context_window=chosen.context,
        num_output=chosen.output,
        is_chat_model=_chats(told.values()),
        is_function_calling_model=any(card.tool_calling is not False for card in cards),
        model_name=f"llm-router/{name}",
        system_role=MessageRole.SYSTEM,
    )


def _chats(told: Collection[LLMMetadata | None]) -> bool:
    """Whether one of them is a chat model; one that tells nothing of itself is taken for one.

    Prompts are then made of messages, which any integration turns into text, while text made of messages is
    one user's message to a chat model.
    """
    return not told or any(metadata is None or metadata.is_chat_model for metadata in told)


def checked(mode: Any) -> ContextWindow:
    """The setting, or ConfigError."""
    if isinstance(mode, str) and mode in _MODES:
        return mode  # type: ignore[return-value]  # one of the literals, as just checked
    if isinstance(mode, int) and not isinstance(mode, bool) and mode > 0:
        return mode
    raise ConfigError(f"context_window must be one of {', '.join(_MODES)} or a number of tokens, got {mode!r}")


def _window(card: ModelCard, told: LLMMetadata | None, max_tokens: int | None) -> ModelWindow | None:
    context = card.context_window or (told.context_window if told else None)
    if not context or context <= 0:
        return None
    own = told.num_output if told and told.num_output > 0 else None
    return ModelWindow(context, max_tokens or card.output_reserve or max(own or 0, _kept_free(card, context)))


def _kept_free(card: ModelCard, context: int) -> int:
    """What eligibility keeps free: less would pack prompts that the very model they are packed for can't be given."""
    return min(default_reserve(card), context // 4)


def _chosen(windows: list[ModelWindow], mode: ContextWindow, max_tokens: int | None) -> ModelWindow:
    if isinstance(mode, int):
        return ModelWindow(mode, max_tokens or min(DEFAULT_NUM_OUTPUTS, mode // 4))
    if not windows:
        return ModelWindow(DEFAULT_CONTEXT_WINDOW, max_tokens or DEFAULT_NUM_OUTPUTS)
    if mode == "primary":
        return windows[0]
    ranked = sorted(windows, key=lambda w: w.budget)
    if mode == "min":
        _warn_of_spread(windows)
    return ranked[{"min": 0, "max": -1}.get(mode, _kept_by_half(len(ranked)))]


def _kept_by_half(count: int) -> int:
    return max(count - max(-(-count // 2), 2), 0)


def _warn_of_spread(windows: Iterable[ModelWindow]) -> None:
    sizes = sorted(w.context for w in windows)
    if sizes[-1] > _FAR_APART * sizes[0]:
        _log.warning(
            "context_window='min' packs prompts into %d tokens although a model holds %d; "
            "query engines will make several times as many calls ('auto' leaves small models the small prompts)",
            sizes[0], sizes[-1],
        )  # fmt: skip
