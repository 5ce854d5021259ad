"""The clocks of an attempt and of a request, for models that keep none themselves: in sync and in async alike."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from unit.execution.gated import GatedAttempt, GatedEndpoint, GatedModel

from capability_router import AllCandidatesFailed, Request, StreamInterrupted, routing
from capability_router.clock import ManualClock, SystemClock
from capability_router.execution.run import Run
from capability_router.request import Finish, Reply
from capability_router.sdks.readers import READERS
from capability_router.testing import assert_books_balanced, scripted_router

SHORT = 0.05


@pytest.fixture(params=["sync", "async"])
def play(request: pytest.FixtureRequest) -> Iterator[Any]:
    played: list[GatedModel] = []

    def play(models: dict[str, GatedModel], *, stream: bool = True, **settings: Any) -> tuple[str, Run[str]]:
        played.extend(models.values())
        router = scripted_router({id: ["ok"] for id in models}, clock=SystemClock(), **settings)
        run = router.start(Request(("hi",), stream=stream), GatedEndpoint(models, stream=stream))
        try:
            if request.param == "sync":
                return "".join(run), run
            return asyncio.run(_joined(run)), run
        finally:
            assert_books_balanced(router)

    yield play
    for model in played:
        model.open()


async def _joined(run: Run[str]) -> str:
    return "".join([chunk async for chunk in run])


def faults(run: Run[str]) -> list[tuple[str, str | None, str]]:
    return [(a.model, a.fault, a.detail) for a in run.outcome.attempts]


def test_the_first_token(play: Any) -> None:
    models = {"a": GatedModel(("", "a"), shut=(1,)), "b": GatedModel(("", "b"))}
    text, run = play(models, timeouts={"first_token": SHORT})
    assert text == "b"
    (model, fault, detail), _ = faults(run)
    assert (model, fault) == ("a", "timeout")
    assert detail.startswith("timed out waiting for the first token: after 0.")


def test_between_tokens(play: Any) -> None:
    models = {"a": GatedModel(("", "a1", "a2"), shut=(2,)), "b": GatedModel(("", "b"))}
    with pytest.raises(StreamInterrupted, match="waiting for the next token") as caught:
        play(models, timeouts={"between_tokens": SHORT})
    assert str(caught.value).endswith("timeouts.between_tokens is 0.05 s; raise it if its answers take longer.")
    assert caught.value.partial == "a1"
    assert models["b"].calls == 0


@pytest.mark.parametrize("stream", [True, False])
def test_the_whole_answer(play: Any, stream: bool) -> None:
    models = {"a": GatedModel(("", "a"), shut=(0,)), "b": GatedModel(("", "b"))}
    text, run = play(models, stream=stream, timeouts={"total": SHORT})
    assert text == "b"
    assert "waiting for the whole answer" in faults(run)[0][2]


@pytest.mark.parametrize("stream", [True, False])
def test_the_deadline(play: Any, stream: bool) -> None:
    models = {"a": GatedModel(("", "a"), shut=(0,)), "b": GatedModel(("", "b"))}
    with pytest.raises(AllCandidatesFailed, match=r"deadline of 0.05 s is over"):
        play(models, stream=stream, deadline_s=SHORT)
    assert models["b"].calls == 0


def test_a_stream_that_the_deadline_ends_says_so(play: Any) -> None:
    models = {"a": GatedModel(("", "a1", "a2"), shut=(2,)), "b": GatedModel(("", "b"))}
    with pytest.raises(StreamInterrupted, match=r"whole answer: after 0\.\d+ s, when deadline_s was over"):
        play(models, deadline_s=SHORT, timeouts={"total": 20})


def test_a_stream_in_time_is_left_alone(play: Any) -> None:
    models = {"a": GatedModel(("", "a1", "a2", "a3"))}
    text, _ = play(models, timeouts={"first_token": 20, "between_tokens": 20, "total": 20}, deadline_s=20)
    assert text == "a1a2a3"
    assert models["a"].closed == 1


def test_without_a_clock_there_is_no_thread() -> None:
    seen: list[str] = []

    class Named(GatedModel):
        def begin(self) -> None:
            super().begin()
            seen.append(threading.current_thread().name)

    models = {"a": Named(("", "a"))}
    router = scripted_router({"a": ["ok"]})
    assert "".join(router.start(Request(("hi",), stream=True), GatedEndpoint(models, stream=True))) == "a"
    with routing(deadline_s=20):
        request = Request(("hi",), stream=True)
    assert "".join(router.start(request, GatedEndpoint(models, stream=True))) == "a"
    assert seen == [threading.current_thread().name, "router attempt 1"]


def test_nor_for_a_whole_reply_under_the_clocks_of_streams() -> None:
    seen: list[str] = []

    class Named(GatedModel):
        def begin(self) -> None:
            super().begin()
            seen.append(threading.current_thread().name)

    router = scripted_router({"a": ["ok"]}, timeouts={"first_token": 20, "between_tokens": 20})
    assert "".join(router.start(Request(("hi",)), GatedEndpoint({"a": Named(("a",))}, stream=False))) == "a"
    assert seen == [threading.current_thread().name]


def test_a_thread_that_was_given_up_ends_by_itself_and_closes_its_call() -> None:
    models = {"a": GatedModel(("", "a"), shut=(0,)), "b": GatedModel(("", "b"))}
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, clock=SystemClock(), timeouts={"total": SHORT})
    assert "".join(router.start(Request(("hi",), stream=True), GatedEndpoint(models, stream=True))) == "b"
    assert models["a"].closed == 0
    models["a"].open()
    until = time.monotonic() + 20
    while not models["a"].closed and time.monotonic() < until:
        time.sleep(0.002)
    assert models["a"].closed == 1


@pytest.mark.parametrize(("keeps_time", "hedge"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("awaited", [False, True])
def test_a_reader_who_takes_the_time_itself_is_told_when_it_is_over_and_has_all_that_came(
    monkeypatch: pytest.MonkeyPatch, awaited: bool, keeps_time: bool, hedge: bool
) -> None:
    monkeypatch.setattr("unit.execution.gated.GatedAttempt.keeps_time", keeps_time)
    clock, got = ManualClock(), list[str]()
    settings: dict[str, Any] = {"hedge": {"on": True, "after_s": 9.0}} if hedge else {}
    router = scripted_router({"a": ["ok"]}, clock=clock, deadline_s=3.0, **settings)
    model = GatedModel([f"{n} " for n in range(200)])  # more than are read ahead
    run = router.start(Request(("hi",), stream=True), GatedEndpoint({"a": model}, stream=True))

    def read(chunk: str) -> None:
        got.append(chunk)
        clock.advance(1.0)

    async def each() -> None:
        async for chunk in run:
            read(chunk)

    with pytest.raises(StreamInterrupted, match="when deadline_s was over") as caught:
        asyncio.run(each()) if awaited else [read(chunk) for chunk in run]
    assert got == ["0 ", "1 ", "2 ", "3 "]
    assert caught.value.partial == "".join(got)
    assert (router.health()[0]["failed"], router.health()[0]["neutral"]) == (0, 1), "the model was in time"
    assert_books_balanced(router)


@pytest.mark.parametrize("awaited", [False, True])
def test_one_who_was_away_first_reads_what_has_come(monkeypatch: pytest.MonkeyPatch, awaited: bool) -> None:
    monkeypatch.setattr(GatedAttempt, "keeps_time", True)  # so that no thread reads ahead
    clock, got = ManualClock(), list[str]()
    router = scripted_router({"a": ["ok"]}, clock=clock, deadline_s=3.0)
    run = router.start(Request(("hi",), stream=True), GatedEndpoint({"a": GatedModel(["1", "2", "3"])}, stream=True))

    def read(chunk: str) -> None:
        got.append(chunk)
        clock.advance(9.0 if chunk == "1" else 0.01)

    async def each() -> None:
        async for chunk in run:
            read(chunk)

    asyncio.run(each()) if awaited else [read(chunk) for chunk in run]
    assert got == ["1", "2", "3"]
    assert router.health()[0]["failed"] == 0


def told_when_shown(attempt: GatedAttempt) -> Reply:
    """As of most integrations, whose terminal reason is read off the chunk that is shown."""
    end = Finish.STOP if attempt._seen[-1:] == ["end"] else None
    return Reply(finish=end, text="".join(attempt._seen))


@pytest.mark.parametrize("told", [GatedAttempt.reply, told_when_shown])
@pytest.mark.parametrize("awaited", [False, True])
def test_what_was_read_ahead_to_its_end_is_whole(monkeypatch: pytest.MonkeyPatch, awaited: bool, told: Any) -> None:
    monkeypatch.setattr(GatedAttempt, "reply", told)
    clock, got = ManualClock(), list[str]()
    hedge: Any = {"on": True, "after_s": 9.0}
    router = scripted_router({"a": ["ok"]}, clock=clock, deadline_s=3.0, hedge=hedge)
    model = GatedModel([*(f"{n} " for n in range(20)), "end"])
    run = router.start(Request(("hi",), stream=True), GatedEndpoint({"a": model}, stream=True))

    async def each() -> None:
        async for chunk in run:
            got.append(chunk)
            while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - it knows no event
                await asyncio.sleep(0)
            clock.advance(1.0)

    def every() -> None:
        before = set(READERS._under_way)
        for chunk in run:
            got.append(chunk)
            while READERS._under_way - before:
                time.sleep(0.001)
            clock.advance(1.0)

    asyncio.run(each()) if awaited else every()
    assert got == model.chunks
    assert faults(run) == [("a", None, "")]


@pytest.mark.parametrize("hedge", [False, True])
@pytest.mark.parametrize("awaited", [False, True])
def test_a_late_chunk_that_ends_the_answer_makes_it_whole(
    monkeypatch: pytest.MonkeyPatch, awaited: bool, hedge: bool
) -> None:
    monkeypatch.setattr(GatedAttempt, "reply", told_when_shown)
    clock, got = ManualClock(), list[str]()
    settings: dict[str, Any] = {"hedge": {"on": True, "after_s": 9.0}} if hedge else {}
    router = scripted_router({"a": ["ok"]}, clock=clock, deadline_s=3.0, **settings)
    model = GatedModel(["0 ", "1 ", "2 ", "end", "tokens"], shut=[4])
    run = router.start(Request(("hi",), stream=True), GatedEndpoint({"a": model}, stream=True))

    async def each() -> None:
        async for chunk in run:
            got.append(chunk)
            clock.advance(1.0)

    def every() -> None:
        for chunk in run:
            got.append(chunk)
            assert model.reached.wait(20)
            clock.advance(1.0)

    asyncio.run(each()) if awaited else every()
    model.open()
    assert got == ["0 ", "1 ", "2 ", "end"]
    assert faults(run) == [("a", None, "")]
