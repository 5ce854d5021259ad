"""The waits for the chunks of one attempt: a limit for each, one timer for all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from unit.execution.driving.shown import Shown

from capability_router.execution.driving.chunk_timeout import ChunkTimeout
from capability_router.execution.driving.effect_runner import AlarmExpired

LONG, SHORT = 60.0, 0.02


class Told:
    """A performance whose patience the test sets. Its limits are in seconds; None = it waits for ever."""

    def __init__(self, limit: float | None) -> None:
        self.limit, self.lateness = limit, Shown().show.lateness

    def patience_s(self) -> float | None:
        return self.limit


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each timer that the loop was given was to ring."""
    seen: list[float] = []
    call_at = asyncio.BaseEventLoop.call_at

    def counted(loop: Any, when: float, *args: Any, **kwargs: Any) -> Any:
        seen.append(when)
        return call_at(loop, when, *args, **kwargs)

    monkeypatch.setattr(asyncio.BaseEventLoop, "call_at", counted)
    return seen


async def _chunk(text: str, turns: int = 1) -> str:
    for _ in range(turns):
        await asyncio.sleep(0)
    return text


async def test_twenty_waits_take_one_timer(timers: list[float]) -> None:
    waits: Any = ChunkTimeout(Told(LONG))  # type: ignore[arg-type]  # as far as it is asked
    assert [await waits.within(_chunk(str(i))) for i in range(20)] == [str(i) for i in range(20)]
    assert len(timers) == 1
    waits.over()


async def test_a_limit_that_is_over_sooner_than_the_one_before_is_kept() -> None:
    told = Told(LONG)
    waits: Any = ChunkTimeout(told)  # type: ignore[arg-type]
    await waits.within(_chunk("first"))
    told.limit = SHORT
    with pytest.raises(AlarmExpired):
        await asyncio.wait_for(waits.within(asyncio.sleep(LONG)), LONG / 2)
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]  # this one


async def test_a_timer_that_was_put_off_rings_when_the_last_wait_is_over_and_between_waits_for_nobody() -> None:
    waits: Any = ChunkTimeout(Told(5 * SHORT))  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    await waits.within(_chunk("first"))
    await asyncio.sleep(3 * SHORT)
    begun = loop.time()
    with pytest.raises(AlarmExpired):
        await waits.within(asyncio.sleep(LONG))
    assert loop.time() - begun > 4.9 * SHORT
    await asyncio.sleep(6 * SHORT)
    assert await waits.within(_chunk("later")) == "later"


@pytest.mark.parametrize("again", [False, True])
async def test_what_a_step_works_before_it_waits_is_a_part_of_its_limit(
    again: bool, timers: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a client that makes its connection pool, or writes a large request, before its first wait."""
    loop, worked_s = asyncio.get_running_loop(), 0.7 * LONG
    begun = loop.time()

    async def works() -> str:
        monkeypatch.setattr(loop, "time", lambda: begun + worked_s)
        return await _chunk("late")

    monkeypatch.setattr(loop, "time", lambda: begun)
    told = Told(LONG)
    waits: Any = ChunkTimeout(told)  # type: ignore[arg-type]
    if again:  # the timer is there, and set anew
        told.limit = 2 * LONG
        await waits.within(_chunk("first"))
        told.limit = LONG
    assert await waits.within(works()) == "late"
    assert timers[-1] == pytest.approx(begun + LONG)
    waits.over()
    monkeypatch.undo()


async def test_who_is_cancelled_from_outside_is_not_told_that_the_timer_rang() -> None:
    waits: Any = ChunkTimeout(Told(LONG))  # type: ignore[arg-type]
    task = asyncio.create_task(waits._limited(asyncio.sleep(LONG).__await__(), LONG))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_in_the_turn_of_the_timer_is_the_error_and_leaves_no_cancellation() -> None:
    async def fails() -> None:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            raise ConnectionError("reset") from None

    waits: Any = ChunkTimeout(Told(SHORT))  # type: ignore[arg-type]
    with pytest.raises(ConnectionError, match="reset"):
        await waits.within(fails())
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]  # this one


def test_a_stream_that_is_read_in_one_loop_after_the_other() -> None:
    waits: Any = ChunkTimeout(Told(SHORT))  # type: ignore[arg-type]

    async def read(step: Any) -> Any:
        return await waits.within(step)

    assert asyncio.run(read(_chunk("first"))) == "first"
    with pytest.raises(AlarmExpired):
        asyncio.run(read(asyncio.sleep(LONG)))
