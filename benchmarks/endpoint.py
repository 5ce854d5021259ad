"""CPU per call of the built-in client beside the openai SDK and LangChain's ChatOpenAI, over loopback, in one process.

    python -m benchmarks.endpoint [--calls 1000] [--rounds 5]

Every stack is called in every round; the ratios are medians of same-round pairs, so that a machine that slows down or
speeds up does not count. The server runs in its own process; it answers at once, and 50 calls at once after 5 ms, so
that they are 50 calls in flight. Times by the clock, and routers: `python -m benchmarks.overhead.loopback`.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.option import at_least_one
from benchmarks.overhead.server import CHUNKS, running
from benchmarks.overhead.ways import CHAT_OPENAI, WAYS, HttpWay

OURS = "built-in endpoint"
STACKS = (OURS, "openai SDK", CHAT_OPENAI, "raw httpx")


def blocking(call: Callable[[], object], count: int) -> float:
    for _ in range(20):
        call()
    count, start = max(count, 1), time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - start) / count * 1e6


async def concurrent(call: Callable[[], Awaitable[Any]], count: int, width: int) -> float:
    async def worker(times: int) -> None:
        for _ in range(times):
            await call()

    await asyncio.gather(*(worker(2) for _ in range(width)))
    each, start = max(count // width, 1), time.process_time()
    await asyncio.gather(*(worker(each) for _ in range(width)))
    return (time.process_time() - start) / (each * width) * 1e6


async def figures(way: HttpWay, thinking: HttpWay, count: int) -> dict[str, float]:
    """What a round finds of a stack."""
    call, stream = way.call, way.stream
    assert call is not None
    assert stream is not None
    return {
        "unary": blocking(call, count // 2),
        f"stream of {CHUNKS}": blocking(lambda: list(stream()), count // 4),
        "asyncio, 1 at a time": await concurrent(way.acall, count // 2, 1),
        "asyncio, 50 at once": await concurrent(thinking.acall, count, 50),
    }


async def measure(url: str, count: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    made = {name: (WAYS[name].made(f"{url}/v1"), WAYS[name].made(f"{url}/thinking/v1")) for name in STACKS}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in STACKS}
    for _ in range(rounds):
        for name, (way, thinking) in made.items():
            found[name].append(await figures(way, thinking, count))
    return found


def show(found: dict[str, list[dict[str, float]]]) -> None:
    print("CPU µs per call, median of rounds (built-in / this stack, median of same-round ratios)\n")
    for what in found[OURS][0]:
        print(what)
        ours = [each[what] for each in found[OURS]]
        for name, rounds in found.items():
            theirs = [each[what] for each in rounds]
            ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
            print(f"  {name:<17} {statistics.median(theirs):8.0f}   {ratio:6.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endpoint", description=__doc__)
    parser.add_argument("--calls", type=at_least_one, default=1_000)
    parser.add_argument("--rounds", type=at_least_one, default=5)
    options = parser.parse_args()
    with running() as url:
        show(asyncio.run(measure(url, options.calls, options.rounds)))


if __name__ == "__main__":
    main()
