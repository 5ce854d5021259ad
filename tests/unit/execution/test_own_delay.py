"""A program that keeps its event loop for itself: what has arrived is read before a model is said to be late."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from capability_router import AllCandidatesFailed, Request
from capability_router.clock import SystemClock
from capability_router.request import Finish, Reply, Usage
from capability_router.router import Router
from capability_router.testing import assert_books_balanced, scripted_router


class Arrives:
    """A model whose answer is there after so many seconds, and takes some turns of the loop to read."""

    keeps_time = False

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._text = ""

    def abort(self) -> None:
        """It holds nothing."""

    async def achunks(self) -> AsyncIterator[str]:
        await asyncio.sleep(self._after_s)
        for _ in range(5):
            await asyncio.sleep(0)
        self._text = "text"
        yield self._text

    def chunks(self) -> Iterator[str]:
        raise AssertionError("only awaited")

    def commits(self, chunk: str) -> bool:
        return True

    def reply(self) -> Reply:
        return Reply(Usage(10, 1), Finish.STOP if self._text else None, self._text)


class Endpoint:
    def __init__(self, **after_s: float) -> None:
        self.after_s = after_s

    def start(self, launch: Any) -> Arrives:
        return Arrives(self.after_s[launch.candidate.id])

    def fault(self, error: BaseException) -> None:
        return None


async def answers(
    router: Router, endpoint: Endpoint, *, away_s: float, stream: bool, calls: int = 12, begun_s: float = 0.005
) -> list[str]:
    """Which model answered so many calls at once; `begun_s` after their beginning the program blocked its loop."""

    async def ask() -> str:
        run = router.start(Request(("hi",), stream=stream), endpoint)
        async for _ in run:
            pass
        return str(run.outcome.model)

    asked = [asyncio.create_task(ask()) for _ in range(calls)]
    await asyncio.sleep(begun_s)
    time.sleep(away_s)  # noqa: ASYNC251 - what is looked into
    return await asyncio.gather(*asked)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("hedge", [True, False])
async def test_answers_that_were_there_in_time_are_answers(stream: bool, hedge: bool) -> None:
    settings: dict[str, Any] = {"hedge": {"after_s": 9.0}} if hedge else {}
    router = scripted_router(
        {"a": ["ok"], "b": ["ok"]}, clock=SystemClock(), policy="single", timeouts={"total": 0.1}, **settings
    )
    for _ in range(3):
        told = await answers(router, Endpoint(a=0.02, b=0.0), away_s=0.3, stream=stream)
        assert told == ["a"] * 12
    assert [(row["state"], row["failed"], row["calls"]) for row in router.health()] == [
        ("closed", 0, 36), ("closed", 0, 0),
    ]  # fmt: skip
    assert_books_balanced(router)


async def test_the_time_that_the_loop_was_away_is_given_back_but_not_of_a_deadline() -> None:
    async def told(after_s: float, **settings: Any) -> list[str]:
        router = scripted_router({"a": ["ok"], "b": ["ok"]}, clock=SystemClock(), policy="single", **settings)
        return await answers(router, Endpoint(a=after_s, b=0.0), away_s=0.3, stream=True)

    assert await told(0.35, timeouts={"total": 0.15}) == ["a"] * 12
    with pytest.raises(AllCandidatesFailed, match="late, for this program was busy"):
        await told(9.0, deadline_s=0.15)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("away_s", [0.3, 0.6])  # up to the limit, and beyond it
async def test_a_call_that_the_program_kept_from_being_sent_has_its_whole_time(stream: bool, away_s: float) -> None:
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, clock=SystemClock(), policy="single", timeouts={"total": 0.3})
    endpoint = Endpoint(a=0.1, b=0.0)
    assert await answers(router, endpoint, away_s=away_s, stream=stream, begun_s=0.0) == ["a"] * 12
    assert router.health()[0]["failed"] == 0
    assert_books_balanced(router)


async def test_a_deadline_that_passes_before_a_call_is_sent_opens_no_breaker() -> None:
    router = scripted_router({"a": ["ok"]}, clock=SystemClock(), policy="single", deadline_s=0.1)
    with pytest.raises(AllCandidatesFailed, match="late, for this program was busy"):
        await answers(router, Endpoint(a=0.05), away_s=0.3, stream=True, begun_s=0.0)
    assert (router.health()[0]["state"], router.health()[0]["failed"]) == ("closed", 0)


async def test_a_delay_of_our_own_opens_no_breaker() -> None:
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, clock=SystemClock(), policy="single", timeouts={"total": 0.1})
    endpoint = Endpoint(a=9.0, b=0.0)
    assert await answers(router, endpoint, away_s=0.3, stream=True) == ["b"] * 12
    row = router.health()[0]
    assert (row["state"], row["failed"], row["neutral"]) == ("closed", 0, 12)
    assert await answers(router, endpoint, away_s=0.3, stream=True) == ["b"] * 12
    assert router.health()[0]["failed"] == 1  # it has not answered in between: once for all of them


async def test_a_model_that_is_silent_is_blamed_as_ever_when_the_loop_was_there() -> None:
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, clock=SystemClock(), policy="single", timeouts={"total": 0.1})
    assert await answers(router, Endpoint(a=9.0, b=0.0), away_s=0.0, stream=True) == ["b"] * 12
    assert router.health()[0]["failed"] >= 5
