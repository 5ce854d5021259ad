"""A Chat Completions request as the simulator reads it; what is malformed is refused as OpenAI would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from capability_router.simulator.http.error_reply import bad_request
from capability_router.simulator.seeded_random import digest
from capability_router.simulator.tokens import MEDIA_TOKENS, PER_MESSAGE, compact, text_tokens

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_MEDIA = {"image_url": "image", "input_audio": "audio", "file": "pdf"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its texts joined, the kinds of its attached parts, the names of the tools it calls."""

    role: str
    text: str
    media: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that is offered."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked. `tool_choice` is "none", "auto", "required" or a tool's name; `form` the type of the
    response format ("text", "json_object", "json_schema"); `key` a hash of the messages."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    parallel: bool = True
    form: str = "text"
    schema: Mapping[str, Any] | None = None
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    user: str = ""
    reasoning_effort: str | None = None
    extra_tokens: int = 0
    key: str = field(default="", compare=False)

    @property
    def media(self) -> frozenset[str]:
        """The kinds of attached parts: image, audio, pdf."""
        return frozenset(kind for message in self.messages for kind in message.media)

    @property
    def input_tokens(self) -> int:
        """Tokens of messages, tools and response schema, by the simulator's rule."""
        return self.extra_tokens + sum(message.tokens for message in self.messages)

    @property
    def since_user(self) -> tuple[Message, ...]:
        """The messages after the last user message."""
        last = max((i for i, m in enumerate(self.messages) if m.role == "user"), default=-1)
        return self.messages[last + 1 :]

    @property
    def last_user(self) -> str:
        """The text of the last user message, else of the last message."""
        texts = [m.text for m in self.messages if m.role == "user"]
        return texts[-1] if texts else self.messages[-1].text


def parse_prompt(body: Mapping[str, Any]) -> Prompt:
    """The request's meaning; raises Refusal (400) for what is malformed."""
    messages = _messages(body.get("messages"))
    tools = tuple(_tool(i, t) for i, t in enumerate(_listed(body, "tools")))
    form, schema = _format(body.get("response_format"))
    stream_options = body.get("stream_options") or {}
    if body.get("n") not in (None, 1):
        raise bad_request("Only n=1 is supported by this server.", "n")
    return Prompt(
        model=str(body.get("model") or ""), messages=messages, tools=tools,
        tool_choice=_choice(body.get("tool_choice"), tools), parallel=body.get("parallel_tool_calls") is not False,
        form=form, schema=schema, stream=bool(body.get("stream")),
        include_usage=bool(stream_options.get("include_usage")), max_tokens=_max_tokens(body),
        stop=_stop(body.get("stop")), user=str(body.get("user") or ""), reasoning_effort=body.get("reasoning_effort"),
        extra_tokens=_schema_tokens(tools) + (text_tokens(compact(schema)) if schema else 0),
        key=digest(*(f"{m.role}:{m.text}" for m in messages)),
    )  # fmt: skip


def _schema_tokens(tools: tuple[Tool, ...]) -> int:
    return sum(text_tokens(t.name + t.description + compact(t.parameters)) for t in tools)


def _listed(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name) or []
    if not isinstance(value, list):
        raise bad_request(f"Invalid type for '{name}': expected an array.", name)
    return value


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise bad_request("Missing required parameter: 'messages' must be a non-empty array.", "messages")
    return tuple(_message(i, m) for i, m in enumerate(value))


def _message(index: int, value: Any) -> Message:
    role = value.get("role") if isinstance(value, Mapping) else None
    if role not in ROLES:
        raise bad_request(f"Invalid value for 'messages[{index}].role'; supported: {', '.join(ROLES)}.", "messages")
    text, media = _content(index, value.get("content"))
    calls = [c.get("function") or {} for c in value.get("tool_calls") or [] if isinstance(c, Mapping)]
    written = text + "".join(f"{c.get('name')}{c.get('arguments')}" for c in calls)
    tokens = text_tokens(written) + PER_MESSAGE + sum(MEDIA_TOKENS[kind] for kind in media)
    return Message(str(role), text, media, tuple(str(c.get("name")) for c in calls), tokens)


def _content(index: int, content: Any) -> tuple[str, tuple[str, ...]]:
    if content is None or isinstance(content, str):
        return content or "", ()
    if not isinstance(content, list):
        raise bad_request(f"Invalid type for 'messages[{index}].content'.", f"messages.[{index}].content")
    texts, media = [], []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in _MEDIA:
            media.append(_MEDIA[kind])
        elif kind in ("text", "refusal"):
            texts.append(str(part.get(kind, "")))
        else:
            known = ", ".join(("text", "refusal", *_MEDIA))
            where = f"messages.[{index}].content"
            odd = f"a part of type {str(kind)[:40]!r}"
            raise bad_request(f"Invalid value for '{where}': {odd}; supported: {known}.", where)
    return "\n".join(texts), tuple(media)


def _tool(index: int, value: Any) -> Tool:
    function = value.get("function") if isinstance(value, Mapping) else None
    if not isinstance(function, Mapping) or not function.get("name"):
        raise bad_request(f"Missing required parameter: 'tools[{index}].function.name'.", f"tools[{index}]")
    return Tool(str(function["name"]), str(function.get("description") or ""), function.get("parameters") or {})


def _choice(value: Any, tools: tuple[Tool, ...]) -> str:
    if isinstance(value, Mapping):
        value = (value.get("function") or {}).get("name")
        if value not in {t.name for t in tools}:
            raise bad_request(f"Tool choice {str(value)[:64]!r} is not among the tools.", "tool_choice")
    if value is not None and not tools:
        raise bad_request("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    return str(value or "auto")


def _format(value: Any) -> tuple[str, Mapping[str, Any] | None]:
    if value is None:
        return "text", None
    kind = value.get("type") if isinstance(value, Mapping) else None
    if kind not in ("text", "json_object", "json_schema"):
        raise bad_request("Invalid value for 'response_format.type'.", "response_format")
    schema = (value.get("json_schema") or {}).get("schema") if kind == "json_schema" else None
    if kind == "json_schema" and not isinstance(schema, Mapping):
        raise bad_request("Missing required parameter: 'response_format.json_schema.schema'.", "response_format")
    return str(kind), schema


def _max_tokens(body: Mapping[str, Any]) -> int | None:
    value = body.get("max_completion_tokens", body.get("max_tokens"))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise bad_request("Invalid value for 'max_tokens': expected an integer of at least 1.", "max_tokens")
    return value


def _stop(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(str(s) for s in value or ())
