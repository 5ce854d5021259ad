"""Attempts beside the driver: how far they run ahead, who is heard, who is stopped, and that all end."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import pytest
from unit.execution.driving.shown import Failed, Shown, Spoken
from unit.execution.staged import HEDGE

from capability_router import AllCandidatesFailed
from capability_router.concurrency.loop_timer import LoopTimer
from capability_router.concurrency.thread_pool import _IDLE_S as IDLE_S
from capability_router.execution.driving import chunk_timeout as waits_module
from capability_router.execution.driving import race as module
from capability_router.execution.driving.race import AttemptOutput, AttemptThread, arace, heard, race
from capability_router.request import Usage
from capability_router.sdks import readers as readers_module
from capability_router.sdks.readers import Readers

AHEAD = 64
TIMEOUT_S = 20
WHO = ContextVar("WHO", default="nobody")


class Spoke(Spoken):
    """An attempt with chunks: texts, errors to be raised, and what to do before the next one."""

    def __init__(self, index: int, steps: list[Any]) -> None:
        super().__init__(index)
        self.steps, self.given, self.closed = steps, 0, threading.Event()

    def chunks(self) -> Iterator[str]:
        try:
            for step in self.steps:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, threading.Event):
                    step.wait(TIMEOUT_S)
                elif callable(step):
                    step()
                else:
                    self.given += 1
                    yield step
        finally:
            self.closed.set()

    async def achunks(self) -> AsyncIterator[str]:
        try:
            for step in self.steps:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, threading.Event):
                    while not step.is_set():  # noqa: ASYNC110 - a thread may set it
                        await asyncio.sleep(0)
                elif callable(step):
                    step()
                else:
                    self.given += 1
                    yield step
        finally:
            self.closed.set()


def running(steps: list[Any]) -> tuple[AttemptThread[str], Any, Spoke]:
    box: Any = queue.SimpleQueue()
    attempt = Spoke(7, steps)
    return AttemptThread(7, attempt, box), box, attempt


def showing(*scripts: list[Any], **settings: Any) -> tuple[Shown, list[Spoke]]:
    """A request whose attempts speak like that, the n-th launch the n-th."""
    it = Shown("abc", **settings)
    spoken = [Spoke(number, steps) for number, steps in enumerate(scripts, start=1)]
    it.attempts.update({attempt.index: attempt for attempt in spoken})
    return it, spoken


# -- a runner -------------------------------------------------------------------------------------


def test_it_gives_the_chunks_in_order_and_then_the_end() -> None:
    _, box, attempt = running(["one", "two"])
    taken = [box.get(timeout=TIMEOUT_S) for _ in range(3)]
    assert [(g.attempt, g.last) for g in taken] == [(7, False), (7, False), (7, True)]
    assert [g.chunk for g in taken[:2]] == ["one", "two"]
    assert [g.error for g in taken] == [None] * 3
    assert attempt.closed.is_set()


def test_it_gives_what_the_attempt_raised() -> None:
    for error in (ValueError("mine"), KeyboardInterrupt()):
        _, box, _ = running(["one", error])
        assert box.get(timeout=TIMEOUT_S).chunk == "one"
        given = box.get(timeout=TIMEOUT_S)
        assert (given.attempt, given.error, given.last) == (7, error, True)


def test_it_is_a_thread_that_keeps_no_program_alive_and_sees_the_callers_context() -> None:
    seen: list[Any] = []

    def note() -> None:
        thread = threading.current_thread()
        seen.append((thread.name, thread.daemon, WHO.get()))

    mark = WHO.set("caller")
    try:
        _, box, _ = running([note])
        assert box.get(timeout=TIMEOUT_S).last
    finally:
        WHO.reset(mark)
    assert seen == [("router attempt 7", True, "caller")]


def test_it_runs_no_more_than_64_chunks_ahead_and_stops_when_told() -> None:
    reached = threading.Event()
    runner, box, attempt = running(["x"] * (AHEAD + 1) + [reached.set] + ["y"] * 9)
    for _ in range(AHEAD):
        assert box.get(timeout=TIMEOUT_S).chunk == "x"
    assert not reached.is_set()
    runner.took()
    assert box.get(timeout=TIMEOUT_S).chunk == "x"
    assert reached.wait(TIMEOUT_S)
    runner.stop()
    assert attempt.closed.wait(TIMEOUT_S)
    assert box.empty(), "neither a chunk nor an end comes of one that was stopped"
    assert attempt.given == AHEAD + 2


# -- what is heard --------------------------------------------------------------------------------


def test_chunks_are_held_until_one_has_content_and_then_handed_on_one_by_one() -> None:
    it = Shown()
    it.started()
    assert list(heard(it.show, AttemptOutput(1, ""))) == []
    assert list(heard(it.show, AttemptOutput(1, "text"))) == ["", "text"]
    assert list(heard(it.show, AttemptOutput(1, "more"))) == ["more"]
    assert it.attempts[1].seen == ["", "text", "more"]
    assert list(heard(it.show, AttemptOutput(1))) == []
    assert it.faults() == [("a", None)]


def test_a_fault_and_a_silence_go_to_the_machine_and_hand_nothing_on() -> None:
    it = Shown("abc", timeouts={"first_token": 3.0})
    it.started()
    assert list(heard(it.show, AttemptOutput(1, error=Failed("auth")))) == []
    assert it.started() == [2]
    it.clock.sleep(3.0)
    assert list(heard(it.show, None)) == []
    assert it.started() == [3]
    assert list(heard(it.show, AttemptOutput(2, "late"))) == []
    for late in (Failed("auth"), KeyError("of one that nobody waits for")):
        assert list(heard(it.show, AttemptOutput(2, error=late))) == []
    assert list(heard(it.show, AttemptOutput(3, "text"))) == ["text"]
    heard(it.show, AttemptOutput(3))
    assert it.faults() == [("a", "auth"), ("b", "timeout"), ("c", None)]


# -- the races ------------------------------------------------------------------------------------


def raced(it: Shown, asynchronous: bool) -> list[str]:
    if not asynchronous:
        return list(race(it.show))

    async def collected() -> list[str]:
        return [chunk async for chunk in arace(it.show)]

    return asyncio.run(collected())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_first_that_speaks_is_the_answer_and_the_other_is_heard_no_more(asynchronous: bool) -> None:
    ready, done = threading.Event(), threading.Event()
    it, (first, second) = showing(["", ready, "late"], ["", "one", ready.set, "two", "three"], hedge=HEDGE)
    first.steps.append(done.set)
    it.run._machine._hedge_at = it.show.alarm = 100.0  # the first is silent for too long at once
    it.show.rang()
    assert raced(it, asynchronous) == ["", "one", "two", "three"]
    assert not it.show.running
    assert (first.aborted, second.aborted) == (1, 0)
    assert first.closed.wait(TIMEOUT_S)
    assert second.closed.wait(TIMEOUT_S)
    assert it.faults() == [("a", "cancelled"), ("b", None)]


async def test_the_loser_is_told_once_and_closes_its_call_in_its_own_time() -> None:
    closed: list[int] = []

    class Slow(Spoke):
        """A turn of the loop for each chunk, and ten to close the call."""

        async def achunks(self) -> AsyncIterator[str]:
            try:
                for step in self.steps:
                    await asyncio.sleep(0)
                    yield step
                await asyncio.sleep(TIMEOUT_S if self.index == 1 else 0)
            finally:
                for _ in range(10):
                    await asyncio.sleep(0)
                closed.append(self.index)

    it, _ = showing(hedge=HEDGE)
    texts = [f"{n} " for n in range(9)]
    it.attempts.update({1: Slow(1, []), 2: Slow(2, texts)})
    it.run._machine._hedge_at = it.show.alarm = 100.0  # the first is silent for too long at once
    it.show.rang()
    assert [chunk async for chunk in arace(it.show)] == texts
    assert closed == [1, 2]


def test_what_the_loser_had_given_before_it_was_stopped_is_passed_over() -> None:
    go, put = threading.Event(), threading.Event()

    class Patient(Spoke):
        """Becomes the answer only when the other's chunk waits to be read."""

        def commits(self, chunk: str) -> bool:
            go.set()
            assert put.wait(TIMEOUT_S)
            return super().commits(chunk)

    it, (first,) = showing([go, "", put.set], hedge=HEDGE)
    it.attempts[2] = Patient(2, ["one", put, "two"])  # what follows is put behind it
    it.run._machine._hedge_at = it.show.alarm = 100.0
    it.show.rang()
    assert raced(it, asynchronous=False) == ["one", "two"]
    assert first.closed.wait(TIMEOUT_S)
    assert it.faults() == [("a", "cancelled"), ("b", None)]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_that_fails_is_followed_by_the_next_after_its_turn_has_come(asynchronous: bool) -> None:
    retry = {"wait": {"fixed": 2.5}, "attempts": 4}
    scripts = [[Failed("overloaded")], [Failed("overloaded")], [Failed("overloaded")], ["again"]]
    it, spoken = showing(*scripts, retry=retry)
    assert raced(it, asynchronous) == ["again"]
    assert it.clock.now() == 102.5
    assert [model for model, _ in it.faults()] == ["a", "b", "c", "a"]
    assert [attempt.closed.wait(TIMEOUT_S) for attempt in spoken] == [True] * 4


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_long_answer_comes_whole(asynchronous: bool) -> None:
    texts = [f"{n} " for n in range(3 * AHEAD)]
    it, _ = showing(texts)
    assert raced(it, asynchronous) == texts
    assert it.run.outcome.usage == Usage(10, 1)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_attempt_that_cannot_be_started_is_followed_by_the_next(asynchronous: bool) -> None:
    broken = {n: Failed("auth") for n in (1, 2, 3)}
    it, _ = showing(broken=broken)
    assert raced(it, asynchronous) == []
    with pytest.raises(AllCandidatesFailed):
        it.show.check()


