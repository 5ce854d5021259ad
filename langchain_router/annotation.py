"""Adds the router's annotation to replies: one key in `response_metadata`, in a copy of the last message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk


def is_last(chunk: Any) -> bool:
    """Whether it is a complete message, or the chunk or event that ends a stream."""
    if isinstance(chunk, AIMessageChunk):
        return chunk.chunk_position == "last"
    return isinstance(chunk, AIMessage) or (isinstance(chunk, Mapping) and chunk.get("event") == "message-finish")


def ending(chunk: AIMessageChunk) -> AIMessageChunk:
    """The final chunk that langchain-core adds to a stream if the model sends none; `chunk` was the last one."""
    return AIMessageChunk(content="" if isinstance(chunk.content, str) else [], id=chunk.id, chunk_position="last")


def not_last(chunk: Any) -> tuple[Any, ...]:
    """The pieces to yield of a final chunk when the stream goes on, because it was interrupted and resumed."""
    if not isinstance(chunk, AIMessageChunk):
        return () if isinstance(chunk, Mapping) else (chunk,)
    said = chunk.content or chunk.tool_call_chunks or chunk.usage_metadata or chunk.response_metadata
    return () if not said else (chunk.model_copy(update={"chunk_position": None}),)


def annotated(chunk: Any, annotation: Mapping[str, Any]) -> Any:
    """A copy of a message, a structured answer's raw message or a finish event, with the router's key."""
    if isinstance(chunk, AIMessage):
        return chunk.model_copy(update={"response_metadata": {**chunk.response_metadata, "router": dict(annotation)}})
    if isinstance(chunk, Mapping) and isinstance(chunk.get("raw"), AIMessage):
        return {**chunk, "raw": annotated(chunk["raw"], annotation)}
    if isinstance(chunk, Mapping) and chunk.get("event") == "message-finish":
        return {**chunk, "metadata": {**(chunk.get("metadata") or {}), "router": dict(annotation)}}
    return chunk
