"""Processes that learn together, whatever the order of telling, hearing, crashing and forking: each lesson once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capability_router.errors import StoreError
from capability_router.learning.sharing.lesson import Lesson
from capability_router.learning.sharing.lesson_sync import LessonSync, SketchCodec, SyncHooks
from capability_router.stores.lessons import LessonLine, LogPage, LogSummary
from capability_router.stores.memory import MemoryLessons


class Tally:
    """A pupil that counts how often it was taught each lesson."""

    def __init__(self, counts: Counter[str]) -> None:
        self.counts = counts

    def learn(self, lesson: Lesson) -> list[str]:
        self.counts[lesson.id] += 1
        return []

    def told(self) -> Callable[[], str]:
        text = json.dumps(self.counts)
        return lambda: text

    def forked(self) -> None:
        """It has no locks."""


def tally(text: str | None) -> Tally:
    return Tally(Counter() if text is None else Counter(json.loads(text)))


class Process:
    """One process: a scribe that has no thread, and the room as it reaches it."""

    def __init__(self, room: MemoryLessons) -> None:
        self.reach = Reach(room)
        self.heard: list[Lesson] = []

        def nothing(*_: object) -> None:
            """Nobody else is told."""

        packing = SketchCodec(lambda seen: seen, lambda seen: seen)
        course = SyncHooks(tally, packing, nothing, self.heard.append, nothing, nothing)
        self.scribe = LessonSync(self.reach, "log", course)
        self.scribe.ring = lambda: None  # type: ignore[method-assign]  # rounds are the test's to make
        self.scribe.load()

    def forked(self, room: MemoryLessons) -> Process:
        """Its child, which inherits all that is in memory."""
        child = Process(room)
        own, its = self.scribe, child.scribe
        its._known, its._pending = deepcopy(own._known), deepcopy(own._pending)
        its._writer, its._number, its._head, its._place = own._writer, own._number, own._head, own._place
        its.after_fork()
        return child

    def teach(self, id: str) -> None:
        self.scribe.take(Lesson(id, "m", 1.0, None, "", None))

    def round(self) -> bool:
        try:
            self.scribe.round()
        except StoreError:
            return False
        return True

    @property
    def counts(self) -> Counter[str]:
        return self.scribe.pupil.counts


class Reach:
    """A room that can be away, or do what it is asked and lose the answer."""

    def __init__(self, room: MemoryLessons) -> None:
        self._room, self.fails = room, ""
        self.meanwhile: Callable[[], None] | None = None

    def append(self, name: str, writer: str, lines: Sequence[LessonLine]) -> None:
        self._asked(lambda: self._room.append(name, writer, lines))

    def since(self, name: str, place: int, most: int) -> LogPage:
        self._away()
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return self._room.since(name, place, most)

    def summary(self, name: str) -> LogSummary | None:
        self._away()
        return self._room.summary(name)

    def sum_up(self, name: str, summary: LogSummary, before: int) -> bool:
        return bool(self._asked(lambda: self._room.sum_up(name, summary, before)))

    def _asked(self, work: Callable[[], Any]) -> Any:
        self._away()
        done = work()
        if self.fails == "answer":
            self.fails = ""
            raise StoreError("the answer was lost")
        return done

    def _away(self) -> None:
        if self.fails == "away":
            raise StoreError("away")


class Trial:
    """Two to four processes on one room, and what was taught there."""

    def __init__(self) -> None:
        self.room = MemoryLessons()
        self.processes = [Process(self.room), Process(self.room)]
        self.taught = self.gone = 0
        self.emptied = False

    def teach(self, process: Process) -> None:
        self.taught += 1
        process.teach(str(self.taught))

    def round(self, process: Process) -> None:
        process.round()

    def away(self, process: Process) -> None:
        process.reach.fails = "away"

    def back(self, process: Process) -> None:
        process.reach.fails = ""

    def lose(self, process: Process) -> None:
        process.reach.fails = "answer"

    def sum_up(self, process: Process) -> None:
        process.scribe._damaged = True  # however short the log is
        process.round()

    def crash(self, process: Process) -> None:
        self.gone += process.scribe.unwritten
        self.processes[self.processes.index(process)] = Process(self.room)

    def fork(self, process: Process) -> None:
        if len(self.processes) < 4:
            self.processes.append(process.forked(self.room))

    def join(self, _: Process) -> None:
        if len(self.processes) < 4:
            self.processes.append(Process(self.room))

    def empty(self, _: Process) -> None:
        self.room._logs.clear()
        self.emptied = True

    def settle(self) -> list[Counter[str]]:
        """What all know, and who comes last, once they have told and heard everything."""
        for process in self.processes * 3:
            process.reach.fails = ""
            assert process.round()
        return [process.counts for process in [*self.processes, Process(self.room)]]


Step = Callable[[Trial, Process], None]
STEPS: list[Step] = [
    Trial.teach, Trial.round, Trial.away, Trial.back, Trial.lose, Trial.sum_up, Trial.crash, Trial.fork, Trial.join,
    Trial.empty,
]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 3)), max_size=60))
def test_each_lesson_is_learned_once_by_everybody(
    steps: Iterable[tuple[Callable[[Trial, Process], None], int]],
) -> None:
    trial = Trial()
    for step, which in steps:
        process = trial.processes[which % len(trial.processes)]
        step(trial, process)
        assert max(process.counts.values(), default=1) == 1
    everybody = trial.settle()
    assert all(count == everybody[0] for count in everybody), "all know the same"
    assert set(everybody[0].values()) <= {1}
    assert trial.emptied or trial.taught - trial.gone <= len(everybody[0]) <= trial.taught


def test_a_room_that_is_away_takes_what_waits_when_it_is_back() -> None:
    room = MemoryLessons()
    one, other = Process(room), Process(room)
    one.reach.fails = "away"
    for number in range(450):
        one.teach(str(number))
    assert not one.round()
    assert (one.scribe.unwritten, len(one.counts)) == (450, 450)
    one.reach.fails = ""
    assert one.round()
    assert other.round()
    assert other.counts == one.counts == Counter(map(str, range(450)))
    assert len(other.heard) == 450
    assert one.heard == []


def test_what_is_taught_while_an_emptied_log_is_told_of_it_all_is_told_too() -> None:
    room = MemoryLessons()
    one = Process(room)
    one.teach("1")
    assert one.round()
    room._logs.clear()
    one.reach.meanwhile = lambda: one.teach("2")
    assert one.round()
    assert one.round()
    assert Process(room).counts == one.counts == Counter(["1", "2"])


def test_a_long_log_is_summed_up_and_who_was_away_takes_the_summary_over() -> None:
    room = MemoryLessons()
    one, late = Process(room), Process(room)
    late.teach("late's own")
    assert late.round()
    late.teach("unwritten")
    for number in range(700):
        one.teach(str(number))
    assert one.round()
    head = room.since("log", 0, 1).head
    assert head.summed == head.last == 701
    assert late.round()
    assert late.counts == Counter([*map(str, range(700)), "late's own", "unwritten"])


@pytest.mark.parametrize("written", [0, 3, 30])
@pytest.mark.parametrize("summed", [False, True])
def test_a_store_that_is_put_back_from_an_older_copy_is_told_what_it_lacks(written: int, summed: bool) -> None:
    """Whatever has been written since: its places are others' then."""
    room = MemoryLessons()
    one, other = Process(room), Process(room)
    for number in range(600 if summed else 10):
        one.teach(f"before {number}")
    assert one.round()
    assert other.round()
    copy = deepcopy(room._logs)
    for number in range(10):
        one.teach(f"lost {number}")
    assert one.round()
    assert other.round()
    room._logs = copy
    for number in range(written):
        other.teach(f"after {number}")
    for process in (other, one, other, one):
        assert process.round()
    assert one.counts == other.counts == Process(room).counts
    assert set(one.counts.values()) == {1}
    assert len(one.counts) == (600 if summed else 10) + 10 + written


