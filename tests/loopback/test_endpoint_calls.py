"""The built-in client over real sockets, blocking and in asyncio: every test runs both ways."""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback.chat_server import (
    USAGE,
    ChatServer,
    completion,
    piece,
    raw,
    reply,
    sse,
    stall,
)
from loopback.endpoint_client import BODY, Read, client, failure, read_blocking

from capability_router.endpoints import connection_pool
from capability_router.endpoints.errors import (
    EndpointConnectionError,
    EndpointReplyError,
    EndpointStatusError,
)
from capability_router.endpoints.openai_compatible import OpenAICompatible
from capability_router.endpoints.spec import EndpointSpec
from capability_router.request import Finish


def test_a_unary_call_is_one_delta(read: Read) -> None:
    headers = ["x-request-id: r-7", "X-RateLimit-Remaining-Tokens: 41", "Retry-After: 2", "set-cookie: a=b"]
    with ChatServer(reply(completion("hello"), headers=headers)) as server:
        exchange = client(server).start({**BODY, "temperature": 0})
        (delta,) = read(exchange)
        (seen,) = server.seen
    assert (delta.text, delta.finish, delta.model, delta.id) == ("hello", Finish.STOP, "m-2026", "c1")
    assert (seen.path, seen.body) == ("/v1/chat/completions", {"model": "m", **BODY, "temperature": 0})
    assert seen.headers["authorization"] == "Bearer k-1"
    assert seen.headers["host"] == f"127.0.0.1:{server.port}"
    whole = exchange.reply()
    assert whole.usage is not None
    assert (whole.text, whole.usage.input_tokens, whole.usage.output_tokens) == ("hello", 9, 2)
    assert whole.headers == {"x-ratelimit-remaining-tokens": "41", "retry-after": "2"}
    assert (exchange.request_id, exchange.status) == ("r-7", 200)


def test_all_headers_that_tell_of_limits_and_waits_are_kept(read: Read) -> None:
    told = {
        "ratelimit": '"day";r=5;t=60', "ratelimit-policy": '"day";q=9;w=60', "ratelimitbysize-remaining": "1",
        "x-tokenlimit-remaining": "2", "x-retry-after": "3", "x-ms-retry-after-ms": "4", "retry-after-ms": "5",
    }  # fmt: skip
    headers = [*(f"{name}: {value}" for name, value in told.items()), "set-cookie: a=b"]
    with ChatServer(reply(completion("hello"), headers=headers)) as server:
        exchange = client(server).start(BODY)
        read(exchange)
    assert exchange.reply().headers == told


def test_a_stream_gives_its_deltas_in_order(read: Read) -> None:
    parts = (piece("", role="assistant"), piece("he"), b": ping\n\n", piece("llo"), piece(finish="stop"), USAGE)
    with ChatServer(sse(*parts)) as server:
        exchange = client(server).start(BODY, stream=True)
        deltas = read(exchange)
        (seen,) = server.seen
    assert [d.text for d in deltas] == ["", "he", "llo", "", ""]
    assert [exchange.commits(d) for d in deltas] == [False, True, True, False, False]
    assert (seen.body["stream"], seen.body["stream_options"]) == (True, {"include_usage": True})
    whole = exchange.reply()
    assert (whole.text, whole.finish, whole.usage and whole.usage.input_tokens) == ("hello", Finish.STOP, 9)


def test_bytes_may_be_cut_anywhere(read: Read) -> None:
    stream = b'data: {"choices":[{"delta":{"content":"h\xc3\xa9"},"finish_reason":"stop"}]}\r\n\r\ndata: [DONE]\r\n\r\n'
    with ChatServer(sse(*(bytes([b]) for b in stream), end="clean")) as server:
        deltas = read(client(server).start(BODY, stream=True))
    assert "".join(d.text for d in deltas) == "hé"


