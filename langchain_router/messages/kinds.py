"""The kind of a message class, cached per class.

`isinstance` is slow for messages of another class, because pydantic's metaclass then calls Python functions, and a call
of the router checks each of its messages several times.
"""

from __future__ import annotations

from functools import lru_cache

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage

_CLASSES = 256  # there are some twenty, and those that users derive


@lru_cache(_CLASSES)
def is_human(kind: type) -> bool:
    """Whether its messages are a user's."""
    return issubclass(kind, HumanMessage)


@lru_cache(_CLASSES)
def is_tool(kind: type) -> bool:
    """Whether its messages are the results of tools."""
    return issubclass(kind, ToolMessage)


@lru_cache(_CLASSES)
def is_ai(kind: type) -> bool:
    """Whether its messages are a model's."""
    return issubclass(kind, AIMessage)


@lru_cache(_CLASSES)
def is_chunk(kind: type) -> bool:
    """Whether its messages are pieces of a model's."""
    return issubclass(kind, AIMessageChunk)
