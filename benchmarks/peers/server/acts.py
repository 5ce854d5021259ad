"""How a model answers when it is well, and every way in which it may fail."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from benchmarks.peers.server import answers
from benchmarks.peers.server.wire import HttpWriter

THINKS_S = 0.005
SLOW_S = 3.0
_PING_S = 0.2
_SHOWN = 3
"""Words that are sent before a stream breaks."""


class ServerRequest(NamedTuple):
    """A request, as far as the acts read it."""

    model: str
    streamed: bool
    wants_tool: bool

    @classmethod
    def read(cls, body: dict[str, Any]) -> ServerRequest:
        """From the JSON of a request."""
        wants = bool(body.get("tools")) and body["messages"][-1]["role"] != "tool"
        return cls(body["model"], bool(body.get("stream")), wants)


Act = Callable[[HttpWriter, ServerRequest], Awaitable[None]]


async def well(wire: HttpWriter, asked: ServerRequest) -> None:
    """A sound answer."""
    await wire.pause(THINKS_S)
    await _give(wire, asked, json.dumps(answers.ARGUMENTS))


async def _give(wire: HttpWriter, asked: ServerRequest, arguments: str) -> None:
    model = asked.model
    if asked.streamed:
        await wire.begin_stream()
        await wire.send(answers.chunk(model, role="assistant", content=""))
        await _finish(wire, asked, 0, arguments)
    elif asked.wants_tool:
        call = answers.tool_call(arguments)
        await wire.answer(answers.completion(model, "tool_calls", content=None, tool_calls=[call]))
    else:
        await wire.answer(answers.completion(model, content=answers.text(model)))


async def _finish(wire: HttpWriter, asked: ServerRequest, sent: int, arguments: str = "") -> None:
    model, finish = asked.model, "stop"
    if asked.wants_tool:
        finish = "tool_calls"
        await wire.send(answers.chunk(model, tool_calls=[answers.tool_call(arguments, index=0)]))
    else:
        await wire.send(*(answers.chunk(model, content=piece) for piece in answers.pieces(model)[sent:]))
    await wire.send(answers.chunk(model, finish), b"data: [DONE]\n\n")
    await wire.end_stream()


async def _open(wire: HttpWriter, asked: ServerRequest, shown: int) -> None:
    """A stream of which so many words have been sent."""
    await wire.begin_stream()
    await wire.send(answers.chunk(asked.model, role="assistant", content=""))
    await wire.send(*(answers.chunk(asked.model, content=piece) for piece in answers.pieces(asked.model)[:shown]))
    await wire.pause(THINKS_S)


def status(code: int, body: bytes, headers: dict[str, str] | None = None) -> Act:
    """An error response."""

    async def act(wire: HttpWriter, asked: ServerRequest) -> None:
        await wire.answer(body, code, headers=headers)

    return act


def page(body: bytes, kind: str) -> Act:
    """A 200 that is no completion."""

    async def act(wire: HttpWriter, asked: ServerRequest) -> None:
        await wire.answer(body, 200, kind)

    return act


async def _reset(wire: HttpWriter, asked: ServerRequest) -> None:
    wire.reset()


async def _hang(wire: HttpWriter, asked: ServerRequest) -> None:
    await wire.pause()


async def _empty(wire: HttpWriter, asked: ServerRequest) -> None:
    if not asked.streamed:
        return await wire.answer(answers.completion(asked.model, content=""))
    await _open(wire, asked, 0)
    await wire.send(answers.chunk(asked.model, "stop"), b"data: [DONE]\n\n")
    return await wire.end_stream()


async def _filtered_reply(wire: HttpWriter, asked: ServerRequest) -> None:
    if not asked.streamed:
        return await wire.answer(answers.completion(asked.model, "content_filter", content=""))
    await _open(wire, asked, 0)
    await wire.send(answers.chunk(asked.model, "content_filter"), b"data: [DONE]\n\n")
    return await wire.end_stream()


async def _bad_tool(wire: HttpWriter, asked: ServerRequest) -> None:
    await wire.pause(THINKS_S)
    await _give(wire, asked, '{"city": "Par')


async def _slow_first(wire: HttpWriter, asked: ServerRequest) -> None:
    await _open(wire, asked, 0)
    for _ in range(round(SLOW_S / _PING_S)):
        await wire.send(b": still thinking\n\n")
        await wire.pause(_PING_S)
    await _finish(wire, asked, 0)


def stalled(shown: int) -> Act:
    """A stream that falls silent."""

    async def act(wire: HttpWriter, asked: ServerRequest) -> None:
        await _open(wire, asked, shown)
        await wire.pause()

    return act


def cut(shown: int, how: str) -> Act:
    """A stream that breaks: "reset", "clean" (ended without a reason), "event" (an error inside it)."""

    async def act(wire: HttpWriter, asked: ServerRequest) -> None:
        await _open(wire, asked, shown)
        if how == "reset":
            wire.reset()
            return
        if how == "event":
            await wire.send(b"data: " + answers.error("The server is overloaded", None, "server_error") + b"\n\n")
        await wire.end_stream()

    return act


_OVERFLOW = answers.error(
    "This model's maximum context length is 4096 tokens. However, your messages resulted in 6012 tokens. "
    "Please reduce the length of the messages.", "context_length_exceeded",
)  # fmt: skip
_LIMIT = answers.error("Rate limit reached for requests", "rate_limit_exceeded", "requests")
_FILTER = answers.error("The response was filtered due to the prompt triggering the content policy", "content_filter")
_QUOTA = answers.error(
    "You exceeded your current quota, please check your plan and billing details.",
    "insufficient_quota", "insufficient_quota",
)  # fmt: skip

ACTS: dict[str, Act] = {
    "well": well,
    "http_500": status(500, answers.error("The server had an error", None, "server_error")),
    "http_502": status(502, b"<html><body>Bad gateway</body></html>"),
    "http_503": status(503, answers.error("Service unavailable", None, "server_error")),
    "http_529": status(529, answers.error("Overloaded", None, "overloaded_error")),
    "rate_limited": status(429, _LIMIT),
    "rate_limited_wait": status(429, _LIMIT, {"retry-after": "2"}),
    "quota": status(429, _QUOTA),
    "unauthorized": status(401, answers.error("Incorrect API key provided", "invalid_api_key")),
    "refused": well,  # the listener is closed: nobody gets as far as an act
    "reset": _reset,
    "hang": _hang,
    "html": page(b"<html><body>Please sign in</body></html>", "text/html"),
    "bad_json": page(b'{"id": "chatcmpl-1", "choices": [{"index": 0, "mess', "application/json"),
    "empty": _empty,
    "overflow": status(400, _OVERFLOW),
    "filtered": status(400, _FILTER),
    "filtered_reply": _filtered_reply,
    "bad_tool": _bad_tool,
    "slow_first": _slow_first,
    "stall_before": stalled(0),
    "stall_after": stalled(_SHOWN),
    "cut_before": cut(0, "reset"),
    "cut_after": cut(_SHOWN, "reset"),
    "clean_before": cut(0, "clean"),
    "clean_after": cut(_SHOWN, "clean"),
    "event_before": cut(0, "event"),
    "event_after": cut(_SHOWN, "event"),
}  # fmt: skip
