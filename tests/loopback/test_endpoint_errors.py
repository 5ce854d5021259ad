"""What the built-in client says when a call fails, and which of its four clocks ran out."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from loopback.chat_server import (
    ChatServer,
    Step,
    completion,
    hang_up,
    piece,
    raw,
    reply,
    sse,
    stall,
)
from loopback.endpoint_client import BODY, Read, client, failure, read_blocking

from capability_router.endpoints.errors import (
    EndpointConnectionError,
    EndpointReplyError,
    EndpointStatusError,
    EndpointStreamError,
    EndpointTimeout,
)
from capability_router.endpoints.openai_compatible import OpenAICompatible
from capability_router.endpoints.spec import EndpointSpec
from capability_router.endpoints.timeouts import ClientTimeouts

# Errors


def test_a_refusal_tells_status_code_type_hints_and_request(read: Read) -> None:
    body = {"error": {"message": "Rate limit reached", "type": "tokens", "code": "rate_limit_exceeded", "param": None}}
    headers = ["retry-after: 3", "x-ratelimit-reset-tokens: 6s", "x-request-id: r-9", "server: s"]
    error = failure(read, reply(body, 429, headers))
    assert isinstance(error, EndpointStatusError)
    assert (error.status_code, error.code, error.type, error.param) == (429, "rate_limit_exceeded", "tokens", "")
    assert error.headers == {"retry-after": "3", "x-ratelimit-reset-tokens": "6s"} == error.response.headers
    assert (error.request_id, error.model, error.response.status_code) == ("r-9", "m", 429)
    assert str(error) == "m answered 429: Rate limit reached"


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (b"<html><h1>Bad gateway</h1></html>", "text/html", "m answered 502 with an HTML page"),
        (b"", "text/plain", "m answered 502 with an empty body"),
        (b"upstream connect error", "text/plain", "m answered 502: upstream connect error"),
        (b'{"detail": [{"loc": ["body"]}]}', "application/json", 'm answered 502: [{"loc": ["body"]}]'),
        (b'{"error": "no such model"}', "application/json", "m answered 502: no such model"),
        (b'[{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}]',
         "application/json", "m answered 502: API key not valid."),
    ],
)  # fmt: skip
def test_error_bodies_of_every_form(read: Read, body: bytes, kind: str, told: str) -> None:
    error = failure(read, reply(body, 502, kind=kind), stream=True)
    assert (str(error), error.status_code) == (told, 502)


def _endless(wire: Any) -> bool:
    wire.send(b"HTTP/1.1 429 X\r\nretry-after: 7\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        wire.chunk(b"x" * 65_536)


_SHORT = b"HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 500\r\n\r\n" + b'{"error": {"code": "slow'
_BROKEN = b"HTTP/1.1 429 X\r\nretry-after: 7\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n"
_SILENT = sse(None, status=429, headers=["retry-after: 7"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "step", [raw(_SHORT), raw(_BROKEN), _endless, _SILENT], ids=["short", "broken", "endless", "silent"]
)
def test_a_status_counts_whatever_becomes_of_its_body(read: Read, step: Step, stream: bool) -> None:
    error = failure(read, step, stream=stream, total=60.0)
    assert (type(error), error.status_code, error.headers) == (EndpointStatusError, 429, {"retry-after": "7"})


def test_a_stream_that_is_asked_for_again_has_its_clocks_from_the_start() -> None:
    refused = reply({"error": {"message": "unknown option stream_options"}}, 400)
    late = sse(1.2, piece("a", role="assistant"), piece(finish="stop"))
    with ChatServer(refused, late) as server:
        exchange = client(server).start(BODY, stream=True, timeouts=ClientTimeouts(total=60.0))
        assert [delta.text for delta in read_blocking(exchange) if delta.text] == ["a"]


def test_a_redirect_is_not_followed(read: Read) -> None:
    error = failure(read, reply(b"", 308, ["location: http://127.0.0.1:1/x"]))
    assert error.status_code == 308
    assert "base_url" in str(error)


@pytest.mark.parametrize("body", [b"{not json", b'"text"', b"[]", b'{"choices": []}', b'{"choices": [7]}', b"{}"])
def test_what_is_no_reply_is_told_without_quoting_it(read: Read, body: bytes) -> None:
    error = failure(read, reply(body))
    assert isinstance(error, EndpointReplyError)
    assert error.status_code == 200


@pytest.mark.parametrize("stream", [False, True])
def test_an_html_page_with_200_is_no_reply(read: Read, stream: bool) -> None:
    error = failure(read, reply(b"<!doctype html>", kind="text/html"), stream=stream)
    assert isinstance(error, EndpointReplyError)
    assert "HTML" in str(error)


def test_a_stream_of_something_else_is_no_reply(read: Read) -> None:
    error = failure(read, reply(b"hello there\n", kind="text/plain"), stream=True)
    assert isinstance(error, EndpointReplyError)


def test_an_error_event_in_a_stream(read: Read) -> None:
    event = {"error": {"message": "Overloaded", "type": "overloaded_error", "code": None}}
    error = failure(read, sse(piece("he"), event), stream=True)
    assert isinstance(error, EndpointStreamError)
    assert (error.type, error.status_code, error.code) == ("overloaded_error", None, "")


def test_an_error_event_that_names_a_status(read: Read) -> None:
    error = failure(read, sse({"error": {"message": "Provider returned error", "code": 429}}), stream=True)
    assert (error.status_code, error.code) == (429, "429")


def test_a_finish_reason_that_is_a_fault(read: Read) -> None:
    error = failure(read, sse(piece("he"), piece(finish="insufficient_system_resource")), stream=True)
    assert isinstance(error, EndpointStreamError)
    assert error.type == "overloaded_error"


def test_bad_json_in_a_stream(read: Read) -> None:
    error = failure(read, sse(piece("he"), b"data: {bad\n\n"), stream=True)
    assert isinstance(error, EndpointReplyError)


def test_the_text_before_a_cut_is_kept(read: Read) -> None:
    with ChatServer(sse(piece("he"), end="cut")) as server:
        exchange = client(server).start(BODY, stream=True)
        with pytest.raises(EndpointConnectionError):
            read(exchange)
    assert (exchange.reply().text, exchange.reply().finish) == ("he", None)


def test_nobody_listens(read: Read) -> None:
    with ChatServer(hang_up) as server:
        caller = client(server)
    with pytest.raises(EndpointConnectionError, match=r"could not be reached.*base_url"):
        read(caller.start(BODY))


@pytest.mark.parametrize(
    "step", [hang_up, raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"), raw(b"SSH-2.0-x\r\n")]
)
def test_a_connection_that_breaks(read: Read, step: Step) -> None:
    assert isinstance(failure(read, step), EndpointConnectionError)


# The four clocks


def test_total_bounds_a_unary_call(read: Read) -> None:
    error = failure(read, stall, total=0.15)
    assert isinstance(error, EndpointTimeout)
    assert (error.clock, error.limit_s) == ("total", 0.15)


def test_total_bounds_a_stream_that_drips(read: Read) -> None:
    drip = [part for _ in range(100) for part in (piece("x"), 0.02)]
    assert failure(read, sse(*drip), stream=True, total=0.2, between_tokens=5.0).clock == "total"


def test_first_token_is_not_reset_by_empty_chunks_and_comments(read: Read) -> None:
    drip = [part for _ in range(100) for part in (piece(""), b": ping\n\n", 0.02)]
    error = failure(read, sse(*drip), stream=True, first_token=0.2, between_tokens=5.0)
    assert (error.clock, error.limit_s) == ("first_token", 0.2)


CALL = {"index": 0, "id": "c", "function": {"name": "of_no_tool", "arguments": "{}"}}


@pytest.mark.parametrize("held", [piece("\n"), piece(tool_calls=[CALL])], ids=["white space", "a call of no tool"])
def test_first_token_is_not_reset_by_what_is_no_answer_on_its_own(read: Read, held: Any) -> None:
    """Both are held, so that another model may still answer: in time."""
    offered = {"tools": [{"type": "function", "function": {"name": "other"}}]}
    error = failure(read, sse(held, None), stream=True, body={**BODY, **offered}, first_token=0.1, total=1.5)
    assert (error.clock, error.limit_s) == ("first_token", 0.1)


def test_between_tokens_runs_from_the_last_event(read: Read) -> None:
    drip = [part for _ in range(8) for part in (piece("x"), 0.03)]
    error = failure(read, sse(*drip, None), stream=True, first_token=5.0, between_tokens=0.15)
    assert error.clock == "between_tokens"


def test_between_tokens_is_not_reset_by_comments(read: Read) -> None:
    pings = [part for _ in range(100) for part in (b": ping\n\n", 0.02)]
    assert failure(read, sse(piece("x"), *pings), stream=True, between_tokens=0.2).clock == "between_tokens"


def test_first_token_is_for_streams_alone(read: Read) -> None:
    def slow(wire: Any) -> bool:
        wire.pause(0.3)
        return reply(completion("late"))(wire)

    with ChatServer(slow) as server:
        (delta,) = read(client(server, timeouts={"first_token": 0.1, "between_tokens": 0.1}).start(BODY))
    assert delta.text == "late"


def test_a_slow_caller_is_not_a_slow_server() -> None:
    with ChatServer(sse(piece("a"), 0.05, piece("b"), piece(finish="stop"))) as server:
        exchange = client(server).start(BODY, stream=True, timeouts=ClientTimeouts(between_tokens=0.15))
        texts = []
        for delta in exchange.chunks():
            texts.append(delta.text)
            threading.Event().wait(0.2)
    assert texts == ["a", "b", ""]


def test_connect_has_its_own_clock(read: Read) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes the connection, never says a word of TLS
        caller = OpenAICompatible(EndpointSpec(f"https://127.0.0.1:{mute.getsockname()[1]}/v1", "m"))
        with pytest.raises(EndpointTimeout) as caught:
            read(caller.start(BODY, timeouts=ClientTimeouts(connect=0.1, total=30.0)))
    assert (caught.value.clock, caught.value.limit_s) == ("connect", 0.1)
