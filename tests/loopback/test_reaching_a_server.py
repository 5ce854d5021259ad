"""Connections: hosts of several addresses, proxies, servers that take a request slowly. Each clock holds throughout."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpcore
import pytest
from loopback.chat_server import ChatServer, Step, Wire, completion, reply
from loopback.endpoint_client import BODY, Read, client, failure, read_async

from capability_router.clock import SystemClock
from capability_router.endpoints import connection_pool
from capability_router.endpoints.errors import EndpointConnectionError, EndpointTimeout
from capability_router.endpoints.openai_compatible import OpenAICompatible
from capability_router.endpoints.sockets import AsyncSockets, TimedSockets
from capability_router.endpoints.spec import EndpointSpec
from capability_router.endpoints.timeouts import CallDeadline, ClientTimeouts


class Named:
    """`model.test` has these addresses, in their order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        real = socket.getaddrinfo

        def resolved(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
            if host not in ("model.test", b"model.test"):
                return real(host, port, *args, **kwargs)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", resolved)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port of 127.0.0.2 and 127.0.0.3 where nobody takes a connection."""
    with ExitStack() as held:
        port = 0
        for address in ("127.0.0.2", "127.0.0.3"):
            full = held.enter_context(socket.socket())
            full.bind((address, port))
            full.listen(0)
            port = full.getsockname()[1]
            for _ in range(3):  # until no more are queued
                waiting = held.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex((address, port))
        yield port


def test_all_addresses_of_a_host_share_the_time_to_connect(
    read: Read, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Named(monkeypatch, "127.0.0.2", "127.0.0.3")
    caller = OpenAICompatible(EndpointSpec(f"http://model.test:{silent_port}/v1", "m"))
    begun = SystemClock().now()
    with pytest.raises(EndpointTimeout) as caught:
        read(caller.start(BODY, timeouts=ClientTimeouts(connect=0.4, total=0.6)))
    assert caught.value.clock == "connect"
    assert SystemClock().now() - begun < 0.75


def test_an_address_that_does_not_answer_leaves_time_for_the_next(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(reply(completion("there"))) as server, socket.socket() as full, ExitStack() as held:
        full.bind(("127.0.0.2", server.port))
        full.listen(0)
        for _ in range(3):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.2", server.port))
        Named(monkeypatch, "127.0.0.2", "127.0.0.1")
        caller = OpenAICompatible(EndpointSpec(f"http://model.test:{server.port}/v1", "m"))
        exchange = caller.start(BODY, timeouts=ClientTimeouts(connect=3.0, total=2.0))
        assert [delta.text for delta in read(exchange)] == ["there"]


def test_a_server_that_takes_a_large_request_slowly_does_not_put_the_limit_off(read: Read) -> None:
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def sips() -> None:
            taken, _ = listening.accept()
            with taken:
                while not done.wait(0.02) and taken.recv(131_072):
                    pass

        thread = threading.Thread(target=sips, daemon=True)
        thread.start()
        caller = OpenAICompatible(EndpointSpec(f"http://127.0.0.1:{listening.getsockname()[1]}/v1", "m"))
        body = {"messages": [{"role": "user", "content": "x" * 24_000_000}]}
        begun = SystemClock().now()
        with pytest.raises(EndpointTimeout) as caught:
            read(caller.start(body, timeouts=ClientTimeouts(total=0.8)))
        took = SystemClock().now() - begun
        done.set()
        thread.join(10)
    assert caught.value.clock == "total"
    assert took < 1.6  # to be taken it takes several seconds


def test_a_name_that_is_looked_up_slowly_does_not_put_the_limit_off(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def slow(*_: Any, **__: Any) -> list[Any]:
        goes_on.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    caller, begun = OpenAICompatible(EndpointSpec("http://model.test:1/v1", "m")), SystemClock().now()
    if read is read_async:
        monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", never)  # else its thread is waited for
    with pytest.raises(EndpointTimeout) as caught:
        read(caller.start(BODY, timeouts=ClientTimeouts(connect=0.1, total=5.0)))
    took = SystemClock().now() - begun
    goes_on.set()
    assert caught.value.clock == "connect"
    assert took < 3.0


async def never(*_: Any, **__: Any) -> list[Any]:
    await asyncio.sleep(60)
    return []


def test_a_name_that_nobody_knows(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for clocks in (ClientTimeouts(connect=5.0), ClientTimeouts(connect=None, total=None)):
        with pytest.raises(EndpointConnectionError, match="Name or service not known"):
            read(OpenAICompatible(EndpointSpec("http://model.test:1/v1", "m")).start(BODY, timeouts=clocks))


def halves(*parts: bytes) -> Step:
    """A body that its connection's end would end, and a reset in the middle of it."""

    def step(wire: Wire) -> bool:
        wire.send(b"HTTP/1.1 200 X\r\nconnection: close\r\ncontent-type: " + parts[0] + b"\r\n\r\n" + parts[1])
        wire.pause(0.05)
        wire.reset()
        return False

    return step


def test_a_reset_is_no_end_of_a_body_without_a_length(read: Read) -> None:
    cut = b'data: {"choices": [{"index": 0, "delta": {"content": "hel"}}]}\n\n'
    assert type(failure(read, halves(b"text/event-stream", cut), stream=True)) is EndpointConnectionError
    assert type(failure(read, halves(b"application/json", b'{"choices": ['))) is EndpointConnectionError


def test_more_calls_than_ten_go_through_a_proxy_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(12)

    def all_are_there(wire: Wire) -> bool:
        together.wait(10)
        return reply(completion("by proxy"))(wire)

    with ChatServer(all_are_there) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        caller = OpenAICompatible(EndpointSpec("http://model.invalid/v1", "m"))

        async def aside() -> str:
            exchange = caller.start(BODY, timeouts=ClientTimeouts(total=10.0))
            return "".join([delta.text async for delta in exchange.achunks()])

        def blocking() -> str:
            return "".join(delta.text for delta in caller.start(BODY, timeouts=ClientTimeouts(total=10.0)).chunks())

        async def in_tasks() -> list[str]:
            return await asyncio.gather(*(aside() for _ in range(12)))

        with ThreadPoolExecutor(12) as threads:
            assert list(threads.map(lambda _: blocking(), range(12))) == ["by proxy"] * 12
        assert asyncio.run(in_tasks()) == ["by proxy"] * 12


async def test_what_is_read_without_a_limit_before_the_call_is_bounded_by_that_for_connecting() -> None:
    """As httpcore talks to a SOCKS proxy."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        patience = CallDeadline(ClientTimeouts(connect=0.1, total=None), stream=False, now=SystemClock().now)
        blocking = TimedSockets().connect_tcp("127.0.0.1", port, patience.connect())
        with pytest.raises(httpcore.ReadTimeout):
            blocking.read(10)
        blocking.close()
        aside = await AsyncSockets().connect_tcp("127.0.0.1", port, patience.connect())
        with pytest.raises(httpcore.ReadTimeout):
            await aside.read(10)
        await aside.aclose()


class Burst:
    """Eight calls at once, each on a connection of its own."""

    def __init__(self) -> None:
        self._together, self._came = threading.Barrier(8), 0

    def __call__(self, wire: Wire) -> bool:
        self._came += 1
        if self._came <= 8:
            self._together.wait(10)
        return reply(completion())(wire)


def test_what_a_burst_has_left_open_is_closed_once_it_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection that was used last is taken first, so nobody would ever come to those below."""
    monkeypatch.setattr(connection_pool, "IDLE_SECONDS", 0.3)
    with ChatServer(Burst()) as server, ThreadPoolExecutor(8) as threads:
        caller = client(server)
        list(threads.map(lambda _: list(caller.start(BODY).chunks()), range(8)))
        idle = connection_pool.sync_pool(caller.server)._stack.links
        assert len(idle) == 8
        for _ in range(40):  # one after the other, never so long apart that the uppermost is too old
            threading.Event().wait(0.015)
            list(caller.start(BODY).chunks())
        assert len(idle) == 1


async def test_so_it_is_in_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_pool, "IDLE_SECONDS", 0.3)
    with ChatServer(Burst()) as server:
        caller = client(server)

        async def call() -> None:
            async for _ in caller.start(BODY).achunks():
                pass

        await asyncio.gather(*(call() for _ in range(8)))
        idle = (await connection_pool.async_pool(caller.server))._stack.links
        assert len(idle) == 8
        for _ in range(40):
            await asyncio.sleep(0.015)
            await call()
        assert len(idle) == 1


@pytest.mark.parametrize(("without", "direct"), [("127.0.0.1:{}", True), ("127.0.0.1", True), ("127.0.0.1:1", False)])
def test_no_proxy_may_name_a_port(without: str, direct: bool, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(reply(completion("direct"))) as server, ChatServer(reply(completion("by proxy"))) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", without.format(server.port))
        told = read(client(server).start(BODY))
    assert told[0].text == ("direct" if direct else "by proxy")