def test_a_lone_attempt_is_raced_to_its_own_end_and_what_follows_is_left_to_the_driver() -> None:
    it, (first, second) = showing([Failed("overloaded")], ["not yet"])
    (lone,) = it.show.started()
    assert list(race(it.show, lone)) == []
    assert [launch.attempt for launch in it.show.launches] == [2]
    it.show.cancel()
    assert it.faults() == [("a", "overloaded"), ("b", "cancelled")]
    assert (first.closed.wait(TIMEOUT_S), second.given) == (True, 0)


def test_a_lone_attempt_is_read_to_its_end_however_long() -> None:
    texts = [f"{n} " for n in range(3 * AHEAD)]
    it, _ = showing(texts)
    (lone,) = it.show.started()
    assert list(race(it.show, lone)) == texts
    assert it.faults() == [("a", None)]


def test_a_reader_who_leaves_stops_the_thread() -> None:
    gone = threading.Event()
    it, (first,) = showing(["one", gone, *["x"] * 9])
    chunks = race(it.show)
    assert next(chunks) == "one"
    chunks.close()
    gone.set()
    assert first.closed.wait(TIMEOUT_S)
    assert first.given == 2


def turned(condition: Callable[[], bool]) -> Any:
    """Let the loop turn a hundred times, or until it is so."""

    async def turn() -> bool:
        for _ in range(100):
            if condition():
                return True
            await asyncio.sleep(0)
        return condition()

    return turn()


