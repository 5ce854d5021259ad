"""Connections of closed loops leave the pools; those of open ones stay, and unknown shapes are not touched."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from capability_router.sdks import closed_loops
from capability_router.sdks.closed_loops import LoopTracker, drop_closed


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[int]

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.seen.append(self.client_address[1])
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


class Model:
    """Keeps its client three steps below, as the SDKs' models do."""

    def __init__(self, client: Any) -> None:
        self.async_client = type("Resource", (), {})()
        self.async_client._client = type("Sdk", (), {})()
        self.async_client._client._client = client


@pytest.fixture
def ports() -> Iterator[tuple[str, list[int]]]:
    """The server's address, and the client's port of each request."""
    seen: list[int] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"seen": seen}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def test_a_closed_loops_connection_is_replaced_and_the_running_ones_is_kept(ports: tuple[str, list[int]]) -> None:
    url, seen = ports
    client = httpx.AsyncClient(trust_env=False)
    loops = LoopTracker([Model(client)])

    async def twice(*, close: bool) -> None:
        for _ in range(2):
            loops.enter()
            assert (await client.get(url)).text == "ok"
        if close:
            await client.aclose()

    asyncio.run(twice(close=False))
    asyncio.run(twice(close=True))
    first, second, third, fourth = seen
    assert first == second
    assert third == fourth
    assert first != third


