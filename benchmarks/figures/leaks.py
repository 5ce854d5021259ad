"""Figure 17, no leaks: memory over a million requests on one router, then threads, tasks and files after real calls."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from langchain_openai import ChatOpenAI

from langchain_router import AllCandidatesFailed, ChatEndpoint, ChatRouter

from .figure_result import FigureResult, scaled
from .ground.loopback import Server
from .ground.traffic import four, steady
from .ground.virtual_time import Simulation

REQUESTS, WARM, MOST_MIB = 1_000_000, 100_000, 5.0
FILES = Path("/proc/self/fd")
OWN, SERVING = "router attempt", "process_request_thread"
"""Names of the threads of attempts, and of the loopback server's, which must have ended before anything is counted."""


def resident_mib() -> float:
    """Resident memory of this process, as Linux tells it."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _growth(requests: int, warm: int, seed: int) -> float:
    """MiB from the end of the warm-up (its tables of the newest 10,000 are full by then) to the end."""
    weather = [(at * 60.0, name) for at in range(2_000) for name in (("fair", "broken", "cut", "limited")[at % 4],)]
    sim = Simulation(four(weather), seed, policy={"name": "adaptive", "seed": seed}, deadline_s=20.0)
    marks: list[float] = []
    asks = steady(seed, requests, 10.0)

    def counted() -> Iterator[Any]:
        for n, ask in enumerate(asks):
            if n == warm:
                marks.append(resident_mib())
            yield ask

    sim.run(counted())
    sim.witness.at_rest(sim.providers.values())
    return resident_mib() - marks[0]


class LeakCounts(NamedTuple):
    """What is there beside memory."""

    threads: int
    tasks: int
    files: int


def _lingering(calls: int) -> LeakCounts:
    """What as many calls again add to what the first ones left: a client keeps a connection, however many calls."""
    server = Server()
    children = [
        ChatOpenAI(model="first-a", base_url=f"{server.url}/v1", api_key="k"),
        ChatEndpoint(model="dead-b", base_url=f"{server.url}/v1"),
    ]
    retry = {"per_target": 0, "wait": "none"}
    llm = ChatRouter(models=children, timeouts={"first_token": 0.02}, policy="single", retry=retry)
    try:
        with asyncio.Runner() as runner:
            first, then = (_after(runner, llm, calls, server) for _ in range(2))
    finally:
        server.close()
    return LeakCounts(*(max(b - a, 0) for a, b in zip(first, then, strict=True)))


def _after(runner: asyncio.Runner, llm: ChatRouter, calls: int, server: Server) -> LeakCounts:
    """What there is after calls whose first model goes silent, in threads and in tasks."""
    for _ in range(calls):
        runner.run(_failed(llm))
    server.release()
    for thread in threading.enumerate():
        if thread.name.startswith(OWN) or SERVING in thread.name:
            thread.join(1)
    gc.collect()
    tasks = len(asyncio.all_tasks(runner.get_loop()))
    return LeakCounts(threading.active_count(), tasks, len(list(FILES.iterdir())))


async def _failed(llm: ChatRouter) -> None:
    try:
        list(llm.stream("hi"))
        raise AssertionError("a server that never answers has answered")
    except AllCandidatesFailed:
        pass
    try:
        async for _ in llm.astream("hi"):
            pass
    except AllCandidatesFailed:
        return


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    requests, warm = scaled(REQUESTS, scale, 4_000), scaled(WARM, scale, 2_000)
    grown = _growth(requests, warm, seed)
    yield FigureResult(
        "memory", f"{grown:+.1f} MiB resident over {requests - warm:,} requests, after {warm:,}",
        f"<= {MOST_MIB:g} MiB", grown <= MOST_MIB, str(seed),
    )  # fmt: skip
    left = _lingering(scaled(50, scale, 5))
    told = ", ".join(f"{count} {kind}" for kind, count in left._asdict().items())
    yield FigureResult(
        "left behind", f"{told} more after as many calls again", "0 threads, tasks and files",
        not any(left), "none",
    )  # fmt: skip
