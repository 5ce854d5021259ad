"""One way of `ways.py` at work in a process of its own: python -m benchmarks.overhead.client NAME BASE_URL

Prints a JSON line when it is made, and one for each line that it is told: `call 100`, `first 50`, `at_once 500` (all
with a count), `memory`. Times are microseconds: of the clock for each call ("took"), of the processor for a call
("work").
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks.overhead.memory import resident_mib
from benchmarks.overhead.server import ANSWER
from benchmarks.overhead.ways import WAYS, HttpWay

AT_ONCE, REMEMBERED = 50, 1_000
Found = dict[str, Any]


def _timed(call: Callable[[], object], count: int) -> Found:
    took, worked = [], time.process_time_ns()
    for _ in range(count):
        began = time.perf_counter_ns()
        call()
        took.append((time.perf_counter_ns() - began) / 1_000)
    return {"took": took, "work": (time.process_time_ns() - worked) / count / 1_000}


def _first(way: HttpWay, count: int) -> Found:
    """Until the first text; the others are read, too, but not timed."""
    assert way.stream is not None
    took, worked = [], time.process_time_ns()
    for _ in range(count):
        began, texts = time.perf_counter_ns(), way.stream()
        while not next(texts):
            pass
        took.append((time.perf_counter_ns() - began) / 1_000)
        for _ in texts:
            pass
    return {"took": took, "work": (time.process_time_ns() - worked) / count / 1_000}


async def _at_once(way: HttpWay, count: int) -> Found:
    took: list[float] = []

    async def caller() -> None:
        for _ in range(count // AT_ONCE):
            began = time.perf_counter_ns()
            assert await way.acall() == ANSWER
            took.append((time.perf_counter_ns() - began) / 1_000)

    began, worked = time.perf_counter(), time.process_time_ns()
    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    work, wall = time.process_time_ns() - worked, time.perf_counter() - began
    return {"took": took, "work": work / len(took) / 1_000, "per_s": len(took) / wall}


class WayClient:
    """A way to a server that answers at once, and one to a server that thinks, both in one event loop."""

    def __init__(self, name: str, url: str) -> None:
        made = WAYS[name].made
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._quick, self._thinking = self._run(_made(made, f"{url}/v1")), self._run(_made(made, f"{url}/thinking/v1"))

    def obey(self, what: str, count: int) -> Found:
        """What was measured; LookupError for an order that it does not know."""
        gc.collect()
        if what == "call":
            assert self._quick.call is not None
            return _timed(self._quick.call, count)
        if what == "first":
            return _first(self._quick, count)
        if what == "at_once":
            return self._run(_at_once(self._thinking, count))
        if what == "memory":
            self._remember()
            return {"mib": resident_mib()}
        raise LookupError(f"no such order: {what}")

    def _remember(self) -> None:
        if self._quick.call is None:
            self._run(_at_once(self._thinking, REMEMBERED))
        else:
            _timed(self._quick.call, REMEMBERED)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)


async def _made(made: Callable[[str], HttpWay], url: str) -> HttpWay:
    return made(url)  # aiohttp's client wants a running loop


def main() -> None:
    name, url = sys.argv[1:]
    warnings.simplefilter("ignore")
    logging.disable()
    client = WayClient(name, url)
    print(json.dumps({"mib": resident_mib()}), flush=True)
    for line in sys.stdin:
        what, _, count = line.partition(" ")
        print(json.dumps(client.obey(what.strip(), int(count or 0))), flush=True)
    sys.stdout.flush()
    os._exit(0)  # its connections end with it


if __name__ == "__main__":
    main()