def test_a_client_that_is_made_at_the_first_call_and_shared_among_models_is_looked_at_before(
    ports: tuple[str, list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    url, seen = ports
    shared = httpx.AsyncClient(trust_env=False)

    class Late:
        @cached_property
        def _async_client(self) -> Model:
            return Model(shared)

        @cached_property
        def _async_client_of_another_region(self) -> Model:
            raise KeyError("its key sk-secret is missing")

        @cached_property
        def _client(self) -> Model:
            raise AssertionError("nobody calls without a loop here")

    async def called(model: Late, *, close: bool) -> None:
        LoopTracker([model]).enter()
        assert (await shared.get(url)).text == "ok"
        if close:
            await shared.aclose()

    caplog.set_level("DEBUG", "capability_router")
    for close in (False, True):
        asyncio.run(called(Late(), close=close))
    assert len(set(seen)) == 2
    assert "of Late can't be made yet (KeyError)" in caplog.text
    assert "secret" not in caplog.text


def test_a_loop_that_is_open_in_another_thread_keeps_its_connection(ports: tuple[str, list[int]]) -> None:
    url, seen = ports
    client = httpx.AsyncClient(trust_env=False)
    loops = LoopTracker([Model(client)])
    other = asyncio.new_event_loop()
    thread = threading.Thread(target=other.run_forever)
    thread.start()

    def there(work: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, other)
        return future.result(10)

    async def get() -> str:
        loops.enter()
        return (await client.get(url)).text

    async def entered() -> int:
        loops.enter()
        return drop_closed(Model(client))

    assert there(get()) == "ok"
    assert asyncio.run(entered()) == 0
    assert there(get()) == "ok"
    assert seen[0] == seen[1]
    there(client.aclose())
    other.call_soon_threadsafe(other.stop)
    thread.join()
    other.close()


class Lazy:
    """Makes its client at its first call."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None

    def client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(trust_env=False)
        return self._client


class Loop:
    """An event loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def do(self, work: Any) -> Any:
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def closed(client: httpx.AsyncClient, one: Loop, other: Loop) -> None:
    """Close a client in one of its loops; the other closes what it has of it."""

    async def some_turns() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    transport: Any = client._transport
    pool = transport._pool
    assert pool.connections
    one.do(client.aclose())
    other.do(some_turns())
    assert pool.connections == []


@pytest.fixture
def two_loops() -> Iterator[tuple[Loop, Loop]]:
    both = Loop(), Loop()
    yield both
    for loop in both:
        loop.close()


def test_two_loops_never_share_a_connection(ports: tuple[str, list[int]], two_loops: tuple[Loop, Loop]) -> None:
    url, seen = ports
    model = Lazy()
    loops = LoopTracker([model])

    async def get() -> str:
        loops.enter()
        return (await model.client().get(url)).text

    one, other = two_loops
    assert [loop.do(get()) for loop in (one, other, one, other, other, one)] == ["ok"] * 6
    assert len(set(seen)) == 2
    assert seen[0] == seen[2] == seen[5] != seen[1]
    closed(model.client(), one, other)


def test_a_client_that_is_made_late_is_divided_by_what_each_loop_has_of_it(
    ports: tuple[str, list[int]], two_loops: tuple[Loop, Loop]
) -> None:
    url, seen = ports
    model = Lazy()
    loops = LoopTracker([model])

    async def enter() -> None:
        loops.enter()

    async def get() -> None:
        await model.client().get(url)

    async def two_at_once() -> None:
        await asyncio.gather(get(), get())

    async def enter_and_get() -> None:
        loops.enter()
        await get()

    one, other = two_loops
    for loop in (other, one):
        loop.do(enter())  # there is no client yet
    one.do(two_at_once())
    for loop in (other, one, other, one):
        loop.do(enter_and_get())
    assert len(set(seen)) == 3
    assert seen[2] == seen[4] not in seen[:2]
    assert {seen[3], seen[5]} <= set(seen[:2])
    closed(model.client(), one, other)


@pytest.mark.parametrize("under_way", [0, 1])
def test_a_loop_that_comes_later_never_works_in_the_pool_of_another(
    ports: tuple[str, list[int]], two_loops: tuple[Loop, Loop], under_way: int
) -> None:
    """Two routers share a client, each in its own loop. The first connects, or has, when the second comes."""
    url = ports[0]
    client = httpx.AsyncClient(trust_env=False)
    transport: Any = client._transport
    first, connecting, go_on = transport._pool, threading.Event(), asyncio.Event()

    async def later(_: str, __: Any) -> None:
        connecting.set()
        await go_on.wait()

    async def get(loops: LoopTracker, **options: Any) -> str:
        loops.enter()
        return (await client.get(url, **options)).text

    async def after_a_while() -> list[str]:
        held = {"extensions": {"trace": later}}
        return list(await asyncio.gather(*(get(loops[0], **held) for _ in range(under_way))))

    async def go() -> None:
        go_on.set()

    one, other = two_loops
    loops = [LoopTracker([Model(client)]) for _ in two_loops]
    if not under_way:
        one.do(get(loops[0]))
    waiting = asyncio.run_coroutine_threadsafe(after_a_while(), one._loop)
    assert not under_way or connecting.wait(10)
    assert other.do(get(loops[1])) == "ok"
    assert transport._pool._shares[other._loop] is not first
    one.do(go())
    assert waiting.result(10) == ["ok"] * under_way
    assert first._requests == []
    assert [one.do(get(loops[0])), other.do(get(loops[1]))] == ["ok", "ok"]
    closed(client, one, other)


def test_looks_only_when_a_loop_is_new_or_a_known_one_was_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []
    monkeypatch.setattr(closed_loops, "drop_closed", looked.append)
    loops = LoopTracker(["model"])

    async def enter() -> None:
        loops.enter()

    def entered(loop: asyncio.AbstractEventLoop) -> int:
        loop.run_until_complete(enter())
        return len(looked)

    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    assert [entered(loop) for loop in (first, first, second, first, second)] == [1, 1, 2, 2, 2]
    second.close()
    assert [entered(first), entered(first)] == [3, 3]
    first.close()


class Strange:
    @property
    def connections(self) -> list[object]:
        raise RuntimeError("another shape")


@pytest.mark.parametrize("model", [object(), Model(None), Model(Strange()), Model({"a": 1}), Model([Strange()])])
def test_what_nobody_knows_is_left_alone(model: object) -> None:
    assert drop_closed(model) == 0
