"""One event loop after the other over the same model, and several at the same time, each in a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Say
from adapters.processes import Processes

_AT_ONCE, _LOOPS = 6, 3
_SCRIPT = """
import asyncio, sys
from langchain_openai import ChatOpenAI
from langchain_router import ChatRouter

url, stream, at_once, loops = sys.argv[1:]
first = ChatOpenAI(model="gpt-4o-mini", api_key="k", base_url=url)
llm = ChatRouter(models=[first, {"id": "spare", "endpoint": {"base_url": url, "model": "spare"}}], policy="single")

async def one(streamed):
    if not streamed:
        return (await llm.ainvoke("hi")).content
    return "".join([chunk.content async for chunk in llm.astream("hi")])

async def all_at_once(streamed):
    return await asyncio.gather(*[one(streamed) for _ in range(int(at_once))])

for loop in range(int(loops)):  # the first leaves connections behind in any case: streams of this server close theirs
    assert asyncio.run(all_at_once(stream == "stream" and loop > 0)) == ["one two"] * int(at_once)
assert not any(row["held"] for row in llm.router.health()), llm.router.health()
print(llm.router.ledger.total().calls)
"""


@pytest.fixture
def slow_server() -> Iterator[ChatServer]:
    def slowly(_: dict[str, Any]) -> Say:
        time.sleep(0.05)  # so that each call has a connection of its own
        return Say("one two")

    server = ChatServer()
    server.script("gpt-4o-mini", slowly)
    yield server
    server.close()


@pytest.mark.parametrize("stream", ["whole", "stream"])
def test_connections_of_a_closed_loop_are_no_failure_of_the_model(
    processes: Processes, slow_server: ChatServer, stream: str
) -> None:
    ran = processes.run(_SCRIPT, slow_server.url, stream, str(_AT_ONCE), str(_LOOPS))
    assert ran.code == 0, ran.stderr[-2_000:]
    assert int(ran.stdout) == _AT_ONCE * _LOOPS
    assert not slow_server.of("spare")


_AT_THE_SAME_TIME = """
import asyncio, sys
from concurrent.futures import ThreadPoolExecutor
from langchain_openai import ChatOpenAI
from langchain_router import ChatRouter

kind, url, threads, rounds = sys.argv[1:]
spare = {"id": "spare", "endpoint": {"base_url": url, "model": "spare"}}

def router():
    return ChatRouter(models=[ChatOpenAI(model="gpt-4o-mini", api_key="k", base_url=url), spare], policy="single")

routers = [router() for _ in range(int(threads))]
# The SDK's pydantic classes are built at their first use, which older versions can't do in several threads at once.
assert ChatOpenAI(model="gpt-4o-mini", api_key="k", base_url=url).invoke("first").content == "one two"

async def some(llm):  # first all in one stroke, so that each loop has connections that the others could be given
    for _ in range(int(rounds)):
        got = await llm.abatch(["a", "b", "c"])
        assert [m.content for m in got] == ["one two"] * 3, [m.response_metadata for m in got]

def in_a_loop(number):
    asyncio.run(some(routers[0 if kind == "one router" else number]))

with ThreadPoolExecutor(int(threads)) as pool:
    list(pool.map(in_a_loop, range(int(threads))))
assert not any(row["held"] for llm in routers for row in llm.router.health())
print(sum(llm.router.ledger.total().calls for llm in routers))
"""


@pytest.mark.parametrize("kind", ["one router", "a router each"])  # ChatOpenAI's share one client all the same
def test_loops_at_the_same_time_have_connections_of_their_own(
    processes: Processes, slow_server: ChatServer, kind: str
) -> None:
    threads, rounds = 4, 4
    ran = processes.run(_AT_THE_SAME_TIME, kind, slow_server.url, str(threads), str(rounds))
    assert ran.code == 0, ran.stderr[-2_000:]
    assert int(ran.stdout) == 3 * threads * rounds == len(slow_server.requests) - 1, "one before the router"
    assert not slow_server.of("spare")
