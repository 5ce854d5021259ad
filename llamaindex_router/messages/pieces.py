"""The arguments of tool calls as a provider streams them, where an integration shows them only repaired.

BedrockConverse and Anthropic close JSON that breaks off before they make a call of it. The pieces stand in the raw
events that they hand on, so that a call which was cut can be told from one that is whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamaindex_router.messages.fields import field
from llamaindex_router.messages.tool_calls import ToolCall


class Pieces:
    """Puts together the arguments of each content block of one answer."""

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[Any, list[str]] = {}

    def take(self, raw: Any) -> None:
        """Note what a raw event adds."""
        if isinstance(raw, Mapping):
            event = raw.get("contentBlockDelta") or raw
            delta = event.get("delta")
            piece = field(delta, "partial_json") if event is raw else field(field(delta, "toolUse"), "input")
            if isinstance(piece, str):
                index = event.get("index", event.get("contentBlockIndex"))
                self._blocks.setdefault(index, []).append(piece)

    @property
    def broken(self) -> int:
        """How many calls have arguments that are no JSON object, as they are now."""
        return sum(ToolCall("", "", "".join(pieces)).malformed for pieces in self._blocks.values())
