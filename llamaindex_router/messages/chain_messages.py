"""LlamaIndex messages for a LangChain chat model, and its replies as LlamaIndex responses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ContentBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from capability_router.endpoints.chain_usage import StreamUsage, cost_of, counted, states, with_cached
from capability_router.endpoints.usage import written_out
from capability_router.json_text import tool_arguments
from capability_router.request import Usage
from llamaindex_router.messages.chat_completions import message_dicts
from llamaindex_router.messages.tool_calls import arguments_of

_FINISHES = ("finish_reason", "stop_reason", "done_reason", "stopReason", "status")
_NAMES = ("model_name", "model")


def chain_messages(messages: Sequence[ChatMessage]) -> list[Any]:
    """The messages as LangChain messages; raises ValueError for content that has no common form."""
    from langchain_core.messages import convert_to_messages

    return convert_to_messages([_with_mappings(told) for told in message_dicts(messages)])


def _with_mappings(told: dict[str, Any]) -> dict[str, Any]:
    """The message with its calls' arguments as the agent reads them; langchain-core raises for a text that is no JSON.

    A broken call must not end the conversation: the model is about to be told of its mistake.
    """
    for call in told.get("tool_calls", ()):
        call["function"]["arguments"] = arguments_of(call["function"]["arguments"])
    return told


def response_of(message: Any, delta: Any = None, tally: StreamUsage | None = None) -> ChatResponse:
    """A LangChain reply (so far) as a response; `delta` is the newest chunk of a stream, `tally` reads its counts."""
    calls = list(_calls(message))
    thinking = _reasoning(message)
    blocks: list[ContentBlock] = [ThinkingBlock(content=thinking)] if thinking else []
    blocks.append(TextBlock(text=_text(message)))
    blocks += [ToolCallBlock(tool_call_id=c["id"], tool_name=c["function"]["name"], tool_kwargs=args)
               for c, args in calls]  # fmt: skip
    kwargs = {"tool_calls": [call for call, _ in calls]} if calls else {}
    newest = _reasoning(delta) if delta is not None else ""
    return ChatResponse(
        message=ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=kwargs),
        delta=None if delta is None else _text(delta),
        raw=_raw(message if delta is None else delta, message.usage_metadata, _tallied(delta, tally)),
        additional_kwargs={"thinking_delta": newest} if newest else {},
    )


def _text(message: Any) -> str:
    if isinstance(message.content, str):
        return message.content
    parts = (b if isinstance(b, str) else b.get("text", "") for b in message.content if _is_text(b))
    return "".join(parts)


def _is_text(block: Any) -> bool:
    return isinstance(block, str) or (isinstance(block, Mapping) and block.get("type") == "text")


def _reasoning(message: Any) -> str:
    """The model's reasoning, from wherever its package puts it."""
    kept = message.additional_kwargs.get("reasoning_content")
    if isinstance(kept, str):
        return kept
    blocks = message.content if isinstance(message.content, list) else []
    found = (b.get("thinking") or b.get("reasoning") for b in blocks if isinstance(b, Mapping))
    return "".join(text for text in found if isinstance(text, str))


def _calls(message: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    """Each call in Chat Completions form, with its arguments as a mapping, or as text if they are broken.

    A message merged from chunks has repaired arguments; its `tool_call_chunks` have the original ones.
    """
    pieces = getattr(message, "tool_call_chunks", None)
    if pieces:
        for piece in pieces:
            text = piece["args"] or ""
            function = {"name": piece["name"] or "", "arguments": text}
            yield {"id": piece["id"], "type": "function", "function": function}, _mapping(text)
        return
    whole = [(c.get("id"), c["name"], c["args"]) for c in message.tool_calls]
    broken = [(c.get("id"), c.get("name") or "", c.get("args") or "") for c in message.invalid_tool_calls]
    for id, name, args in (*whole, *broken):
        text = args if isinstance(args, str) else json.dumps(args)
        yield {"id": id, "type": "function", "function": {"name": name, "arguments": text}}, args


def _tallied(delta: Any, tally: StreamUsage | None) -> Usage | None:
    """The counts so far, if LangChain's sum over the chunks is wrong."""
    if tally is None or delta is None:
        return None
    if delta.usage_metadata and states(now := counted(delta.usage_metadata)):
        tally.take(now)
    return tally.usage if tally.again else None


def _mapping(text: str) -> Any:
    """The arguments as a mapping; the text itself while it is incomplete."""
    try:
        return tool_arguments(text)
    except ValueError:
        return text


def _raw(message: Any, used: Mapping[str, Any] | None, tallied: Usage | None) -> dict[str, Any]:
    """The data that token counters and tracers read: the model, the terminal reason, the tokens so far."""
    told: Mapping[str, Any] = message.response_metadata
    raw = {
        "model": next((str(told[name]) for name in _NAMES if told.get(name)), None),
        "finish_reason": next((str(told[name]) for name in _FINISHES if told.get(name)), None),
        "usage": _usage(used, told, tallied),
    }
    return {**told, **{name: value for name, value in raw.items() if value is not None}}


def _usage(
    used: Mapping[str, Any] | None, told: Mapping[str, Any], tallied: Usage | None
) -> dict[str, Any] | None:  # fmt: skip
    """The counts so far, with the provider's own bill if there is one; 0 for an answer from a cache."""
    if not used:
        return None
    kept, usage = used.get("total_cost") == 0, tallied or counted(used)
    if not kept and not states(usage):
        return None
    bill = 0 if kept else cost_of(told, {}, stream=False)
    return {**written_out(with_cached(usage, told) or usage), **({} if bill is None else {"cost": float(bill)})}