async def test_a_task_runs_no_more_than_64_chunks_ahead() -> None:
    it, (first,) = showing(["one", *["x"] * 200])
    chunks = arace(it.show)
    assert await anext(chunks) == "one"
    await turned(lambda: first.given > 1 + AHEAD + 1)
    assert first.given == 1 + AHEAD + 1, "as many as the box holds, and the one that waits for room"
    await chunks.aclose()
    assert first.closed.is_set()


async def test_the_task_that_loses_ends_while_the_answer_goes_on() -> None:
    it, (first, _) = showing(["", threading.Event()], ["one", "two", "three"], hedge=HEDGE)
    it.run._machine._hedge_at = it.show.alarm = 100.0
    it.show.rang()
    chunks = arace(it.show)
    assert [await anext(chunks), await anext(chunks)] == ["one", "two"]
    assert await turned(first.closed.is_set)
    assert [chunk async for chunk in chunks] == ["three"]


@pytest.mark.parametrize("error", [KeyError("mine"), ValueError("mine")])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_mistake_in_the_callers_code_is_raised_and_leaves_nobody(asynchronous: bool, error: Exception) -> None:
    it, (first,) = showing(["one", error])
    with pytest.raises(type(error), match="mine"):
        raced(it, asynchronous)
    assert first.closed.wait(TIMEOUT_S)
    assert it.faults() == [("a", "cancelled")]


