"""Converts a LangChain call to the core's Request. It reads messages and call keywords and does not change them.

Content blocks come in LangChain's own form (v0 and v1) and in the shapes of OpenAI (Chat Completions
and Responses), Anthropic, Google and Bedrock; all are told apart by `type` and MIME type alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from capability_router.catalog.card import ModelCard
from capability_router.request import Need, Request, has_api_key, requested_answers, requested_service_tier
from capability_router.routing import Routing
from capability_router.tokens.attached import AttachedPart, attached_block
from langchain_router.bindings import StructuredBinding, ToolBinding, describe_tools
from langchain_router.call import ChatCall
from langchain_router.messages.kinds import is_ai, is_human, is_tool
from langchain_router.messages.other_texts import beside
from langchain_router.messages.provider_tools import provider_tools
from langchain_router.partners.dialects import MAX_TOKENS

_KINDS = {
    "image": "image", "image_url": "image", "input_image": "image",
    "audio": "audio", "input_audio": "audio",
    "video": "video", "video_url": "video", "input_video": "video",
    "file": "pdf", "input_file": "pdf", "document": "pdf", "pdf": "pdf", "media": "pdf",
}  # fmt: skip
# A file without a stated type is taken for a PDF, the only kind that every file part may hold.
_BY_MIME = (("image/", "image"), ("audio/", "audio"), ("video/", "video"), ("text/", ""), ("application/pdf", "pdf"))
_MEDIA_NEEDS = {
    "image": Need.IMAGE_INPUTS, "pdf": Need.PDF_INPUTS, "audio": Need.AUDIO_INPUTS, "video": Need.VIDEO_INPUTS,
}  # fmt: skip
_TEXT_KEYS = ("text", "thinking", "reasoning", "refusal")
_FREE_CHOICES = (None, "auto", "none", "", False)
_NO_REASONING = (None, "", "none", False, 0)


def to_request(
    call: ChatCall, routing: Routing, cards: Sequence[ModelCard], *, shown_live: bool = False, screens: bool = False
) -> Request:
    """The core's Request for a call. `shown_live`: callbacks show its answer while it is made.

    `screens`: a screen will check the request, so all texts that are sent are needed.
    """
    texts, attached, roles = _read(call.messages)
    media = tuple([part.kind for part in attached]) if attached else ()
    tools = call.tools
    schemas, names = _tools(call, tools)
    follows, keywords = _follows(call.messages), _keywords(call)
    return Request(
        texts=texts,
        needs=_needs(call, media, cards),
        media=media,
        attached=attached,
        tools=schemas,
        tool_names=names,
        provider_tools=provider_tools(tools) if tools else (),
        max_tokens=_max_tokens(call, keywords),
        service=requested_service_tier(keywords) if keywords else "",
        answers=requested_answers(keywords) if keywords else None,
        own_key=has_api_key(keywords) if keywords else False,
        stream=call.mode != "invoke",
        resumable=call.mode != "invoke" and not isinstance(call.bound, StructuredBinding),
        turns=[is_human(type(m)) for m in call.messages].count(True) or 1,
        in_tool_loop=bool(follows),
        follows=follows,
        answered_by=_answered_by(call.messages),
        routing=routing,
        shown_live=shown_live,
        model=str(call.kwargs.get("model") or ""),
        payload=call,
        roles=roles,
        beside=_beside(call, keywords) if screens else (),
    )


def _read(messages: Iterable[BaseMessage]) -> tuple[tuple[str, ...], tuple[AttachedPart, ...], tuple[str, ...]]:
    texts: list[str] = []
    media: list[AttachedPart] = []
    roles: list[str] = []
    for message in messages:
        roles.append(message.type)
        content = message.content
        if isinstance(content, str):
            texts.append(content)
        else:
            texts.append(" ".join(_walk(content, media)))
        if is_ai(type(message)) and message.tool_calls:  # type: ignore[attr-defined]  # a model's message
            texts.append(" ".join(f"{tool['name']} {tool['args']}" for tool in message.tool_calls))  # type: ignore[attr-defined]  # likewise
            roles.append(message.type)
    return tuple(texts), tuple(media), tuple(roles)


def _walk(blocks: Iterable[Any], media: list[AttachedPart]) -> Iterator[str]:
    """The texts of content blocks; the others are added to `media`."""
    for block in blocks:
        if isinstance(block, str):
            yield block
        elif isinstance(block, Mapping):
            kind = media_kind(block)
            if kind:
                media.append(attached_block(kind, block))
            nested = block.get("content")
            if isinstance(nested, list):
                yield from _walk(nested, media)
            yield from (text for key in _TEXT_KEYS if isinstance(text := block.get(key), str))


def media_kind(block: Mapping[str, Any]) -> str:
    """'image', 'pdf', 'audio', 'video', or '' for a block that is no attachment."""
    named = block.get("type") or (next(iter(block)) if len(block) == 1 else "")  # Bedrock: {"image": {...}}
    kind = _KINDS.get(named, "") if isinstance(named, str) else ""
    if not kind:
        return ""
    mime = _mime(block)
    return next((by for prefix, by in _BY_MIME if mime.startswith(prefix)), kind)


def _mime(block: Mapping[str, Any]) -> str:
    """The MIME type that the block states, at any of the places where one may stand; '' = none."""
    held = (block.get(key) for key in ("source", "file", "image_url", "video_url"))
    for part in (block, *(part for part in held if isinstance(part, Mapping))):
        for key in ("mime_type", "media_type", "mimeType"):
            if isinstance(part.get(key), str):
                return str(part[key])
        if part.get("type") == "text":  # Anthropic: a document given as plain text
            return "text/plain" if part is not block else ""
        urls = (part.get(key) for key in ("url", "file_data", "image_url", "data"))
        data = next((url for url in urls if isinstance(url, str) and url.startswith("data:")), None)
        if data:
            return data[5:].partition(";")[0]
    return ""


def _tools(call: ChatCall, tools: Sequence[Any]) -> tuple[str, tuple[str, ...]]:
    if call.bound is not None:
        return call.bound.described
    return describe_tools(tools) if tools else ("", ())


def _beside(call: ChatCall, keywords: Mapping[str, Any]) -> tuple[str, ...]:
    """All other texts that are sent. Only without a binding were the call's own `tools` read as tools before."""
    read = _TEXT_KEYS if call.bound is not None else (*_TEXT_KEYS, "tools")
    return beside(call.messages, keywords, read)


