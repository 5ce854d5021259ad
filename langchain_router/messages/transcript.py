"""LangChain messages -> Chat Completions JSON, and its replies -> LangChain messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolMessage,
    convert_to_openai_messages,
)
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call

from capability_router.endpoints.chain_usage import details
from capability_router.endpoints.wire import Delta, ToolCallDelta
from capability_router.json_text import tool_arguments
from capability_router.request import Usage, service_tier
from langchain_router.messages.call_pieces import CallPieces

_ROLES: dict[type[BaseMessage], str] = {HumanMessage: "user", SystemMessage: "system", AIMessage: "assistant"}
_FOREIGN = {
    "thinking", "redacted_thinking", "reasoning", "reasoning_content", "function_call", "tool_call", "tool_call_chunk",
    "invalid_tool_call", "server_tool_call", "server_tool_result", "server_tool_use", "web_search_call",
    "code_interpreter_call", "non_standard",
}  # fmt: skip
"""Blocks that Chat Completions has no place for in a message; a turn is whole without them."""


def to_chat(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """The messages as Chat Completions writes them."""
    return [out for message in messages for out in _plain(message) or _blocks(message)]


def _plain(message: BaseMessage) -> list[dict[str, Any]]:
    """The short way for messages whose content is text; [] for the others."""
    if not isinstance(message.content, str):
        return []
    if isinstance(message, ToolMessage):
        return [{"role": "tool", "content": message.content, "tool_call_id": message.tool_call_id}]
    role = next((role for kind, role in _ROLES.items() if isinstance(message, kind)), None)
    if role is None:
        return []
    out: dict[str, Any] = {"role": role, "content": message.content}
    if message.name:
        out["name"] = message.name
    if isinstance(message, AIMessage):
        out |= _beside(message)
    if role == "assistant" and message.additional_kwargs.get("prefix") is True:
        out["prefix"] = True  # the beginning of the answer, as some providers want it marked
    return [out]


def _beside(message: AIMessage) -> dict[str, Any]:
    """What an answer has beside its text: its calls, with null for no text, or the words of spoken audio.

    A call in the form of before there were tools stays in it: its result follows as a message of the role `function`.
    The audio itself is known only to the server that made it.
    """
    called, spoken = (message.additional_kwargs.get(name) for name in ("function_call", "audio"))
    if message.tool_calls or message.invalid_tool_calls:
        return {"tool_calls": _calls(message), "content": message.content or None}
    if isinstance(called, Mapping) and called.get("name"):
        call = {"name": called["name"], "arguments": called.get("arguments") or "{}"}
        return {"function_call": call, "content": message.content or None}
    words = spoken.get("transcript") if isinstance(spoken, Mapping) and not message.content else None
    return {"content": words} if isinstance(words, str) else {}


def _calls(message: AIMessage) -> list[dict[str, Any]]:
    whole = [(c["id"], c["name"], json.dumps(c["args"], ensure_ascii=False)) for c in message.tool_calls]
    broken = [(c["id"], c["name"] or "", c["args"] or "") for c in message.invalid_tool_calls]
    return [
        {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id, name, arguments in whole + broken
    ]


def _blocks(message: BaseMessage) -> list[dict[str, Any]]:
    if isinstance(message.content, list):
        kept = [_named(b) for b in message.content if not (isinstance(b, dict) and b.get("type") in _FOREIGN)]
        message = message.model_copy(update={"content": kept})
    converted = convert_to_openai_messages([message], text_format="string")
    return converted if isinstance(converted, list) else [converted]


def _named(block: Any) -> Any:
    """A file that is sent inline needs a name; LangChain's blocks need none.

    A file that the server has already is sent by its id alone: langchain-core would add a made-up name.
    """
    if not isinstance(block, dict) or block.get("type") != "file":
        return block
    if id := block.get("file_id") or (block.get("source_type") == "id" and block.get("id")):
        return {"type": "file", "file": {"file_id": id}}
    return {"filename": "file", **block} if block.get("base64") or block.get("data") else block


def usage_metadata(usage: Usage) -> UsageMetadata:
    """LangChain's token counts; details that are zero are left out."""
    into, out = details(usage)
    metadata = UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
    )
    if into:
        metadata["input_token_details"] = InputTokenDetails(**into)  # type: ignore[typeddict-item]  # its own keys
    if out:
        metadata["output_token_details"] = OutputTokenDetails(**out)  # type: ignore[typeddict-item]  # its own keys
    return metadata