def test_its_thread_is_kept_for_the_next_unless_it_was_given_up() -> None:
    for error in ([], [ValueError("mine")]):
        runner, box, _ = running(["one", *error])
        runner.took()
        while not box.get(timeout=TIMEOUT_S).last:
            pass
        runner.stop()
        assert runner.thread.is_alive()
    reached, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        assert go_on.wait(TIMEOUT_S)

    for unread in ([], ["a chunk that nobody reads"]):
        reached.clear()
        go_on.clear()
        runner, box, _ = running([wait, *unread])
        assert reached.wait(TIMEOUT_S)
        runner.stop()
        go_on.set()
        runner.thread.join(IDLE_S / 2)
        assert not runner.thread.is_alive(), "an idle one would wait for work"


def test_the_connection_of_one_that_is_given_up_is_shut_and_of_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    unread: list[AttemptThread] = []
    monkeypatch.setattr(module, "ABANDONED", SimpleNamespace(add=unread.append))
    ended, box, _ = running(["one"])
    while not box.get(timeout=TIMEOUT_S).last:
        pass
    ended.stop()
    assert not unread, "the next attempt may have its thread by now"
    gate = threading.Event()
    runner, *_ = running([gate])
    runner.stop()
    gate.set()
    assert unread == [runner]


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Readers:
    """Readers whose process can be said to end, without a wait for those who read."""
    readers = Readers()
    monkeypatch.setattr(module, "READERS", readers)
    monkeypatch.setattr(readers_module, "_LOOKS", 1)
    return readers


def test_who_reads_while_the_process_ends_is_given_what_had_come_and_waits_for_no_more(ending: Readers) -> None:
    come, gate = threading.Event(), threading.Event()
    it, _ = showing(["one", "two", come.set, gate, "three"], timeouts={"between_tokens": TIMEOUT_S})
    chunks = race(it.show)
    assert next(chunks) == "one"
    assert come.wait(TIMEOUT_S)
    ending.halt()
    assert next(chunks) == "two"
    with pytest.raises(SystemExit, match="the process is ending: the rest of this answer is not read"):
        next(chunks)
    gate.set()


def test_what_is_begun_at_the_end_of_a_process_is_read_as_ever(ending: Readers) -> None:
    ending.halt()
    it, _ = showing(["one", "two"])
    assert list(race(it.show)) == ["one", "two"]


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[LoopTimer]:
    """All that are made."""
    made: list[LoopTimer] = []

    class Kept(LoopTimer):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(waits_module, "LoopTimer", Kept)
    return made


async def test_all_waits_share_one_clock_which_is_stopped_at_the_end(timers: list[LoopTimer]) -> None:
    texts = [str(i) for i in range(2 * AHEAD)]  # more than the box holds at once
    it, _ = showing(texts, timeouts={"first_token": TIMEOUT_S, "between_tokens": TIMEOUT_S})
    assert [chunk async for chunk in arace(it.show)] == texts
    (timer,) = timers
    assert timer._handle is not None
    assert timer._handle.cancelled()


async def test_a_hedge_has_a_clock_of_its_own(timers: list[LoopTimer]) -> None:
    """How late the loop was for the first attempt's is not held against it."""
    it, _ = showing(["", threading.Event()], ["one", "two"], hedge=HEDGE, timeouts={"first_token": TIMEOUT_S})
    it.run._machine._hedge_at = it.show.alarm = 100.0
    assert [chunk async for chunk in arace(it.show)] == ["one", "two"]
    first, *later = timers
    assert later
    assert all(timer._lateness is not first._lateness for timer in later)
