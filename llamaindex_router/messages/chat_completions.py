"""Converts LlamaIndex messages and tools to Chat Completions form, and its answers to LlamaIndex responses."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
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

from capability_router.endpoints.reply_assembler import ReplyAssembler
from capability_router.endpoints.strict_schema import strict_form
from capability_router.endpoints.wire import Delta
from capability_router.request import Finish
from llamaindex_router.errors import AnswerWithheld
from llamaindex_router.messages.tool_calls import tool_calls_of
from llamaindex_router.messages.usage import finish_of, refuses

_ROLES = {MessageRole.CHATBOT: "assistant", MessageRole.MODEL: "assistant", MessageRole.FUNCTION: "tool"}
_UNSENT = ("thinking", "cache", "tool_call")  # another provider's own, or sent beside the content


def message_dicts(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """The messages as the body's `messages`; raises ValueError for content that the format can't express.

    The format takes only text in the message of a tool. What else tools returned follows the last of their messages, as
    a user's: no message may come between a call and its results.
    """
    told: list[dict[str, Any]] = []
    for of_tools, run in groupby(map(_message, messages), _of_tool):
        together = list(run)
        told += together
        if of_tools and (returned := [part for message in together for part in _taken_out(message)]):
            told.append({"role": "user", "content": returned})
    return told


def _of_tool(message: Mapping[str, Any]) -> bool:
    return bool(message["role"] == "tool")


def _taken_out(message: dict[str, Any]) -> list[dict[str, Any]]:
    """What a tool's message holds beside text. It keeps the text."""
    content = message["content"]
    if not _of_tool(message) or isinstance(content, str):
        return []
    message["content"] = _joined(part for part in content if part["type"] == "text")
    return [part for part in content if part["type"] != "text"]


def _message(message: ChatMessage) -> dict[str, Any]:
    told: dict[str, Any] = {"role": _ROLES.get(message.role, message.role.value), "content": _content(message.blocks)}
    if told["role"] == "tool" or "tool_call_id" in message.additional_kwargs:
        told["tool_call_id"] = message.additional_kwargs.get("tool_call_id", "")
    calls = tool_calls_of(message) if told["role"] == "assistant" else []
    if calls:
        told["tool_calls"] = [_call(call.id, call.name, call.arguments) for call in calls]
        told["content"] = told["content"] or None
    if told["role"] == "assistant" and message.additional_kwargs.get("prefix") is True:
        told["prefix"] = True  # the beginning of the answer, as some providers want it marked
    return told


def _call(id: str, name: str, arguments: Any) -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return {"id": id, "type": "function", "function": {"name": name, "arguments": text or "{}"}}


def _content(blocks: Sequence[Any]) -> Any:
    parts = [part for block in blocks if block.block_type not in _UNSENT for part in _parts(block)]
    return _joined(parts) if all(part["type"] == "text" for part in parts) else parts


def _joined(texts: Iterable[Mapping[str, Any]]) -> str:
    return "\n".join(part["text"] for part in texts)


def _parts(block: Any) -> list[dict[str, Any]]:
    kind = block.block_type
    if kind == "text":
        return [{"type": "text", "text": block.text}]
    if kind in ("citable", "citation"):
        inner = block.content if kind == "citable" else [block.cited_content]
        return [part for nested in inner for part in _parts(nested)]
    write = _WRITERS.get(kind)
    if write is None:
        raise ValueError(f"Unsupported content block type: {type(block).__name__}")
    return [write(block)]


def _image(block: Any) -> dict[str, Any]:
    url = str(block.url) if block.url else _data_url(block.resolve_image(), block.image_mimetype or "image/png")
    detail = {"detail": block.detail} if block.detail else {}
    return {"type": "image_url", "image_url": {"url": url, **detail}}


def _audio(block: Any) -> dict[str, Any]:
    data = base64.b64encode(block.resolve_audio().read()).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": block.format or "wav"}}


def _video(block: Any) -> dict[str, Any]:
    url = str(block.url) if block.url else _data_url(block.resolve_video(), block.video_mimetype or "video/mp4")
    return {"type": "video_url", "video_url": {"url": url}}


def _document(block: Any) -> dict[str, Any]:
    url = _data_url(block.resolve_document(), block.document_mimetype or "application/pdf")
    return {"type": "file", "file": {"filename": block.title or "document", "file_data": url}}


_WRITERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "image": _image, "audio": _audio, "video": _video, "document": _document,
}  # fmt: skip


def _data_url(data: Any, mimetype: str) -> str:
    return f"data:{mimetype};base64,{base64.b64encode(data.read()).decode()}"


def response_of(assembly: ReplyAssembler, delta: Delta, *, stream: bool) -> ChatResponse:
    """The reply so far: the message contains all text so far, `delta` only this chunk's."""
    reasoning, calls = assembly.reasoning, [call.to_dict() for call in assembly.calls]
    blocks: list[ContentBlock] = [ThinkingBlock(content=reasoning)] if reasoning else []
    blocks.append(TextBlock(text=assembly.reply().text))
    for call in calls:
        function = call["function"]
        blocks.append(
            ToolCallBlock(tool_call_id=call["id"], tool_name=function["name"], tool_kwargs=function["arguments"] or {})
        )
    thinking = {"thinking_delta": delta.reasoning} if stream and delta.reasoning else {}
    return ChatResponse(
        message=ChatMessage(
            role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs={"tool_calls": calls} if calls else {}
        ),
        delta=delta.text if stream else None,
        raw=dict(delta.raw),
        additional_kwargs={**_counts(delta), **thinking},
    )


def _counts(delta: Delta) -> dict[str, int]:
    used = delta.usage
    if used is None:
        return {}
    total = used.input_tokens + used.output_tokens
    return {"prompt_tokens": used.input_tokens, "completion_tokens": used.output_tokens, "total_tokens": total}


def tool_choice(choice: Any, *, required: bool) -> Any:
    """The format's `tool_choice` for a tool's name, 'auto', 'none', 'required' or a mapping."""
    if choice is None:
        return "required" if required else "auto"
    if isinstance(choice, str) and choice not in ("auto", "none", "required", "any"):
        return {"type": "function", "function": {"name": choice}}
    return "required" if choice == "any" else choice


def json_schema(output_cls: type[Any], *, strict: bool) -> Mapping[str, Any]:
    """The `response_format` that asks for an object of this class; `strict`: in the strict form if it has one."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in output_cls.__name__)
    schema = output_cls.model_json_schema()
    closed = strict_form(schema) if strict else None
    told = {"schema": schema} if closed is None else {"schema": closed, "strict": True}
    return {"type": "json_schema", "json_schema": {"name": name, **told}}


def object_of(response: ChatResponse, output_cls: type[Any]) -> Any:
    """The answer as an object. Raises ValidationError, or AnswerWithheld if the model refused or was filtered."""
    finish = finish_of(response.raw)
    filtered = finish is Finish.CONTENT_FILTER
    if filtered or finish is Finish.REFUSAL or refuses(response.raw):
        raise AnswerWithheld(filtered=filtered)
    return output_cls.model_validate_json(response.message.content or "")
