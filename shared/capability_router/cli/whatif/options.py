"""What `explain` is asked about: a prompt or messages, tools, a schema and attached files, as a Request."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from capability_router.errors import ConfigError
from capability_router.json_text import parsed
from capability_router.nearest import nearest
from capability_router.request import Request
from capability_router.tokens.attached import AttachedPart, attached

_CHOICES = ("auto", "none", "any", "required")
MOST_BYTES = 64 << 20
"""Of an attached file."""
_NOT_FETCHED = ("http://", "https://", "data:", "gs://", "s3://")
_BLOCKS: dict[str, Callable[[str], dict[str, Any]]] = {
    "image": lambda url: {"type": "image_url", "image_url": {"url": url}},
    "pdf": lambda url: {"type": "file", "file": {"file_data": url}},
    "audio": lambda url: {"type": "input_audio", "input_audio": {"data": url}},
}
_KINDS = {"image": "PNG, JPEG, GIF or WebP", "pdf": "PDF"}


def asked(
    prompt: str | None, messages: Path | None, *, tools: Path | None, schema: Path | None,
    attachments: Mapping[str, Any], tokens: int | None, options: Mapping[str, Any],
) -> Request:  # fmt: skip
    """The request of these options. `attachments`: by kind, files, URLs or counts; `options`: keywords of the call.

    Raises ConfigError for a file that can't be read or is no such thing, in a sentence.
    """
    from capability_router.endpoints.chat import request_from_chat

    chat = _chat(
        prompt, messages, [block for kind in _BLOCKS for block in _attached(kind, attachments.get(kind) or ())]
    )
    keywords = dict(options)
    if schema is not None:
        told = _json("--schema", schema, "a JSON schema, which is an object")
        if not isinstance(told, dict):
            raise ConfigError(f"--schema {schema}: it must hold a JSON schema, which is an object, not {_named(told)}")
        keywords["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": told}}
    given = tools_of(tools)
    _choice(keywords.get("tool_choice"), given)
    request = request_from_chat(chat, tools=given, **keywords)
    return request if tokens is None else replace(request, input_tokens=tokens)


def tools_of(path: Path | None) -> list[dict[str, Any]]:
    """The tools in a file. Raises ConfigError that names the first that is none, and why."""
    if path is None:
        return []
    wanted = "a JSON list of tools, as Chat Completions or a LangChain model takes them"
    tools = _json("--tools", path, wanted)
    if not isinstance(tools, list):
        raise ConfigError(f"--tools {path}: it must hold {wanted}, not {_named(tools)}")
    for number, tool in enumerate(tools, 1):
        fault = _fault(tool)
        if fault:
            raise ConfigError(f"--tools {path}: tool {number} of {len(tools)} {fault}; it must hold {wanted}")
    return tools


def _choice(name: str | None, tools: list[dict[str, Any]]) -> None:
    """Raises ConfigError where a tool must be called that is not offered."""
    if name is None or name in _CHOICES:
        return
    offered = [str((tool.get("function") or tool).get("name") or tool.get("type")) for tool in tools]
    if name not in offered:
        has = ", ".join(offered) or "none"
        raise ConfigError(f"--tool-choice {name}: no such tool{nearest(name, offered, '')}; --tools has {has}")


def _fault(tool: object) -> str:
    """Why this is no tool; "" = it is one. A provider's own, such as a web search, has a type and no name."""
    if not isinstance(tool, dict):
        return f"is {_named(tool)}, no object"
    function = tool.get("function")
    if tool.get("type") == "function" and not isinstance(function, dict) and not tool.get("name"):
        return 'has the type "function" and no object "function" with a name'
    holder = function if isinstance(function, dict) else tool
    name = holder.get("name")
    if not isinstance(name, str) or not name:
        provided = isinstance(tool.get("type"), str) and tool["type"] != "function"
        return "" if provided else "has no name"
    schema = holder.get("parameters", holder.get("input_schema"))
    return (
        ""
        if schema is None or isinstance(schema, dict)
        else f"({name}) has parameters that are {_named(schema)}, no object"
    )


def _chat(prompt: str | None, messages: Path | None, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if (prompt is None) == (messages is None):
        raise ConfigError('say what is asked: PROMPT ("-" reads it from standard input), or --messages FILE; not both')
    if messages is None:
        text = sys.stdin.read() if prompt == "-" else prompt or ""
        content = [{"type": "text", "text": text}, *blocks] if blocks else text
        return [{"role": "user", "content": content}]
    chat = _json("--messages", messages, "a JSON list of messages")
    if not isinstance(chat, list) or not all(isinstance(each, dict) and each.get("role") for each in chat) or not chat:
        raise ConfigError(f"--messages {messages}: it must hold a JSON list of messages with a role and content")
    return [*chat, {"role": "user", "content": blocks}] if blocks else chat


def _attached(kind: str, told: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The blocks of a file, of a URL (which is not fetched), of so many parts of unknown size."""
    for word in told:
        if word.isdecimal():
            yield from [_BLOCKS[kind]("")] * int(word[:4])
        else:
            yield _BLOCKS[kind](word if word.startswith(_NOT_FETCHED) else _data(kind, Path(word)))


def _data(kind: str, path: Path) -> str:
    """A file as a data URL."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"--{kind} {path}: larger than {MOST_BYTES >> 20} MB, which no provider takes")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"--{kind} {path}: {error.strerror or error}; give a file, a URL, or how many there are"
        ) from error
    if kind in _KINDS and not _is_one(kind, data, attached(kind, data)):
        raise ConfigError(f"--{kind} {path}: no {_KINDS[kind]} file")
    kinds = {"image": "image/png", "pdf": "application/pdf", "audio": "audio/wav"}
    return f"data:{kinds[kind]};base64,{base64.b64encode(data).decode('ascii')}"


def _is_one(kind: str, data: bytes, found: AttachedPart) -> bool:
    return data[:5] == b"%PDF-" if kind == "pdf" else bool(found.width and found.height)


def _json(option: str, path: Path, wanted: str) -> Any:
    try:
        return parsed(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        raise ConfigError(f"{option} {path}: {told}; give a file with {wanted}") from error


def _named(value: object) -> str:
    """What JSON calls it."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
