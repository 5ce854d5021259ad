"""The original arguments of streamed tool calls, for integrations that show them only repaired.

BedrockConverse and Anthropic complete JSON that breaks off. The raw events that they pass on contain the original
pieces, so that a call that was cut off can be recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llamaindex_router.messages.fields import field
from llamaindex_router.messages.tool_calls import ParsedToolCall


class StreamedArguments:
    """Joins the arguments of each content block of one answer."""

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[Any, list[str]] = {}

    def take(self, raw: Any) -> None:
        """Read a raw event."""
        if isinstance(raw, Mapping):
            event = raw.get("contentBlockDelta") or raw
            delta = event.get("delta")
            piece = field(delta, "partial_json") if event is raw else field(field(delta, "toolUse"), "input")
            if isinstance(piece, str):
                index = event.get("index", event.get("contentBlockIndex"))
                self._blocks.setdefault(index, []).append(piece)

    @property
    def broken(self) -> int:
        """How many calls have arguments, as received so far, that are not a JSON object."""
        return sum(ParsedToolCall("", "", "".join(pieces)).malformed for pieces in self._blocks.values())
