"""Remembers which candidate wrote which message, and converts a history that another candidate continues.

Integrations put data into messages that only they can read: OpenAI's stream leaves arguments as JSON text, Ollama's
calls have no ids, Claude's thinking is signed, cache points are for one provider. A candidate gets another's messages
in a common form.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole, ThinkingBlock, ToolCallBlock

from capability_router.concurrency.latch import Latch
from llamaindex_router.call import Rewrite
from llamaindex_router.messages.tool_calls import ParsedToolCall, arguments_of, tool_calls_of

_KEPT = 8_192
_FOREIGN = ("thinking", "cache")
_CACHING = ("anthropic", "bedrock_converse", "")  # "" = a class of the user's own, which may do anything
_NAMELESS = ("google_genai", "ollama")  # they pair calls and results by the tool's name where there is no id
_MAPPINGS = ("anthropic", "bedrock_converse", "google_genai", "ollama")  # their APIs refuse arguments that are text
_SIGNED = "anthropic"
_USABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOOL_ROLES = (MessageRole.TOOL, MessageRole.FUNCTION)


def key_of(call: ParsedToolCall) -> str:
    """The key of a call: its id, or a digest if the integration gives no id but the tool's name."""
    if call.id and call.id != call.name:
        return call.id
    return _digest(f"{call.name} {json.dumps(arguments_of(call.arguments), sort_keys=True, default=str)}")


def keys_of(message: ChatMessage) -> Iterator[str]:
    """The keys by which a message is recognised: those of its calls, and digests of its thinking."""
    yield from map(key_of, tool_calls_of(message))
    thoughts = (block.content for block in message.blocks if isinstance(block, ThinkingBlock))
    yield from (_digest(thought) for thought in thoughts if thought)


def answered_keys(messages: Sequence[ChatMessage]) -> tuple[str, ...]:
    """The keys of the calls whose results end the conversation; a result without its call has its own id as key."""
    results: list[str] = []
    for message in reversed(messages):
        if message.role not in _TOOL_ROLES:
            known = {call.id or call.name: key_of(call) for call in tool_calls_of(message)}
            return tuple(known.get(id, id) for id in results)
        results.extend(filter(None, [str(message.additional_kwargs.get("tool_call_id") or "")]))
    return tuple(results)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


class Origins:
    """A bounded memory of which candidate wrote which message. It holds ids and digests, no text. Thread-safe."""

    def __init__(self, size: int = _KEPT) -> None:
        self._size = size
        self._lock = Latch()
        self._of: OrderedDict[str, str] = OrderedDict()

    def note(self, candidate: str, message: ChatMessage) -> None:
        """Remember that this candidate wrote the message."""
        keys = list(keys_of(message))
        with self._lock:
            for key in keys:
                self._of[key] = candidate
                self._of.move_to_end(key)
            while len(self._of) > self._size:
                self._of.popitem(last=False)

    def rewrite(self, candidate: str, home: str) -> Rewrite:
        """A function that converts a history for this candidate, an LLM of the integration `home`."""
        return partial(self._for, candidate, home)

    def _for(self, candidate: str, home: str, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        read = [self._read(candidate, home, message) for message in messages]
        return read if home in _NAMELESS else _numbered(read)

    def _read(self, candidate: str, home: str, message: ChatMessage) -> ChatMessage:
        kept = [block for block in message.blocks if self._stays(block, candidate, home)]
        if len(kept) < len(message.blocks):
            message = message.model_copy(update={"blocks": kept})
        calls = tool_calls_of(message)
        makers = {maker for call in calls if (maker := self._of.get(key_of(call)))}
        if makers:
            return message if makers == {candidate} else common(message)
        return _mapped(message) if calls and home in _MAPPINGS else message

    def _stays(self, block: Any, candidate: str, home: str) -> bool:
        if block.block_type == "cache":
            return home in _CACHING
        if not isinstance(block, ThinkingBlock) or not block.content:
            return True
        if home == _SIGNED and not block.additional_information.get("signature"):
            return False  # its API takes no thinking without a signature
        return self._of.get(_digest(block.content), candidate) == candidate


def common(message: ChatMessage) -> ChatMessage:
    """The message in a form that any integration reads: calls as blocks with mappings, no provider's own data."""
    calls = [
        ToolCallBlock(tool_call_id=call.id or None, tool_name=call.name, tool_kwargs=arguments_of(call.arguments))
        for call in tool_calls_of(message)
    ]
    kept = [b for b in message.blocks if b.block_type not in (*_FOREIGN, "tool_call")]
    kwargs = {k: v for k, v in message.additional_kwargs.items() if k == "tool_call_id"}
    return message.model_copy(update={"blocks": [*kept, *calls], "additional_kwargs": kwargs})


def _mapped(message: ChatMessage) -> ChatMessage:
    """The message with arguments as mappings. Nothing else is changed, because it may be the candidate's own."""
    blocks = [
        block.model_copy(update={"tool_kwargs": arguments_of(block.tool_kwargs)})
        if isinstance(block, ToolCallBlock) and isinstance(block.tool_kwargs, str)
        else block
        for block in message.blocks
    ]
    return message.model_copy(update={"blocks": blocks})


def _numbered(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The messages with ids for calls that have none, and the same ids for their results, in order."""
    waiting: defaultdict[str, deque[str]] = defaultdict(deque)
    return [_with_ids(message, index, waiting) for index, message in enumerate(messages)]


def _with_ids(message: ChatMessage, index: int, waiting: defaultdict[str, deque[str]]) -> ChatMessage:
    if message.role in _TOOL_ROLES:
        given = waiting.get(str(message.additional_kwargs.get("tool_call_id") or ""))
        told = {**message.additional_kwargs, "tool_call_id": given.popleft()} if given else message.additional_kwargs
        return message.model_copy(update={"additional_kwargs": told}) if given is not None else message
    if not any(isinstance(block, ToolCallBlock) and not _usable(block) for block in message.blocks):
        return message
    blocks: list[Any] = []
    for position, block in enumerate(message.blocks):
        if isinstance(block, ToolCallBlock) and not _usable(block):
            made = f"call_{index}_{position}"
            waiting[block.tool_call_id or block.tool_name].append(made)
            blocks.append(block.model_copy(update={"tool_call_id": made}))
        else:
            blocks.append(block)
    return message.model_copy(update={"blocks": blocks})


def _usable(block: ToolCallBlock) -> bool:
    id = block.tool_call_id
    return bool(id) and id != block.tool_name and _USABLE.fullmatch(id or "") is not None
