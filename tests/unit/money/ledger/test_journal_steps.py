"""The journal's single steps, over a room that notes what it is told; its thread waits until the test lets it go on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from unit.money.ledger.calls import T0, call

from capability_router import StoreError, Usage
from capability_router.clock import SystemClock
from capability_router.concurrency.process_hooks import _owners
from capability_router.money.ledger.call import Call
from capability_router.money.ledger.journal import Journal
from capability_router.stores.calls import CALL, DAY_S, KEY, SUMS, CallQuery, HourlySums

HOUR_S = 3_600.0


class Room:
    """Keeps what it is told. `away`: it can't be reached."""

    def __init__(self) -> None:
        self.away = False
        self.batches: list[tuple[int, int, list[Sequence[Any]], list[HourlySums]]] = []
        self.tidied: list[tuple[float, int | None]] = []

    def append(self, writer: int, number: int, calls: Sequence[Sequence[Any]], cells: Iterable[HourlySums]) -> None:
        if self.away:
            raise StoreError("it is away")
        self.batches.append((writer, number, list(calls), list(cells)))

    def tidy(self, before: float, keep: int | None) -> int:
        if self.away:
            raise StoreError("it is away")
        self.tidied.append((before, keep))
        return 0

    def cells(self, asked: CallQuery) -> Iterable[tuple[int, Mapping[str, Any], Sequence[int]]]:
        for _, _, _, cells in self.batches:
            yield from ((cell.start, dict(zip(KEY, cell.key, strict=True)), cell.sums) for cell in cells)

    def calls(self, asked: CallQuery, *, newest_first: bool) -> Iterator[Mapping[str, Any]]:
        rows = [dict(zip(CALL, row, strict=True)) for _, _, calls, _ in self.batches for row in calls]
        for row in reversed(rows) if newest_first else rows:
            yield {**row, "tags": tuple(json.loads(row["tags"]))}


