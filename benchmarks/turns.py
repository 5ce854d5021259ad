"""What one awaited call costs its event loop, counted: python -m benchmarks.turns [--rounds 60]

ChatOpenAI over loopback, asked directly, behind `with_fallbacks`, and behind `ChatRouter`, one call at a time: turns
of the loop, tasks, timers, calls of Python functions, and those of C functions with them, each per call. Then the same
where the first model answers with an error 500, and the processor time of a wave of 20 such calls at once, the first
since all was well: the quickest of many rounds, in which the ways take turns. Counts do not depend on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import sys
import time
from collections.abc import Iterator
from typing import Any

from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from benchmarks.option import at_least_one
from benchmarks.overhead.server import running
from langchain_router import ChatRouter

QUESTION, CALLS, WAVE = "What is a capability?", 20, 20
HEADS = (("turns", 9), ("tasks", 9), ("timers", 9), ("functions", 11), ("with C's", 11))
CLOCK = {"timeouts": {"total": 20}}


class Counting(asyncio.SelectorEventLoop):
    """A loop that counts."""

    turns = tasks = timers = 0

    def _run_once(self) -> None:
        self.turns += 1
        super()._run_once()  # type: ignore[misc]  # asyncio's own, which its stubs leave out

    def create_task(self, *given: Any, **options: Any) -> asyncio.Task[Any]:
        self.tasks += 1
        return super().create_task(*given, **options)

    def call_at(self, *given: Any, **options: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(*given, **options)


def model(url: str, name: str = "gpt-5-mini") -> ChatOpenAI:
    return ChatOpenAI(model=name, api_key=SecretStr("k"), base_url=url, max_retries=0, timeout=20)


def ways(url: str) -> dict[str, Any]:
    """All is well."""
    return {
        "bare": model(url),
        "with_fallbacks": model(url).with_fallbacks([model(url)]),
        "ChatRouter": ChatRouter([model(url), model(url)], policy="single"),
        "ChatRouter, a clock": ChatRouter([model(url), model(url)], policy="single", **CLOCK),
    }


def failing(url: str) -> dict[str, Any]:
    """The first model fails, another one answers."""

    def router(**settings: Any) -> ChatRouter:
        return ChatRouter([(model(url, "broken"), {"id": "broken"}), model(url)], policy="single", **settings)

    fallbacks = model(url, "broken").with_fallbacks([model(url)])
    return {"with_fallbacks": fallbacks, "ChatRouter": router(), "ChatRouter, a clock": router(**CLOCK)}


def as_new(way: Any) -> None:
    """Forget that the first model has failed."""
    if isinstance(way, ChatRouter) and "broken" in way.router.registry.entries:
        way.router.reset("broken")


def called(loop: Counting, way: Any) -> tuple[int, int]:
    """Calls of Python functions in one awaited call, and of C's with them."""
    python = both = 0

    def note(_: Any, event: str, __: Any) -> None:
        nonlocal python, both
        python += event == "call"
        both += event in ("call", "c_call")

    as_new(way)
    sys.setprofile(note)
    loop.run_until_complete(way.ainvoke(QUESTION))
    sys.setprofile(None)
    return python, both


def row(loop: Counting, name: str, way: Any) -> str:
    for _ in range(3):
        loop.run_until_complete(way.ainvoke(QUESTION))
    loop.turns = loop.tasks = loop.timers = 0
    for _ in range(CALLS):
        as_new(way)
        loop.run_until_complete(way.ainvoke(QUESTION))
    counts = "".join(f"{count / CALLS:9.1f}" for count in (loop.turns, loop.tasks, loop.timers))
    python, both = map(min, zip(*(called(loop, way) for _ in range(5)), strict=True))
    return f"{name:20}{counts}{python:11,}{both:11,}"


def wave_ms(loop: Counting, way: Any) -> float:
    """Processor time of the first wave of calls that fail over."""

    async def wave() -> None:
        await asyncio.gather(*(way.ainvoke(QUESTION) for _ in range(WAVE)))

    as_new(way)
    gc.collect()
    before = time.process_time_ns()
    loop.run_until_complete(wave())
    return (time.process_time_ns() - before) / 1e6


def waves(loop: Counting, url: str, rounds: int) -> Iterator[str]:
    """The quickest wave of each way, and as a share of that of `with_fallbacks`."""
    seen: dict[str, list[float]] = {}
    asked = failing(url)
    for _ in range(rounds):
        for name, way in asked.items():
            seen.setdefault(name, []).append(wave_ms(loop, way))
    least = min(seen["with_fallbacks"])
    for name, times in seen.items():
        yield f"{name:20}{min(times):9.1f}{min(times) / least:9.2f} x"


def table(loop: Counting, url: str, rounds: int) -> Iterator[str]:
    """Line by line, as it is measured."""
    heads = "".join(f"{word:>{width}}" for word, width in HEADS)
    for title, made in (("all is well", ways), ("it fails over", failing)):
        yield f"{title:20}{heads}"
        for name, way in made(url).items():
            yield row(loop, name, way)
        yield ""
    yield f"{f'{WAVE} fail over':20}{'ms':>9}"
    yield from waves(loop, url, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns", description=__doc__)
    parser.add_argument("--rounds", type=at_least_one, default=60)
    given = parser.parse_args()
    logging.getLogger("capability_router").setLevel(logging.ERROR)  # of each breaker that opens, and each reset
    loop = Counting()
    asyncio.set_event_loop(loop)
    with running() as url:
        for line in table(loop, f"{url}/v1", given.rounds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
