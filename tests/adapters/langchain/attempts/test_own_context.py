"""A coroutine inside a context, in the task of its caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar, copy_context

import pytest

from langchain_router.attempts.own_context import inside

word: ContextVar[str] = ContextVar("word", default="outside")


async def test_each_step_sees_the_context_and_the_caller_keeps_its_own() -> None:
    async def work() -> list[str]:
        seen = [word.get()]
        word.set("within")
        await asyncio.sleep(0)
        return [*seen, word.get()]

    context = copy_context()
    context.run(word.set, "before")
    assert await inside(context, work()) == ["before", "within"]
    assert (word.get(), context[word]) == ("outside", "within")


async def test_it_runs_in_the_callers_task() -> None:
    async def work() -> list[asyncio.Task[object] | None]:
        first = asyncio.current_task()
        await asyncio.sleep(0.001)
        return [first, asyncio.current_task()]

    mine = asyncio.current_task()
    assert await inside(copy_context(), work()) == [mine, mine]


async def test_a_time_limit_and_what_it_raises_reach_the_caller() -> None:
    async def work() -> None:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        await inside(copy_context(), work())


async def test_a_cancellation_reaches_it_where_it_waits() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # what it still has to await is awaited
            ended.append(word.get())
            raise

    async def call() -> None:
        await inside(context, work())

    context = copy_context()
    context.run(word.set, "kept")
    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["kept"]


async def test_the_steps_of_an_async_generator() -> None:
    async def count() -> AsyncIterator[str]:
        for _ in range(2):
            yield word.get()
            word.set(word.get() + "!")
            await asyncio.sleep(0)

    context, steps = copy_context(), count()
    got = [await inside(context, anext(steps, "end")) for _ in range(3)]  # type: ignore[arg-type]  # it has send and throw
    assert got == ["outside", "outside!", "end"]
