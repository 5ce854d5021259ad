"""One v3 message out of the events of attempts that go on with each other.

A message begins once and ends once, and each of its blocks has one index: what a cut attempt left open is
closed, and the blocks of the next one are counted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages.ai import UsageMetadata, add_usage

_GROWS = {"text-delta": "text", "reasoning-delta": "reasoning"}
"""What a delta adds to, by its type. No other block is ever left open: a begun tool call is not gone on with."""


class EventMerger:
    """Takes the events of all parts in order."""

    __slots__ = ("_first", "_next", "_open", "_part", "_usage")

    def __init__(self) -> None:
        self._part = 0
        self._first = self._next = 0  # the index of the part's first block, and of the block after the last so far
        self._open: dict[int, dict[str, Any]] = {}
        self._usage: UsageMetadata | None = None

    def take(self, event: Mapping[str, Any], part: int) -> tuple[Mapping[str, Any], ...]:
        """The events that are to be handed on for this one, which is of that part, counted from 0."""
        closed = self._closed() if part != self._part else ()
        self._part = part
        return (*closed, *self._moved(event))

    def _closed(self) -> tuple[Mapping[str, Any], ...]:
        left, self._open, self._first = self._open, {}, self._next
        return tuple({"event": "content-block-finish", "index": i, "content": block} for i, block in left.items())

    def _moved(self, event: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
        kind, index = event.get("event"), event.get("index")
        if kind == "message-start" and self._part:
            return ()
        if kind == "message-finish":
            self._usage = add_usage(self._usage, event.get("usage"))
            return ({**event, "usage": self._usage} if self._usage is not None else event,)
        if not isinstance(index, int):
            return (event,)
        index += self._first
        self._next = max(self._next, index + 1)
        moved = self._at(event, index) if self._first else event
        self._note(moved, index)
        return (moved,)

    @staticmethod
    def _at(event: Mapping[str, Any], index: int) -> Mapping[str, Any]:
        """The event about another block. The block itself may say its index, too."""
        content = event.get("content")
        told = isinstance(content, Mapping) and "index" in content
        return {**event, "index": index, **({"content": {**content, "index": index}} if told else {})}  # type: ignore[dict-item]  # a mapping, as `told` says

    def _note(self, event: Mapping[str, Any], index: int) -> None:
        kind = event.get("event")
        if kind == "content-block-start":
            self._open[index] = dict(event.get("content") or {})
        elif kind == "content-block-finish":
            self._open.pop(index, None)
        elif kind == "content-block-delta" and index in self._open:
            delta = event.get("delta") or {}
            field = _GROWS.get(str(delta.get("type")))
            if field is not None:
                block = self._open[index]
                block[field] = f"{block.get(field) or ''}{delta.get(field) or ''}"
