"""What the router says on each reply: one key of `response_metadata`, in a copy, on the message that ends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk


def is_last(chunk: Any) -> bool:
    """Whether it is a whole message, or the chunk or event that ends a stream."""
    if isinstance(chunk, AIMessageChunk):
        return chunk.chunk_position == "last"
    return isinstance(chunk, AIMessage) or (isinstance(chunk, Mapping) and chunk.get("event") == "message-finish")


def ending(chunk: AIMessageChunk) -> AIMessageChunk:
    """What langchain-core ends a stream with whose model didn't, for one that gave this chunk last."""
    return AIMessageChunk(content="" if isinstance(chunk.content, str) else [], id=chunk.id, chunk_position="last")


def not_last(chunk: Any) -> tuple[Any, ...]:
    """What is handed on of a chunk that was to end a stream, when the stream goes on: it was cut off and resumed."""
    if not isinstance(chunk, AIMessageChunk):
        return () if isinstance(chunk, Mapping) else (chunk,)
    said = chunk.content or chunk.tool_call_chunks or chunk.usage_metadata or chunk.response_metadata
    return () if not said else (chunk.model_copy(update={"chunk_position": None}),)


def annotated(chunk: Any, annotation: Mapping[str, Any]) -> Any:
    """A copy of a message, of the raw message of a structured answer or of a finish event, with our one key."""
    if isinstance(chunk, AIMessage):
        return chunk.model_copy(update={"response_metadata": {**chunk.response_metadata, "router": dict(annotation)}})
    if isinstance(chunk, Mapping) and isinstance(chunk.get("raw"), AIMessage):
        return {**chunk, "raw": annotated(chunk["raw"], annotation)}
    if isinstance(chunk, Mapping) and chunk.get("event") == "message-finish":
        return {**chunk, "metadata": {**(chunk.get("metadata") or {}), "router": dict(annotation)}}
    return chunk