class Pace:
    """How the journal's thread waits: until the test lets it go on; each wait is written down."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.waits: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        assert self.go.wait(60)


class Time:
    now = T0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def pace() -> Iterator[Pace]:
    made = Pace()
    yield made
    made.go.set()


@pytest.fixture
def made(room: Room, time: Time, pace: Pace) -> Iterator[Callable[..., Journal]]:
    journals: list[Journal] = []

    def make(**settings: Any) -> Journal:
        journals.append(Journal(room, unix=time, **{"sleep": pace, **settings}))
        return journals[-1]

    yield make
    room.away = False
    pace.go.set()
    for journal in journals:
        journal.retire()
        if journal._thread is not None:
            journal._thread.join(30)


@pytest.fixture
def journal(made: Callable[..., Journal]) -> Journal:
    return made()


def comes(happens: Callable[[], bool]) -> bool:
    """Whether it happens by itself, in its own time."""
    for _ in range(2_000):
        if happens():
            return True
        SystemClock.sleep(0.005)
    return False


def take(journal: Journal, count: int, **fields: Any) -> None:
    for n in range(count):
        journal.take(call(str(n), **fields))


def singly(room: Room) -> list[int]:
    """How many calls each batch holds singly."""
    return [len(calls) for _, _, calls, _ in room.batches]


def counted(room: Room) -> int:
    """How many calls are in the sums."""
    return sum(cell.sums[SUMS.index("calls")] for _, _, _, cells in room.batches for cell in cells)


# -- writing --------------------------------------------------------------------------------------


def test_what_is_settled_in_a_moment_is_written_together_and_the_thread_rests_again(
    journal: Journal, room: Room, pace: Pace
) -> None:
    take(journal, 3)
    assert comes(lambda: pace.waits == [0.1])
    assert room.batches == []
    pace.go.set()
    assert comes(lambda: not journal.unwritten)
    thread = journal._thread
    take(journal, 1)
    assert comes(lambda: singly(room) == [3, 1])
    assert comes(lambda: journal._signals.empty())
    assert pace.waits == [0.1, 0.1]
    assert journal._thread is thread


def test_the_thread_is_no_reason_for_a_process_to_last(journal: Journal) -> None:
    take(journal, 1)
    thread = journal._thread
    assert thread is not None
    assert (thread.name, thread.daemon) == ("router ledger", True)
    take(journal, 1)
    assert journal._thread is thread


def test_a_long_line_is_written_in_batches_that_are_numbered(journal: Journal, room: Room) -> None:
    take(journal, 2_001)
    journal.flush()
    assert singly(room) == [1_000, 1_000, 1]
    assert [number for _, number, _, _ in room.batches] == [1, 2, 3]
    assert len({writer for writer, _, _, _ in room.batches}) == 1
    assert 0 <= room.batches[0][0] < 1 << 63, "what a store takes for a whole number"
    assert counted(room) == 2_001


def test_an_empty_line_writes_nothing(journal: Journal, room: Room) -> None:
    journal.flush()
    assert (room.batches, journal.unwritten, journal.dropped) == ([], 0, 0)


def test_beyond_the_line_only_sums_are_kept_and_those_of_impossible_amounts_are_not(
    made: Callable[..., Journal], room: Room
) -> None:
    journal = made(line=2)
    take(journal, 4)
    take(journal, 1, cost=10**16)
    take(journal, 1, at=T0 + HOUR_S)
    assert (journal.unwritten, journal.dropped) == (2, 4)
    journal.flush()
    assert (singly(room), counted(room), journal.dropped) == ([2], 5, 4)
    assert sorted({cell.start for _, _, _, cells in room.batches for cell in cells}) == [T0, T0 + HOUR_S]


def test_sums_alone_are_written_too(made: Callable[..., Journal], room: Room) -> None:
    journal = made(line=0)
    take(journal, 2)
    journal.flush()
    assert (singly(room), counted(room)) == ([0], 2)


@pytest.mark.parametrize(
    "odd", [{"cost": 10**16}, {"usage": Usage(10**16, 1)}, {"usage": Usage(1, 10**16)}], ids=["usd", "in", "out"]
)
def test_from_ten_thousand_dollars_or_as_many_tokens_on_no_call_is_kept(
    journal: Journal, room: Room, odd: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    take(journal, 1, cost=None, usage=Usage(10**16 - 1, 10**16 - 1))
    take(journal, 1, cost=10**16 - 1)
    journal.flush()
    assert (caplog.text, journal.dropped) == ("", 0)
    take(journal, 3, **odd)
    journal.flush()
    assert (singly(room), counted(room), journal.dropped) == ([2, 0], 2, 3)
    assert "3 calls with impossible amounts are not kept" in caplog.text


def test_a_batch_that_could_not_be_written_is_kept_whole_under_its_number(journal: Journal, room: Room) -> None:
    room.away = True
    take(journal, 3)
    for _ in range(2):
        with pytest.raises(StoreError):
            journal.flush()
    take(journal, 2)
    assert journal.unwritten == 5
    room.away = False
    journal.flush()
    assert [(number, len(calls)) for _, number, calls, _ in room.batches] == [(1, 3), (2, 2)]
    assert journal.unwritten == 0


def test_a_store_that_goes_and_comes_is_told_once_each_time(
    journal: Journal, room: Room, pace: Pace, caplog: pytest.LogCaptureFixture
) -> None:
    pace.go.set()
    for times in (1, 2):
        room.away = True
        take(journal, 1)
        begun = len(pace.waits)
        assert comes(lambda begun=begun: len(pace.waits) > begun + 4)
        assert [r.message for r in caplog.records].count(
            "the ledger can't be written; calls wait for it in memory: it is away"
        ) == times
        room.away = False
        assert comes(lambda: not journal.unwritten)
        assert comes(
            lambda times=times: (
                caplog.text.count("the ledger is written again; 0 calls could not be kept singly") == times
            )
        )
    assert [record.name for record in caplog.records] == ["capability_router"] * 4


def test_after_a_time_away_the_waits_begin_anew(journal: Journal, room: Room, pace: Pace) -> None:
    pace.go.set()
    for _ in range(2):
        room.away = True
        take(journal, 1)
        begun = len(pace.waits)
        assert comes(lambda begun=begun: len(pace.waits) >= begun + 3)
        assert pace.waits[begun : begun + 3] == [0.1, 0.5, 1.0]
        room.away = False
        assert comes(lambda: not journal.unwritten)
        assert comes(lambda: journal._signals.empty() and not journal._failing)


def test_without_a_thread_the_queue_is_written_at_the_end(
    journal: Journal, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ending(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", ending)
    take(journal, 2)
    assert journal._thread is None
    journal.at_exit()
    assert singly(room) == [2]


def test_without_a_thread_the_next_call_begins_one(
    journal: Journal, room: Room, pace: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pace.go.set()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        take(journal, 2)
    take(journal, 1)
    assert comes(lambda: sum(singly(room)) == 3)


# -- dropping what is old -------------------------------------------------------------------------


def test_what_is_old_is_dropped_once_an_hour(made: Callable[..., Journal], room: Room, time: Time, pace: Pace) -> None:
    journal = made(keep_days=2, keep_calls=50)
    pace.go.set()
    for step, batches in ((0.0, 1), (HOUR_S - 1, 2), (1.0, 3), (-3 * HOUR_S, 4)):  # a clock may be put back
        time.now += step
        take(journal, 1)
        assert comes(lambda batches=batches: len(room.batches) == batches and not journal.unwritten)
        if step != HOUR_S - 1:
            assert comes(lambda: bool(room.tidied) and room.tidied[-1][0] == time.now - 2 * DAY_S)
    then = [T0, T0 + HOUR_S, T0 - 2 * HOUR_S]
    assert room.tidied == [(at - 2 * DAY_S, 50) for at in then]


def test_a_store_that_is_away_is_tidied_another_time(
    journal: Journal, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room.away = True
    journal._tidy()
    assert (room.tidied, len(caplog.records)) == ([], 1)
    assert "old calls of the ledger can't be dropped: it is away" in caplog.text


def test_closing_leaves_no_more_calls_than_are_kept(made: Callable[..., Journal], room: Room, time: Time) -> None:
    journal = made(keep_calls=5)
    for closed in (1, 2):
        take(journal, 1)
        journal.close()
        assert (len(room.batches), room.tidied) == (closed, [(T0 - 90 * DAY_S, 5)] * closed)
        journal.close()
        assert len(room.tidied) == closed, "nothing was written since"


def test_closing_drops_what_is_old_where_any_number_is_kept_and_no_more_than_once_an_hour(
    journal: Journal, room: Room
) -> None:
    for _ in range(2):
        take(journal, 1)
        journal.close()
    assert (singly(room), room.tidied) == ([1, 1], [(T0 - 90 * DAY_S, None)])


def test_closing_tells_what_could_not_be_written(
    journal: Journal, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room.away = True
    take(journal, 3)
    journal.close()
    assert "3 calls of the ledger could not be written: it is away" in caplog.text
    assert journal.unwritten == 3


def test_of_two_threads_that_were_begun_at_once_one_goes_on(journal: Journal, room: Room, pace: Pace) -> None:
    take(journal, 1)
    first = journal._thread
    assert first is not None
    assert comes(lambda: len(pace.waits) == 1)
    journal._thread, journal._rung = None, False  # as another caller has found it at the same moment
    take(journal, 1)
    assert comes(lambda: len(pace.waits) == 2)
    pace.go.set()
    first.join(30)
    assert not first.is_alive()
    assert journal._thread.is_alive()
    take(journal, 1)
    assert comes(lambda: sum(singly(room)) == 3)


def test_calls_that_come_while_it_is_tidied_are_not_told_as_lost(
    journal: Journal, room: Room, pace: Pace, caplog: pytest.LogCaptureFixture
) -> None:
    def tidy(before: float, keep: int | None) -> int:
        take(journal, 1)
        return 0

    room.tidy = tidy  # type: ignore[method-assign]  # while the thread is at it
    take(journal, 2)
    pace.go.set()
    assert comes(lambda: singly(room) == [2, 1])
    assert caplog.records == []


@pytest.mark.parametrize(("fails", "lost"), [(2, 0), (3, 2)])
def test_closing_tries_three_times(
    made: Callable[..., Journal], room: Room, fails: int, lost: int, caplog: pytest.LogCaptureFixture
) -> None:
    journal, append, tried = made(), room.append, []

    def busy(*batch: Any) -> None:
        tried.append(batch)
        if len(tried) <= fails:
            raise StoreError("it is locked")
        append(*batch)

    room.append = busy  # type: ignore[method-assign]  # others keep the file locked
    take(journal, 2)
    journal.close()
    assert (len(tried), journal.unwritten, "2 calls of the ledger" in caplog.text) == (3, lost, bool(lost))


# -- ends and forks -------------------------------------------------------------------------------


def test_the_end_of_the_process_writes_what_is_not_written(made: Callable[..., Journal], room: Room) -> None:
    journal = made(keep_calls=5, line=1)
    assert journal in _owners
    journal.at_exit()
    assert (room.batches, room.tidied) == ([], [])
    take(journal, 1)
    journal.flush()
    journal.at_exit()
    assert len(room.tidied) == 1, "more may have been written than is kept"
    journal.at_exit()
    assert (singly(room), len(room.tidied)) == ([1], 1)
    take(journal, 2)
    journal.at_exit()
    assert (singly(room), counted(room)) == ([1, 1], 3)


def test_the_end_of_the_process_writes_sums_of_which_no_call_waits(made: Callable[..., Journal], room: Room) -> None:
    journal = made(line=0)
    take(journal, 2)
    assert journal.unwritten == 0
    journal.at_exit()
    assert counted(room) == 2


def test_a_fork_writes_the_line_first(journal: Journal, room: Room) -> None:
    take(journal, 2)
    journal.before_fork()
    assert singly(room) == [2]


def test_a_fork_asks_no_store_that_is_known_to_be_away(journal: Journal, room: Room, pace: Pace) -> None:
    room.away = True
    take(journal, 2)
    pace.go.set()
    assert comes(lambda: journal._failing)
    pace.go = threading.Event()
    begun = len(pace.waits)
    assert comes(lambda: len(pace.waits) > begun)  # the thread rests until the test is over
    room.away = False
    journal.before_fork()
    assert room.batches == []


def test_a_child_counts_anew_under_a_name_of_its_own(journal: Journal, room: Room) -> None:
    take(journal, 2)
    journal.flush()
    thread = journal._thread
    journal.after_fork()
    take(journal, 1)
    assert journal._thread is not thread
    journal.flush()
    (parent, first, _, _), (child, second, calls, _) = room.batches
    assert (parent != child, first, second, len(calls)) == (True, 1, 1, 1)


def test_a_ledger_that_is_gone_is_written_and_its_thread_ends(journal: Journal, room: Room, pace: Pace) -> None:
    take(journal, 2)
    thread = journal._thread
    assert thread is not None
    journal.retire()
    pace.go.set()
    thread.join(30)
    assert not thread.is_alive()
    assert singly(room) == [2]


def test_a_ledger_that_is_gone_does_not_wait_for_its_store(
    journal: Journal, room: Room, pace: Pace, caplog: pytest.LogCaptureFixture
) -> None:
    room.away = True
    take(journal, 2)
    thread = journal._thread
    assert thread is not None
    journal.retire()
    pace.go.set()
    thread.join(30)
    assert not thread.is_alive()
    assert "2 calls of a ledger that is gone could not be written" in caplog.text
    assert pace.waits == [0.1]


# -- reading --------------------------------------------------------------------------------------


def one_of_each() -> Call:
    counts = {name: n for n, name in enumerate(Usage.__dataclass_fields__, start=1) if name != "service_tier"}
    usage = Usage(**{**counts, "estimated": True}, service_tier="flex")
    return call(
        "r", 7, "m", 11, provider="p", tenant="acme", task="chat", tags=("x", "ÿ"), chain="c", framework="f",
        fault="timeout", usage=usage, at=T0 + 0.5, credential="k", session="s",
    )  # fmt: skip


@pytest.mark.parametrize("settled", [one_of_each(), call("r", fault=None, cost=None)], ids=["all", "little"])
def test_a_call_comes_back_as_it_was(journal: Journal, settled: Call) -> None:
    journal.take(settled)
    assert list(journal.calls(CallQuery())) == [settled]


def test_both_ways_of_reading_write_first_and_the_order_is_asked_for(journal: Journal, room: Room) -> None:
    take(journal, 2)
    ((_, key, sums),) = journal.cells(CallQuery())
    assert (key["tenant"], key["tags"], key["fault"], sums[SUMS.index("calls")]) == ("t", '["x"]', "answered", 2)
    take(journal, 1)
    assert [c.request_id for c in journal.calls(CallQuery(), newest_first=True)] == ["0", "1", "0"]
    assert singly(room) == [2, 1]


def test_what_a_newer_version_has_written_is_read_as_far_as_it_is_known(journal: Journal, room: Room) -> None:
    journal.take(one_of_each())
    journal.flush()
    row = list(room.batches[0][2][0])
    usage = CALL.index("usage")
    row[usage] = json.dumps({**json.loads(row[usage]), "tokens_of_tomorrow": 3})
    room.batches[0][2][0] = row
    assert list(journal.calls(CallQuery())) == [one_of_each()]


def test_it_shows_how_many_wait(journal: Journal) -> None:
    take(journal, 2)
    assert repr(journal) == "in a store, 2 calls to be written"