def test_tool_calls_are_assembled(read: Read) -> None:
    calls = [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{oops"}},
    ]
    with ChatServer(sse(*(piece(tool_calls=[c]) for c in calls), piece(finish="tool_calls"))) as server:
        exchange = client(server).start(BODY, stream=True)
        read(exchange)
    told = exchange.assembly.message()["tool_calls"]
    assert [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in told] == [
        ("a", "f", '{"x":1}'),
        ("b", "g", "{oops"),
    ]
    whole = exchange.reply()
    assert (whole.tool_calls, whole.malformed_tool_calls, whole.tool_call_ids) == (1, 1, ("a", "b"))


def test_a_stream_without_a_terminal_reason_raises_nothing(read: Read) -> None:
    with ChatServer(sse(piece("he"), end="clean")) as server:
        exchange = client(server).start(BODY, stream=True)
        read(exchange)
    assert (exchange.reply().text, exchange.reply().finish) == ("he", None)


def test_an_open_end_after_done_is_no_fault(read: Read) -> None:
    with ChatServer(sse(piece("he"), piece(finish="stop"), end="open")) as server:
        exchange = client(server).start(BODY, stream=True)
        assert "".join(d.text for d in read(exchange)) == "he"


def test_a_stream_answered_in_one_piece_is_read_as_one(read: Read) -> None:
    with ChatServer(reply(completion("whole"))) as server:
        (delta,) = read(client(server).start(BODY, stream=True))
    assert delta.text == "whole"


def test_a_compressed_answer_is_read_all_the_same(read: Read) -> None:
    packed = gzip.compress(b'{"choices":[{"message":{"content":"zip"},"finish_reason":"stop"}]}')
    with ChatServer(reply(packed, headers=["content-encoding: gzip"])) as server:
        (delta,) = read(client(server).start(BODY))
        assert server.seen[0].headers["accept-encoding"] == "identity"
    assert delta.text == "zip"


@pytest.mark.parametrize("broken", [b"\x1f\x8bnot gzip", gzip.compress(b"x" * 99)[:20]])
def test_broken_compression_is_told(read: Read, broken: bytes) -> None:
    error = failure(read, reply(broken, headers=["content-encoding: gzip"]))
    assert isinstance(error, EndpointReplyError)


def test_no_key_no_auth_header(read: Read) -> None:
    with ChatServer(reply(completion())) as server:
        read(client(server, api_key=None).start(BODY))
        read(client(server, headers={"Authorization": "Basic abc", "x-team": "t"}).start(BODY))
    assert "authorization" not in server.seen[0].headers
    assert (server.seen[1].headers["authorization"], server.seen[1].headers["x-team"]) == ("Basic abc", "t")


def test_a_callable_key_is_asked_for_each_call(read: Read) -> None:
    keys = iter(["k-1", "k-2"])
    with ChatServer(reply(completion())) as server:
        caller = client(server, api_key=lambda: next(keys))
        read(caller.start(BODY))
        read(caller.start(BODY))
    assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer k-1", "Bearer k-2"]


# The usage option


def test_a_server_that_rejects_the_usage_option_is_asked_once_without_it(read: Read) -> None:
    no = reply({"error": {"message": "Unrecognized field: stream_options", "type": "invalid_request_error"}}, 400)
    with ChatServer(no, sse(piece("a"), piece(finish="stop"))) as server:
        caller = client(server)
        for _ in range(2):
            assert "".join(d.text for d in read(caller.start(BODY, stream=True))) == "a"
    assert ["stream_options" in seen.body for seen in server.seen] == [True, False, False]


def test_no_other_400_is_sent_again(read: Read) -> None:
    with ChatServer(reply({"error": {"message": "bad"}}, 400)) as server, pytest.raises(EndpointStatusError):
        read(client(server).start(BODY, stream=True))
    assert len(server.seen) == 1


def test_the_callers_own_usage_option_is_left_alone(read: Read) -> None:
    no = reply({"error": {"message": "Unrecognized field: stream_options"}}, 400)
    with ChatServer(no) as server, pytest.raises(EndpointStatusError):
        read(client(server).start({**BODY, "stream_options": {"include_usage": False}}, stream=True))
    assert [seen.body["stream_options"] for seen in server.seen] == [{"include_usage": False}]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_nothing_is_retried(read: Read, status: int) -> None:
    with ChatServer(reply({"error": {"message": "no"}}, status)) as server, pytest.raises(EndpointStatusError):
        read(client(server).start(BODY))
    assert len(server.seen) == 1


# Connections


def test_blocking_connections_are_kept_and_shared() -> None:
    stream = sse(piece("a"), piece(finish="stop"))
    with ChatServer(reply(completion()), stream, reply({}, 500), reply(completion())) as server:
        one, other = client(server), client(server, api_key="k-2")
        read_blocking(one.start(BODY))
        read_blocking(other.start(BODY, stream=True))
        with pytest.raises(EndpointStatusError):
            read_blocking(one.start(BODY))
        read_blocking(one.start(BODY))
    assert server.connections == 1


def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    gone = raw(b'HTTP/1.1 200 OK\r\ncontent-length: 53\r\n\r\n{"choices":[{"message":{"content":"a"},"index":0}]} \n\n')
    with ChatServer(gone, reply(completion())) as server:
        caller = client(server)
        read_blocking(caller.start(BODY))
        for _ in range(200):  # until the hang-up has arrived
            threading.Event().wait(0.005)
            if connection_pool.sync_pool(caller.server)._stack.links[-1].has_expired():
                break
        assert read_blocking(caller.start(BODY))[0].text == "hello"
    assert server.connections == 2


def test_leaving_a_stream_early_closes_its_connection() -> None:
    with ChatServer(sse(piece("a"), piece("b"), None), reply(completion())) as server:
        caller = client(server)
        chunks = caller.start(BODY, stream=True).chunks()
        assert next(chunks).text == "a"
        chunks.close()  # type: ignore[attr-defined]  # chunks() is a generator
        assert not connection_pool.sync_pool(caller.server)._stack.links
        read_blocking(caller.start(BODY))
    assert server.connections == 2


async def test_leaving_a_stream_early_in_asyncio() -> None:
    with ChatServer(sse(piece("a"), piece("b"), None), reply(completion())) as server:
        caller = client(server)
        chunks = caller.start(BODY, stream=True).achunks()
        assert (await anext(chunks)).text == "a"
        await chunks.aclose()  # type: ignore[attr-defined]  # achunks() is a generator
        assert not (await connection_pool.async_pool(caller.server))._stack.links
        assert [d.text async for d in caller.start(BODY).achunks()] == ["hello"]


async def test_a_cancelled_call_closes_its_connection() -> None:
    with ChatServer(stall) as server:
        caller = client(server)

        async def call() -> None:
            async for _ in caller.start(BODY).achunks():
                pass

        task = asyncio.create_task(call())
        await asyncio.to_thread(server.wait_for_a_request)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not (await connection_pool.async_pool(caller.server))._stack.links


def test_each_event_loop_has_its_own_connections() -> None:
    with ChatServer(reply(completion())) as server:
        caller = client(server)

        async def twice() -> list[str]:
            return [d.text for _ in range(2) for d in [x async for x in caller.start(BODY).achunks()]]

        assert asyncio.run(twice()) == asyncio.run(twice()) == ["hello", "hello"]
        assert (server.connections, len(server.seen)) == (2, 4)
        gc.collect()
        assert not [loop for loop in connection_pool._by_loop if loop.is_closed()]


def test_a_loop_that_was_closed_without_ceremony_is_forgotten() -> None:
    with ChatServer(reply(completion())) as server:
        caller = client(server)

        async def once() -> None:
            async for _ in caller.start(BODY).achunks():
                pass
            await (await connection_pool.async_pool(caller.server)).close()
            await asyncio.sleep(0)

        for _ in range(2):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(once())
            loop.close()
        assert len([known for known in connection_pool._by_loop if known.is_closed()]) == 1


async def test_fifty_at_once_then_again_on_the_same_connections() -> None:
    with ChatServer(reply(completion())) as server:
        caller = client(server)

        async def call() -> str:
            return "".join([d.text async for d in caller.start(BODY).achunks()])

        for _ in range(3):
            assert await asyncio.gather(*(call() for _ in range(50))) == ["hello"] * 50
        assert server.connections <= 50
        assert len(server.seen) == 150


def test_threads_share_a_client() -> None:
    with ChatServer(reply(completion())) as server:
        caller = client(server)
        texts: list[str] = []

        def work() -> None:
            for _ in range(10):
                texts.extend(d.text for d in caller.start(BODY).chunks())

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        connection_pool.close_idle()
    assert texts == ["hello"] * 80
    assert server.connections <= 8


async def test_a_large_request_and_a_large_reply() -> None:
    text = "w" * 3_000_000
    with ChatServer(reply(completion(text))) as server:
        body = {"messages": [{"role": "user", "content": text}]}
        (delta,) = [d async for d in client(server).start(body).achunks()]
        assert server.seen[0].body["messages"] == body["messages"]
    assert len(delta.text) == len(text)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 "
        f"-keyout {key} -out {cert}"
    )
    try:
        subprocess.run(command.split(), check=True, capture_output=True)  # noqa: S603 - fixed words
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no openssl command to make a certificate with")
    return cert, key