def _follows(messages: Sequence[BaseMessage]) -> tuple[str, ...]:
    """The ids of the tool calls whose results end the conversation."""
    ids: list[str] = []
    for message in reversed(messages):
        if not is_tool(type(message)):
            break
        ids.append(message.tool_call_id)  # type: ignore[attr-defined]  # a tool's message
    return tuple(reversed(ids))


def _answered_by(messages: Sequence[BaseMessage]) -> str:
    """The candidate that gave the last answer, as the router wrote it there; '' = none did, or another model."""
    for message in reversed(messages):
        if is_ai(type(message)):
            told = message.response_metadata.get("router")
            return str(told.get("model") or "") if isinstance(told, Mapping) else ""
    return ""


def _max_tokens(call: ChatCall, keywords: Mapping[str, Any]) -> int | None:
    if not keywords:
        return call.max_tokens
    stated = (keywords.get(name) for name in MAX_TOKENS)
    found = next((n for n in stated if isinstance(n, int) and n > 0), None)
    return found or call.max_tokens


def _keywords(call: ChatCall) -> Mapping[str, Any]:
    return call.kwargs if call.bound is None else {**getattr(call.bound, "kwargs", {}), **call.kwargs}


def _needs(call: ChatCall, media: tuple[str, ...], cards: Sequence[ModelCard]) -> Need:
    needs = Need.NONE if call.mode == "invoke" else Need.STREAMING
    if not (call.kwargs or call.bound or media):  # as most calls are; to join flags is slow
        return needs
    for kind in media:
        needs |= _MEDIA_NEEDS[kind]
    options = {**call.bound.kwargs, **call.kwargs} if isinstance(call.bound, ToolBinding) else call.kwargs
    if (isinstance(call.bound, ToolBinding) and call.bound.tools) or options.get("tools"):
        needs |= Need.TOOL_CALLING
        if options.get("tool_choice") not in _FREE_CHOICES:
            needs |= Need.TOOL_CHOICE
    needs |= _format_need(options.get("response_format"))
    if isinstance(call.bound, StructuredBinding):
        needs |= _schema_need(call.bound, cards)
    if _reasons(options):
        needs |= Need.REASONING_OUTPUT
    return needs


def _format_need(response_format: Any) -> Need:
    if response_format is None:
        return Need.NONE
    kind = response_format.get("type") if isinstance(response_format, Mapping) else None
    return {"text": Need.NONE, "json_object": Need.JSON_MODE}.get(kind or "", Need.STRUCTURED_OUTPUT)


def _schema_need(bound: StructuredBinding, cards: Sequence[ModelCard]) -> Need:
    by_method = {"function_calling": Need.TOOL_CALLING, "json_mode": Need.JSON_MODE}
    need = by_method.get(bound.method or "", Need.STRUCTURED_OUTPUT)
    if bound.method is None and all(card.cannot & Need.STRUCTURED_OUTPUT for card in cards):
        need = Need.TOOL_CALLING  # the packages of such models ask for a schema by a forced tool call
    return need | Need.TOOL_CALLING if bound.kwargs.get("tools") else need


def _reasons(options: Mapping[str, Any]) -> bool:
    if options.get("reasoning_effort") not in _NO_REASONING or options.get("thinking_budget") not in _NO_REASONING:
        return True
    reasoning, thinking = options.get("reasoning"), options.get("thinking")
    if isinstance(reasoning, Mapping):
        return reasoning.get("effort", "medium") not in _NO_REASONING
    if isinstance(thinking, Mapping):
        return thinking.get("type") not in (None, "disabled")
    return bool(reasoning) or bool(thinking)
