"""The ledger in a file: exact over restarts, threads, forks and processes; never in the way of a call."""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from unit.money.ledger.calls import CLOCK, T0, book, call, in_file, some

from capability_router import Usage
from capability_router.clock import SystemClock
from capability_router.errors import StoreError
from capability_router.money.ledger import journal as journals
from capability_router.money.ledger.call import LaunchKey
from capability_router.money.ledger.journal import Journal
from capability_router.money.ledger.ledger import Ledger
from capability_router.stores.calls import DAY_S
from capability_router.stores.opening import open_store
from capability_router.testing import ask, assert_books_balanced, scripted_router

USUAL = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


class Away:
    """A room whose store is away, or loses its answers, for a while."""

    def __init__(self, room: Any) -> None:
        self.room, self.away, self.deaf, self.error = room, False, False, StoreError("it is away")

    def append(self, *batch: Any) -> None:
        if self.away:
            raise self.error
        self.room.append(*batch)
        if self.deaf:
            raise self.error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.room, name)


def fragile(path: Path, **settings: Any) -> tuple[Ledger, Away]:
    room = Away(open_store(f"sqlite:///{path}", CLOCK).calls)
    return Ledger(unix=CLOCK.unix, books=Journal(room, unix=CLOCK.unix, **settings)), room


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_totals_survive_a_restart(path: Path) -> None:
    calls = some(1, 300)
    before = book(in_file(path), calls)
    totals = before.total(by=("tenant", "tag", "model", "outcome"))
    before.close()
    after = in_file(path)
    assert after.total(by=("tenant", "tag", "model", "outcome")) == totals
    assert after.calls() == calls
    more = some(2, 100)
    book(after, more)
    assert after.total().calls == 400
    assert after.total().cost_usd == book(Ledger(), [*calls, *more]).total().cost_usd


def test_ledgers_that_share_a_file_see_each_other(path: Path) -> None:
    one, other = in_file(path), in_file(path)
    book(one, some(1, 50))
    book(other, some(2, 70))
    other.close()  # the thread that does so by itself may not have had its turn
    assert one.total() == other.total() == book(Ledger(), [*some(1, 50), *some(2, 70)]).total()