@pytest.fixture
def over_tls(certificate: tuple[Path, Path]) -> Iterator[ChatServer]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*map(os.fspath, certificate))
    connection_pool._certificates.cache_clear()
    with ChatServer(reply(completion()), tls=tls) as server:
        yield server
    connection_pool._certificates.cache_clear()


def test_tls(read: Read, over_tls: ChatServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    caller = client(over_tls)
    assert [d.text for _ in range(2) for d in read(caller.start(BODY))] == ["hello", "hello"]


@pytest.mark.parametrize(
    ("host", "named", "told"),
    [
        ("127.0.0.1", "", r"certificate is not trusted here; add the CA that signed it to .* SSL_CERT_FILE$"),
        ("localhost", "cert.pem", r"certificate is for another host; use the certificate's host name .*$"),
        ("127.0.0.1", "none.pem", r"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names can't be read \('.*none"),
        ("127.0.0.1", "key.pem", r"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names can't be read \('.*key"),
    ],
)
def test_tls_that_does_not_come_about_says_what_to_change(
    read: Read, over_tls: ChatServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, host: str,
    named: str, told: str,
) -> None:  # fmt: skip
    if named:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0].with_name(named)))
    caller = OpenAICompatible(EndpointSpec(f"https://{host}:{over_tls.port}/v1", "m"))
    with pytest.raises(EndpointConnectionError, match=told) as raised:
        read(caller.start(BODY))
    assert not raised.value.sent


def test_the_environments_proxy_is_used(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(reply(completion("by proxy"))) as proxy:
        monkeypatch.setenv("http_proxy", f"http://u:p@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        caller = OpenAICompatible(EndpointSpec("http://model.invalid/v1", "m"))
        try:
            assert [d.text for d in read(caller.start(BODY))] == ["by proxy"]
        finally:
            connection_pool.close_idle()
            connection_pool._by_server.pop(caller.server, None)
    assert proxy.seen[0].path == "http://model.invalid:80/v1/chat/completions"
    assert proxy.seen[0].headers["proxy-authorization"].startswith("Basic ")
