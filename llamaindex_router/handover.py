"""Which candidate made which tool call, and what a history needs before another one continues it.

Integrations keep things in messages that only they can read back: OpenAI's stream leaves arguments as
JSON text, Anthropic's thinking is signed, cache points are one provider's. A candidate that is given
another's messages gets them in the common form.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock

from llamaindex_router.call import Rewrite
from llamaindex_router.tool_calls import arguments_of, tool_calls_of

_KEPT = 8_192
_FOREIGN = ("thinking", "cache")


class Origins:
    """A bounded memory of tool call id -> candidate. Shared by threads; forgets the oldest."""

    def __init__(self, size: int = _KEPT) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._of: OrderedDict[str, str] = OrderedDict()

    def note(self, candidate: str, calls: Iterable[str]) -> None:
        """Remember who made these calls."""
        with self._lock:
            for call in calls:
                self._of[call] = candidate
                self._of.move_to_end(call)
            while len(self._of) > self._size:
                self._of.popitem(last=False)

    def rewrite(self, candidate: str) -> Rewrite | None:
        """What makes messages readable for this candidate; None while no tool call is known."""
        return (lambda message: self._for(candidate, message)) if self._of else None

    def _for(self, candidate: str, message: ChatMessage) -> ChatMessage:
        calls = tool_calls_of(message)
        makers = {self._of.get(call.id) for call in calls} - {None}
        return common(message) if makers and makers != {candidate} else message


def common(message: ChatMessage) -> ChatMessage:
    """The message as any integration reads it: calls as blocks with mappings, nothing one provider's own."""
    calls = [
        ToolCallBlock(tool_call_id=call.id or None, tool_name=call.name, tool_kwargs=arguments_of(call.arguments))
        for call in tool_calls_of(message)
    ]
    kept = [b for b in message.blocks if b.block_type not in (*_FOREIGN, "tool_call")]
    kwargs = {k: v for k, v in message.additional_kwargs.items() if k == "tool_call_id"}
    return message.model_copy(update={"blocks": [*kept, *calls], "additional_kwargs": kwargs})
