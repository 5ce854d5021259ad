"""How a chat model is asked, and the microseconds of processor time of each call of a round."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler

from benchmarks.overhead.prompt import PROMPT
from benchmarks.overhead.samples import each_us

CALLS, AT_ONCE, WAVES, STREAMS = 200, 50, 20, 20


class Listener(BaseCallbackHandler):
    """Hears of every run, and does nothing about it."""

    run_inline = True


def invoked(model: Any) -> list[float]:
    return each_us([lambda: model.invoke(PROMPT)] * CALLS)


def heard(model: Any) -> list[float]:
    config = {"callbacks": [Listener()]}
    return each_us([lambda: model.invoke(PROMPT, config)] * CALLS)


def waves(model: Any) -> list[float]:
    """Awaited, so many at once: of each wave, the work of a call."""

    async def all_waves() -> list[float]:
        return [await _wave_us(model) for _ in range(WAVES)]

    return asyncio.run(all_waves())


async def _wave_us(model: Any) -> float:
    before = time.process_time_ns()
    await asyncio.gather(*(model.ainvoke(PROMPT) for _ in range(AT_ONCE)))
    return (time.process_time_ns() - before) / AT_ONCE / 1_000


def streamed(model: Any) -> list[float]:
    return each_us([lambda: [None for _ in model.stream(PROMPT)]] * STREAMS)


def first_of_stream(model: Any) -> list[float]:
    """The work until the first chunk; the others are read, too, but not measured."""
    taken = []
    for _ in range(STREAMS):
        before, chunks = time.process_time_ns(), iter(model.stream(PROMPT))
        next(chunks)
        taken.append((time.process_time_ns() - before) / 1_000)
        for _ in chunks:
            pass
    return taken


def astreamed(model: Any) -> list[float]:
    async def all_streams() -> list[float]:
        return [await _astream_us(model) for _ in range(STREAMS)]

    return asyncio.run(all_streams())


async def _astream_us(model: Any) -> float:
    before = time.process_time_ns()
    async for _ in model.astream(PROMPT):
        pass
    return (time.process_time_ns() - before) / 1_000


def first_of_astream(model: Any) -> list[float]:
    """As `first_of_stream`."""

    async def all_streams() -> list[float]:
        return [await _afirst_us(model) for _ in range(STREAMS)]

    return asyncio.run(all_streams())


async def _afirst_us(model: Any) -> float:
    before, chunks = time.process_time_ns(), model.astream(PROMPT)
    await anext(chunks)
    taken = (time.process_time_ns() - before) / 1_000
    async for _ in chunks:
        pass
    return taken
