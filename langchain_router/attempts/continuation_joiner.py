"""Joins the rest of a resumed answer to its beginning, without doubled spaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessageChunk


class ContinuationJoiner:
    """Takes the chunks, or the v3 events, of the attempt that continues `prefix`, in order."""

    __slots__ = ("_blank", "_block")

    def __init__(self, prefix: str) -> None:
        self._blank = prefix != prefix.rstrip()
        self._block: Any = None  # the index of the block whose text the rest begins with

    def joined(self, piece: Any) -> Any:
        """The piece, without leading spaces if the text before it ended with some."""
        if isinstance(piece, AIMessageChunk):
            return self._chunk(piece) if self._blank else piece
        return self._event(piece) if isinstance(piece, Mapping) else piece

    def _chunk(self, chunk: AIMessageChunk) -> AIMessageChunk:
        content = chunk.content
        if isinstance(content, str):
            return chunk.model_copy(update={"content": self._cut(content)})
        blocks = [
            {**block, "text": self._cut(block["text"])}
            if isinstance(block, dict) and isinstance(block.get("text"), str)
            else block
            for block in content
        ]
        return chunk.model_copy(update={"content": blocks})

    def _event(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        kind = event.get("event")
        if kind == "content-block-finish" and self._block is not None and event.get("index") == self._block:
            block = event.get("content") or {}
            return {**event, "content": {**block, "text": str(block.get("text") or "").lstrip()}}
        delta = event.get("delta") or {}
        if not self._blank or kind != "content-block-delta" or delta.get("type") != "text-delta":
            return event
        self._block = event.get("index")
        return {**event, "delta": {**delta, "text": self._cut(delta.get("text") or "")}}

    def _cut(self, text: str) -> str:
        if not self._blank:
            return text
        cut = text.lstrip()
        self._blank = not cut
        return cut