def test_threads_book_exactly(path: Path) -> None:
    ledger = in_file(path)

    def work(n: int) -> None:
        for i in range(400):
            ledger.open(LaunchKey(f"{n}-{i}", 1))
            ledger.settle(call(f"{n}-{i}", cost=i))
            ledger.settle(call(f"{n}-{i}", cost=i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert (ledger.total().calls, ledger.refused_settlements) == (3_200, 3_200)
    assert ledger.total().to_dict()["cost_pico"] == 8 * sum(range(400))
    assert len(ledger.calls(None)) == 3_200


def written(ledger: Ledger) -> bool:
    """Whether the line gets empty without being read."""
    for _ in range(1_000):
        if not ledger.unwritten:
            return True
        SystemClock.sleep(0.01)
    return False


def test_calls_are_written_without_being_asked_for(path: Path) -> None:
    ledger = in_file(path)
    for seed in range(3):
        book(ledger, some(seed, 10))
        assert written(ledger)
    assert in_file(path).total().calls == 30


def test_large_sums_are_exact(path: Path) -> None:
    ledger = book(in_file(path), [call(str(n), cost=10**16 - 1, at=T0 + 3_600 * (n % 900)) for n in range(2_000)])
    assert ledger.total().to_dict()["cost_pico"] == 2_000 * (10**16 - 1)
    assert ledger.total(by=("model",)).rows()[0]["cost_pico"] == 2_000 * (10**16 - 1)


def test_a_store_that_is_away_costs_a_call_nothing_and_loses_nothing(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "_PATIENCE_S", (0.01, 0.02))
    ledger, room = fragile(path)
    room.away = True
    book(ledger, some(1, 30))
    with pytest.raises(StoreError, match="it is away"):
        ledger.total()
    assert ledger.unwritten == 30
    for _ in range(300):
        if caplog.records:
            break
        SystemClock.sleep(0.01)
    room.away = False
    book(ledger, some(2, 10))
    assert ledger.total().calls == 40
    assert (ledger.unwritten, ledger.dropped) == (0, 0)
    assert [r.levelname for r in caplog.records if "it is away" in r.message] == ["WARNING"]


def test_each_wait_for_a_store_that_is_away_is_longer_than_the_last(path: Path) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        room.away = len(waits) < 9

    ledger, room = fragile(path, sleep=sleep)
    room.away = True
    book(ledger, some(1, 1))
    assert written(ledger)
    assert waits == [0.1, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_when_the_queue_is_full_the_sums_go_on(path: Path) -> None:
    ledger, room = fragile(path, line=20)
    room.away = True
    calls = some(1, 50)
    book(ledger, calls)
    room.away = False
    assert ledger.total(by=("tenant", "model", "hour")) == book(Ledger(), calls).total(by=("tenant", "model", "hour"))
    assert (len(ledger.calls()), ledger.dropped) == (20, 30)


def test_a_batch_is_booked_once_when_its_answer_was_lost(path: Path) -> None:
    ledger, room = fragile(path)
    room.deaf = True
    book(ledger, some(1, 30))
    for _ in range(3):
        with pytest.raises(StoreError):
            ledger.total()
    room.deaf = False
    assert (ledger.total().calls, len(ledger.calls())) == (30, 30)


@pytest.mark.parametrize("odd", [
    {"usage": Usage(10**30, 1)}, {"cost": 10**30}, {"cost": 10**17}, {"usage": Usage(1, 2**63)},
])  # fmt: skip
def test_an_impossible_amount_stops_no_other(path: Path, odd: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    ledger = book(in_file(path), [call("1"), call("2", **odd), call("3")])
    assert [c.request_id for c in ledger.calls()] == ["1", "3"]
    assert (ledger.total().calls, ledger.dropped) == (2, 1)
    assert "1 calls with impossible amounts" in caplog.text


def test_texts_that_no_file_can_hold(path: Path) -> None:
    odd = call("1", tenant="a\ud800b", tags=("\udfff", "é\x00"), chain="x\x00y", session="\ud800")
    ledger = book(in_file(path), [odd])
    (kept,) = ledger.calls()
    assert (kept.tenant, kept.tags, kept.chain) == ("a?b", ("\udfff", "é\x00"), "x\x00y")
    assert list(ledger.total(by=("tenant",))) == [("a?b",)]


def test_a_batch_that_can_not_be_written_is_told_and_left(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger, room = fragile(path)
    room.away, room.error = True, ValueError("odd")  # type: ignore[assignment]  # what no store should raise
    book(ledger, some(1, 3))
    ledger.close()
    room.away = False
    book(ledger, some(2, 5))
    assert (ledger.total().calls, ledger.dropped) == (5, 3)
    assert "can't be kept" in caplog.text


def test_old_calls_go_and_their_sums_stay(path: Path) -> None:
    calls = some(1, 500, hours=24 * 10)
    ledger = book(in_file(path), calls)
    totals, days = ledger.total(by=("tenant", "model")), ledger.series(by=("tag",), step="day")
    room = ledger._books._room  # type: ignore[attr-defined]  # what its thread does once an hour
    limit = T0 + 5 * DAY_S
    dropped = room.tidy(limit, None)
    assert dropped == sum(c.at < limit for c in calls)
    assert ledger.calls() == [c for c in calls if c.at >= limit]
    assert ledger.total(by=("tenant", "model")) == totals
    assert ledger.series(by=("tag",), step="day") == days
    midnight = int(limit // DAY_S) * DAY_S
    old = ledger.series(step="hour", until=midnight)
    assert {p.at.hour for p in old} == {0}
    assert len({p.at.hour for p in ledger.series(step="hour", since=midnight)}) == 24
    assert ledger.total(since=T0 + 7_200).calls == sum(c.at >= T0 - 36_000 for c in calls)  # its whole day
    assert room.tidy(limit, None) == 0


def test_only_the_newest_calls_are_kept(path: Path) -> None:
    ledger = book(in_file(path, keep_calls=100), some(1, 250))
    ledger.close()
    ledger._books._tidy()  # type: ignore[attr-defined]  # what its thread does once an hour
    assert [c.request_id for c in ledger.calls()] == [f"1-{n}" for n in range(150, 250)]
    assert ledger.total().calls == 250


def test_pages_meet(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capability_router.stores.sqlite.calls._PAGE", 7)
    calls = [call(str(n), at=T0 + n // 5) for n in range(50)]
    ledger = book(in_file(path), calls)
    assert ledger.calls(None) == list(ledger.each_call()) == calls
    assert ledger.calls(9) == calls[-9:]
    coming = ledger.each_call()
    next(coming)
    book(ledger, [call("later", at=T0 + 100)])
    ledger.close()
    assert "later" not in [c.request_id for c in coming]


def test_a_ledger_that_is_gone_leaves_no_thread_and_no_call(path: Path) -> None:
    ledger = book(in_file(path), some(1, 20))
    gone = weakref.ref(ledger)
    thread = ledger._books._thread  # type: ignore[attr-defined]  # to see it end
    del ledger
    gc.collect()
    assert gone() is None
    thread.join(10)
    assert not thread.is_alive()
    assert in_file(path).total().calls == 20


def test_a_call_settled_in_the_midst_of_anything_waits_for_no_lock(path: Path) -> None:
    """The garbage collector may close a stream while the ledger is being written by the same thread."""
    ledger = in_file(path)
    room = ledger._books._room  # type: ignore[attr-defined]  # to be called from within
    append, extra = room.append, some(2, 5)

    def appending(*batch: Any) -> None:
        append(*batch)
        if extra:
            book(ledger, [extra.pop()])

    room.append = appending
    book(ledger, some(1, 5))
    assert ledger.total().calls == 10


def test_a_closed_ledger_leaves_its_store_alone(path: Path) -> None:
    """Its thread may have its turn long after: the file may be another's by then, or damaged, or gone."""
    turn, touched = threading.Event(), list[str]()

    class Watched(Away):
        def append(self, *batch: Any) -> None:
            touched.append("append")
            super().append(*batch)

        def __getattr__(self, name: str) -> Any:
            touched.append(name)
            return super().__getattr__(name)

    room = Watched(open_store(f"sqlite:///{path}", CLOCK).calls)
    ledger = Ledger(unix=CLOCK.unix, books=Journal(room, unix=CLOCK.unix, sleep=lambda _: turn.wait(30) and None))
    thread = book(ledger, some(1, 20))._books._thread  # type: ignore[attr-defined]  # to see it end
    ledger.close()
    assert touched == ["append", "tidy"]
    ledger._books.retire()  # type: ignore[attr-defined]  # so that its thread ends after its turn
    turn.set()
    thread.join(30)
    assert not thread.is_alive()
    assert touched == ["append", "tidy"]


def test_a_ledger_that_ends_while_others_keep_the_file_locked_tries_again(path: Path) -> None:
    class Busy(Away):
        tries = 0

        def append(self, *batch: Any) -> None:
            self.tries += 1
            self.away = self.tries < 3
            super().append(*batch)

    room = Busy(open_store(f"sqlite:///{path}", CLOCK).calls)
    still = threading.Event()
    ledger = Ledger(unix=CLOCK.unix, books=Journal(room, unix=CLOCK.unix, sleep=lambda _: still.wait(30) and None))
    book(ledger, some(1, 20))
    ledger._books.at_exit()  # type: ignore[attr-defined]  # as the process does
    still.set()
    assert (room.tries, ledger.unwritten) == (3, 0)
    assert in_file(path).total().calls == 20


PROGRAM = """
import sys
from unit.money.ledger.calls import book, in_file, some
ledger = book(in_file(sys.argv[1]), some(int(sys.argv[2]), 500))
"""


def run(path: Path, seed: int, more: str = "") -> subprocess.Popen[bytes]:
    tests = Path(__file__).parents[3]
    return subprocess.Popen([sys.executable, "-c", PROGRAM + more, str(path), str(seed)], cwd=tests)  # noqa: S603 - this file's own text


def test_processes_that_share_a_file_and_end_lose_nothing(path: Path) -> None:
    running = [run(path, seed) for seed in range(4)]
    assert [child.wait(60) for child in running] == [0] * 4
    expected = book(Ledger(), [c for seed in range(4) for c in some(seed, 500)])
    ledger = in_file(path)
    assert ledger.total(by=("tenant", "tag", "hour")) == expected.total(by=("tenant", "tag", "hour"))
    assert len(ledger.calls()) == 2_000


@USUAL
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_writes_its_own_and_not_its_parents(path: Path) -> None:
    ledger = book(in_file(path), some(1, 40))
    child = os.fork()
    if child == 0:
        book(ledger, some(2, 30))
        ledger.close()
        os._exit(0)
    book(ledger, some(3, 20))
    assert os.waitpid(child, 0)[1] == 0
    assert ledger.total() == book(Ledger(), [*some(1, 40), *some(2, 30), *some(3, 20)]).total()


@USUAL
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_what_waits_for_a_store_is_not_written_by_the_child_too(path: Path) -> None:
    ledger, room = fragile(path)
    room.away = True
    book(ledger, some(1, 40))
    with pytest.raises(StoreError):
        ledger.total()
    book(ledger, some(3, 10))
    ledger._books._failing = True  # type: ignore[attr-defined]  # as its thread finds out
    child = os.fork()
    if child == 0:
        room.away = False
        book(ledger, some(2, 30))
        ledger.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    room.away = False
    assert ledger.total().calls == 80


def _child(ledger: Ledger) -> None:
    book(ledger, some(2, 30))


@USUAL
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_child_of_multiprocessing_writes_before_it_ends(path: Path) -> None:
    ledger = book(in_file(path), some(1, 40))
    process = multiprocessing.get_context("fork").Process(target=_child, args=(ledger,))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert ledger.total().calls == 70


def _parent(ledger: Ledger) -> None:
    book(ledger, some(3, 20))
    process = multiprocessing.get_context("fork").Process(target=_child, args=(ledger,))
    process.start()
    process.join(60)
    assert process.exitcode == 0


@USUAL
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_so_does_the_child_of_such_a_child(path: Path) -> None:
    ledger = book(in_file(path), some(1, 40))
    process = multiprocessing.get_context("fork").Process(target=_parent, args=(ledger,))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert ledger.total() == book(Ledger(), [*some(1, 40), *some(2, 30), *some(3, 20)]).total()


def test_a_router_keeps_its_ledger_in_its_store(path: Path) -> None:
    scripts: Any = {"a": ["overloaded", "ok"], "b": ["ok", "cut:2"]}

    def made(**settings: Any) -> Any:
        return scripted_router(scripts, clock=SystemClock(), retry={"wait": "none"}, **settings)

    first = made(store=f"sqlite:///{path}")
    for _ in range(3):
        ask(first)
    assert_books_balanced(first)
    total = first.ledger.total()
    first.close()
    assert made(store=f"sqlite:///{path}").ledger.total() == total
    apart = made(ledger={"store": f"sqlite:///{path}", "keep_days": 7})
    assert apart.ledger.total() == total
    assert made().ledger.total().calls == 0
    assert total.calls == 4


def test_what_a_redis_store_does_not_keep_is_told() -> None:
    from capability_router import Registry
    from capability_router.config import Settings

    def warnings(**words: Any) -> tuple[str, ...]:
        return Settings.from_keywords(store="redis://127.0.0.1:1/0", **words).reviewed(Registry([])).warnings

    told, kept = warnings(), warnings(ledger={"store": "sqlite:///l.db"})
    assert any("does not keep the ledger" in text for text in told)
    assert not any("ledger" in text for text in kept)


def test_settings_of_the_ledger() -> None:
    from capability_router import ConfigError
    from capability_router.config import Settings

    with pytest.raises(ConfigError, match="keep_days"):
        Settings.from_keywords(ledger={"keep_days": -1})
    with pytest.raises(ConfigError, match="memory:// or"):
        Settings.from_keywords(ledger={"store": "redis://x"})
    with pytest.raises(ConfigError, match="did you mean 'keep_days'"):
        Settings.from_keywords(ledger={"keep_dayz": 1})


def test_the_file_holds_a_mark_of_the_key_and_neither_key_nor_prompt(path: Path) -> None:
    from capability_router import Router, RouterError
    from capability_router.address import fingerprint
    from capability_router.endpoints.chat import request_from_chat
    from capability_router.endpoints.chat_completions_endpoint import ChatCompletionsEndpoint
    from capability_router.endpoints.openai_compatible import client_for

    endpoint = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "api_key": "sk-very-secret-4711"}
    router = Router([{"id": "m", "endpoint": endpoint}], store=f"sqlite:///{path}", retry={"attempts": 1})
    request = request_from_chat("the moon is made of cheese", tenant="acme")
    with pytest.raises(RouterError):
        list(router.start(request, ChatCompletionsEndpoint(request, {"m": client_for(endpoint, owner="m", model="m")})))
    assert list(router.ledger.total(by=("credential", "outcome"))) == [(fingerprint("sk-very-secret-4711"), "failed")]
    router.close()
    held = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"acme" in held
    assert b"4711" not in held
    assert b"cheese" not in held
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kept", ["memory", "file"])
def test_calls_under_a_name_that_was_cut_within_an_emoji_are_found(path: Path, kept: str) -> None:
    odd = "\ud83d"
    ledger = in_file(path) if kept == "file" else Ledger(unix=CLOCK.unix)
    book(ledger, [call(tenant=odd, tags=(odd,), session=odd), call("other")])
    for where in ({"tenant": odd}, {"tag": odd}, {"tenant": odd, "tag": [odd]}):
        assert ledger.total(where=where).calls == 1
    assert ledger.of(tenant=odd).total().calls == 1
    assert len(ledger.calls(where={"session": odd})) == 1
    ledger.close()
