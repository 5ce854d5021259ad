"""All other texts that are sent beside messages and tools: other parts of messages, keywords of the call."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from capability_router.strings import strings
from langchain_router.messages.kinds import is_ai

_CALLS = ("tool_use", "tool_call", "function_call")
_NEVER_SENT = frozenset({"model", "api_key", "base_url", "include_raw", "method"})
"""These, and headers, hold credentials and addresses. That is no content, so screens do not read it."""


def beside(messages: Sequence[BaseMessage], keywords: Mapping[str, Any], read: Container[str]) -> tuple[str, ...]:
    """All strings there. `read`: the names of blocks' items and of keywords that were read elsewhere."""
    found = [text for message in messages for text in _of(message, read)]
    said = {k: v for k, v in keywords.items() if k not in read and k not in _NEVER_SENT and not k.endswith("headers")}
    return (*found, *strings(said))


def _of(message: BaseMessage, read: Container[str]) -> Iterator[str]:
    called = [call["id"] for call in message.tool_calls] if is_ai(type(message)) else []  # type: ignore[attr-defined]  # a model's message
    if not isinstance(message.content, str):
        blocks = [b for b in message.content if isinstance(b, Mapping) and not _is_told(b, called)]
        yield from strings([_unread(block, read) for block in blocks])
    if message.additional_kwargs:
        yield from strings({k: v for k, v in message.additional_kwargs.items() if not (called and k == "tool_calls")})
    if is_ai(type(message)) and message.invalid_tool_calls:  # type: ignore[attr-defined]  # likewise
        yield from strings([[call.get("name"), call.get("args")] for call in message.invalid_tool_calls])  # type: ignore[attr-defined]  # likewise
    if message.name:
        yield message.name


def _is_told(block: Mapping[str, Any], called: Sequence[Any]) -> bool:
    """Whether the block is one of the tool calls with these ids, which are read as calls."""
    return block.get("type") in _CALLS and (block.get("call_id") or block.get("id")) in called


def _unread(block: Mapping[str, Any], read: Container[str]) -> dict[str, Any]:
    """The block without the texts that were read elsewhere, nested blocks included."""
    left = {name: part for name, part in block.items() if not (name in read and isinstance(part, str))}
    nested = block.get("content")
    if isinstance(nested, list):
        left["content"] = [_unread(each, read) for each in nested if isinstance(each, Mapping)]
    return left