def message_from(delta: Delta, provider: str) -> AIMessage:
    """A whole reply as a message. LangChain gives it its id: servers repeat theirs, and graphs replace by id."""
    calls, broken = _parsed(delta.tool_calls)
    return AIMessage(
        content=delta.text,
        tool_calls=calls,
        invalid_tool_calls=broken,
        usage_metadata=usage_metadata(delta.usage) if delta.usage else None,
        additional_kwargs=_extras(delta),
        response_metadata=_metadata(delta, provider) | ({} if delta.cost is None else {"cost": float(delta.cost)}),
    )


class HeaderSource(Protocol):
    """A call under way, with the headers of its answer."""

    headers: dict[str, str]


def limits_in(headers: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The rate limits an answer tells of, as metadata under `headers`, where ChatOpenAI puts them too; {} for none."""
    kept = {name: value for name, value in headers.items() if "ratelimit" in name or "tokenlimit-" in name}
    return {"headers": kept} if kept else {}


class ChunkBuilder:
    """The message chunks of one streamed reply.

    Some providers repeat their counts, as they grow, with every chunk; LangChain adds up what chunks say,
    so that each chunk gets what is new.
    """

    def __init__(self, provider: str, source: HeaderSource | None = None) -> None:
        self._provider, self._source = provider, source
        self._used = Usage()
        self._ended = self._billed = self._headed = False
        self._tier, self._placed = "", False
        self._calls = CallPieces()

    def of(self, delta: Delta) -> AIMessageChunk:
        """The chunk. What is said of the reply as a whole comes with the terminal reason, the bill then or after."""
        return AIMessageChunk(
            content=delta.text,
            tool_call_chunks=[self._calls.of(piece) for piece in delta.tool_calls],
            usage_metadata=self._counts(delta.usage) if delta.usage else None,
            additional_kwargs=_extras(delta),
            response_metadata=self._metadata(delta),
        )

    def _counts(self, usage: Usage) -> UsageMetadata | None:
        new, self._used = usage.since(self._used), usage
        return usage_metadata(new) if new != Usage(service_tier=usage.service_tier) else None

    def _metadata(self, delta: Delta) -> dict[str, Any]:
        self._ended = self._ended or delta.finish is not None
        told = _metadata(delta, self._provider) if delta.finish else {}
        told.pop("service_tier", None)
        if (logprobs := _logprobs(delta)) is not None:
            told["logprobs"] = logprobs  # of each chunk's own tokens; LangChain joins them
        told |= self._served(delta)
        if delta.finish and not self._headed and self._source is not None:
            self._headed = True  # once: LangChain joins what chunks repeat
            told |= limits_in(self._source.headers)
        if delta.cost is not None and self._ended and not self._billed:
            self._billed, told["cost"] = True, float(delta.cost)
        return told

    def _served(self, delta: Delta) -> dict[str, str]:
        """The service tier, once: with the counts, which may come after the terminal reason and name another.

        One that has a price of its own is told with the terminal reason, for the counts may be left out.
        """
        word = delta.raw.get("service_tier")
        self._tier = word if isinstance(word, str) and word else self._tier
        due = self._ended and (delta.usage is not None or bool(service_tier(self._tier)))
        if self._placed or not due or not self._tier:
            return {}
        self._placed = True
        return {"service_tier": self._tier}


def _extras(delta: Delta) -> dict[str, Any]:
    extras = {"reasoning_content": delta.reasoning, "refusal": delta.refusal}
    return {name: text for name, text in extras.items() if text}


def _metadata(delta: Delta, provider: str) -> dict[str, Any]:
    stated = {
        "model_name": delta.model, "model_provider": provider, "finish_reason": delta.finish_raw, "id": delta.id,
        "system_fingerprint": delta.raw.get("system_fingerprint"), "service_tier": delta.raw.get("service_tier"),
        "logprobs": _logprobs(delta),
    }  # fmt: skip
    return {name: value for name, value in stated.items() if value not in (None, "")}


def _logprobs(delta: Delta) -> Any:
    choices = delta.raw.get("choices")
    return choices[0].get("logprobs") if choices else None


def _parsed(calls: Iterable[ToolCallDelta]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    whole: list[ToolCall] = []
    broken: list[InvalidToolCall] = []
    for call in calls:
        try:
            whole.append(tool_call(name=call.name, args=tool_arguments(call.arguments), id=call.id))
        except ValueError as error:
            broken.append(invalid_tool_call(name=call.name, args=call.arguments, id=call.id, error=str(error)))
    return whole, broken
