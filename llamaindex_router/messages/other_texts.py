"""All other texts that are sent beside messages and tools: other parts of messages, keywords of the call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage

from capability_router.strings import strings

_READ = frozenset({"text", "thinking", "tool_call"})  # kinds of blocks
_NESTED = {"content", "cited_content"}
_NEVER_SENT = frozenset({"model", "api_key", "api_base", "user_msg", "chat_history", "messages", "prompt"})
"""These, and headers, hold credentials, addresses or the messages themselves, so screens do not read them."""


def beside(messages: Sequence[ChatMessage], blocks: Sequence[Any], keywords: Mapping[str, Any]) -> tuple[str, ...]:
    """All strings there. `blocks`: of all messages, nested ones too. `keywords`: those that were not read elsewhere."""
    others = [block.model_dump(exclude=_NESTED) for block in blocks if block.block_type not in _READ]
    said = {name: v for name, v in keywords.items() if name not in _NEVER_SENT and not name.endswith("headers")}
    return (*strings(others), *(text for message in messages for text in _of(message)), *strings(said))


def _of(message: ChatMessage) -> Iterator[str]:
    """The strings of a message's keywords, without tool calls, which are read with the message."""
    return strings({name: value for name, value in message.additional_kwargs.items() if name != "tool_calls"})