def test_what_is_taught_before_a_summary_is_written_is_in_the_log_too() -> None:
    """Else who ends then has told it to those that read the summary, and to nobody who had read the log."""
    room = MemoryLessons()
    one = Process(room)
    one.teach("1")
    assert one.round()
    reader = Process(room)
    one.scribe._damaged = True  # so that it sums up
    one.reach.meanwhile = lambda: one.teach("2")
    assert one.round()
    assert room.since("log", 0, 1).head.summed > 0
    assert reader.round()  # and `one` is heard of no more
    assert reader.counts == Process(room).counts == Counter(["1", "2"])


def test_a_damaged_line_is_left_out_and_a_damaged_summary_begun_afresh(caplog: pytest.LogCaptureFixture) -> None:
    room = MemoryLessons()
    one = Process(room)
    one.teach("1")
    one.teach("2")
    one.round()
    log = room._logs["log"]
    log.entries[0] = log.entries[0]._replace(text="x" + log.entries[0].text)
    assert Process(room).counts == Counter(["2"])
    one.scribe._damaged = True
    one.round()
    log.text = log.text[:-3]
    fresh = Process(room)
    assert fresh.counts == Counter()
    fresh.teach("3")
    fresh.round()
    assert Process(room).counts == Counter(["3"])
    assert "damaged" in caplog.text
