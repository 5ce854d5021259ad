"""Makes the core's Request from a Chat Completions call, for use without a framework."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from capability_router.errors import ConfigError
from capability_router.request import Need, Request, has_api_key, requested_answers, requested_service_tier
from capability_router.routing import RoutingTerms, current_routing
from capability_router.strings import strings
from capability_router.tokens.attached import AttachedPart, attached_block

_TERMS = frozenset(RoutingTerms.__annotations__)
_MEDIA = {
    "image_url": "image", "input_image": "image", "image": "image", "input_audio": "audio", "audio_url": "audio",
    "file": "pdf", "input_file": "pdf", "video_url": "video", "input_video": "video",
}  # fmt: skip
_MEDIA_NEEDS = {
    "image": Need.IMAGE_INPUTS, "pdf": Need.PDF_INPUTS, "audio": Need.AUDIO_INPUTS, "video": Need.VIDEO_INPUTS,
}  # fmt: skip
_FORMAT_NEEDS = {"json_object": Need.JSON_MODE, "json_schema": Need.STRUCTURED_OUTPUT}
_FREE_CHOICES = (None, "auto", "none")
_NO_REASONING = (None, "none", False)


def request_from_chat(
    messages: str | Sequence[Mapping[str, Any]], *, tools: Sequence[Mapping[str, Any]] = (),
    tool_choice: str | Mapping[str, Any] | None = None, response_format: Mapping[str, Any] | None = None,
    stream: bool = False, **options: Any,
) -> Request:  # fmt: skip
    """The Request of a Chat Completions call; a string stands for one user message.

    The terms of `routing(...)` (tenant, task, tags, pin, deadline_s, ...) are taken out of `options` and override
    the current ones; everything else is sent unchanged. `payload` is the request's body. Raises ConfigError for invalid
    messages and routing terms of a wrong type.
    """
    chat, offered = _checked(messages), _offered(tools)
    terms = {name: options.pop(name) for name in _TERMS & options.keys()}
    stated: dict[str, Any] = {"tools": offered, "tool_choice": tool_choice, "response_format": response_format}
    body = {"messages": chat, **{name: value for name, value in stated.items() if value}, **options}
    attached = tuple(part for message in chat for part in _media(message.get("content")))
    media = tuple(part.kind for part in attached)
    follows = _follows(chat)
    return Request(
        texts=tuple(" ".join(_texts(message)) for message in chat),
        needs=_needs(body, media, stream=stream),
        media=media,
        attached=attached,
        tools=json.dumps(offered) if offered else "",
        tool_names=tuple(_tool_name(tool) for tool in offered),
        max_tokens=_max_tokens(options),
        service=requested_service_tier(options),
        answers=requested_answers(options),
        own_key=has_api_key(options),
        stream=stream,
        turns=sum(message.get("role") == "user" for message in chat) or 1,
        in_tool_loop=bool(follows),
        follows=follows,
        routing=current_routing().merged(terms),
        payload=body,
        roles=tuple(str(message.get("role", "user")) for message in chat),
        beside=_beside(chat, body),
    )


def _checked(messages: str | Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    chat = list(messages) if isinstance(messages, Iterable) else []
    if not chat or not all(isinstance(message, Mapping) and message.get("role") for message in chat):
        raise ConfigError("messages must be a string, or a list of mappings with a role and content, at least one")
    return chat


def _offered(tools: Any) -> list[Mapping[str, Any]]:
    offered = list(tools or ()) if isinstance(tools, Iterable) or not tools else [tools]
    if not all(isinstance(tool, Mapping) for tool in offered):
        raise ConfigError("tools must be a list of mappings, as Chat Completions takes them")
    return offered


def _needs(body: Mapping[str, Any], media: tuple[str, ...], *, stream: bool) -> Need:
    needs = Need.STREAMING if stream else Need.NONE
    for kind in media:
        needs |= _MEDIA_NEEDS[kind]
    if body.get("tools") or body.get("functions"):
        needs |= Need.TOOL_CALLING
        if body.get("tool_choice") not in _FREE_CHOICES:
            needs |= Need.TOOL_CHOICE
    wanted = body.get("response_format")
    if isinstance(wanted, Mapping):
        needs |= _FORMAT_NEEDS.get(str(wanted.get("type")), Need.NONE)
    if body.get("reasoning_effort") not in _NO_REASONING:
        needs |= Need.REASONING_OUTPUT
    return needs


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in _parts(message):
        text = part.get("text") if isinstance(part, Mapping) else part
        if isinstance(text, str):
            yield text
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        yield f"{function.get('name', '')} {function.get('arguments', '')}"


_READ = frozenset({"role", "content", "tool_calls"})  # of a message, and the texts of its parts
_NEVER_SAID = frozenset({"messages", "tools", "model", "api_key", "extra_headers"})


def _beside(chat: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> tuple[str, ...]:
    """All texts that are sent beside messages and tools; for most calls none."""
    others: list[Any] = [_unread(part) for message in chat for part in _parts(message)]
    others += [_without(message, _READ) for message in chat if not _READ.issuperset(message)]
    if not _NEVER_SAID.issuperset(body):
        others.append(_without(body, _NEVER_SAID))
    return tuple(strings(others)) if others else ()


def _unread(part: Any) -> Any:
    return _without(part, ("text",)) if isinstance(part, Mapping) else None


def _without(whole: Mapping[str, Any], names: Container[str]) -> dict[str, Any]:
    return {name: each for name, each in whole.items() if name not in names}


def _parts(message: Mapping[str, Any]) -> Sequence[Any]:
    content = message.get("content")
    return content if isinstance(content, (list, tuple)) else ()


def _media(content: Any) -> Iterator[AttachedPart]:
    for part in content if isinstance(content, (list, tuple)) else ():
        if isinstance(part, Mapping) and part.get("type") in _MEDIA:
            yield attached_block(_kind(part), part)


def _kind(part: Mapping[str, Any]) -> str:
    """The kind of an attached part; for a file by its data URL, else "pdf"."""
    kind = _MEDIA[part["type"]]
    held = part.get("file")
    data = held.get("file_data") if isinstance(held, Mapping) else None
    if kind == "pdf" and isinstance(data, str) and data.startswith("data:"):
        major = data[5:].partition("/")[0]
        return major if major in _MEDIA_NEEDS else kind
    return kind


def _follows(chat: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The ids of the tool calls whose results end the conversation."""
    ids: list[str] = []
    for message in reversed(chat):
        if message.get("role") not in ("tool", "function"):
            break
        ids.append(str(message.get("tool_call_id") or message.get("name") or ""))
    return tuple(reversed(ids))


def _tool_name(tool: Mapping[str, Any]) -> str:
    function = tool.get("function")
    return str((function if isinstance(function, Mapping) else tool).get("name", ""))


def _max_tokens(options: Mapping[str, Any]) -> int | None:
    stated = (options.get(name) for name in ("max_completion_tokens", "max_tokens"))
    return next((n for n in stated if isinstance(n, int) and n > 0), None)
