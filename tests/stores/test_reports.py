"""What routers report to a store, and what `capability-router status` makes of it: real processes, real stores."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from capability_router import Router
from capability_router.cli.main import main
from capability_router.clock import ManualClock, SystemClock
from capability_router.errors import StoreError
from capability_router.health import reporter as reporter_module
from capability_router.health.reporter import EVERY_S, HealthReporter
from capability_router.stores.base import Store
from capability_router.stores.opening import open_store
from capability_router.stores.reports import KEPT_S, ReportStore
from capability_router.stores.sqlite.store import SqliteStore
from capability_router.testing import ask, scripted_router

CHILD = Path(__file__).with_name("reporting_child.py")
PATIENCE_S = 60.0


class Children:
    """Processes, and what they said."""

    def __init__(self) -> None:
        self.all: list[subprocess.Popen[str]] = []

    def start(self, url: str, plan: str, end: str, *said: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(CHILD), url, plan, end]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own words
        self.all.append(process)
        for word in said or ("told",):
            assert process.stdout is not None
            assert process.stdout.readline().strip() == word
        return process


@pytest.fixture
def children() -> Iterator[Children]:
    made = Children()
    yield made
    for process in made.all:
        process.kill()
        process.communicate()


def status(*words: str) -> Any:
    result = CliRunner().invoke(main, ["status", *words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def until(url: str, what: Any) -> Any:
    """The first status for which it is so."""
    ends = time.monotonic() + PATIENCE_S
    while not what(found := status("--store", url)):
        assert time.monotonic() < ends, found
        time.sleep(0.1)
    return found


def test_two_processes_are_seen_as_one_row_for_each_model(url: str, children: Children) -> None:
    well, fails = children.start(url, "well", "hang"), children.start(url, "fails", "hang")
    seen = status("--store", url)
    assert {each["pid"] for each in seen["processes"]} == {well.pid, fails.pid}
    assert not any(each["silent"] for each in seen["processes"])
    rows = {row["model"]: row for row in seen["models"]}
    bad, good = rows["bad"], rows["good"]
    assert (bad["router"], bad["processes"], bad["state"], bad["held_in"], bad["held_by"]) == (
        "front", 2, "open", 1, "breaker",
    )  # fmt: skip
    assert bad["held"].startswith("breaker open for another")
    assert (good["state"], good["held"], good["in_flight"]) == ("closed", "", 0)
    assert (bad["calls"], good["calls"]) == (6 + 2, 6)
    assert (bad["success_share"], bad["recent_calls"], bad["recent_share"]) == (6 / 8, 8, 6 / 8)
    assert good["success_share"] == 1.0
    assert good["took_s"] is not None
    assert bad["left_usd"] < 0.25 < good["left_usd"] < 1.0  # the model's own cap, and the one on everything


def test_who_was_killed_is_silent_soon_and_counts_no_longer(url: str, children: Children) -> None:
    stays, dies = children.start(url, "well", "hang"), children.start(url, "fails", "hang")
    assert next(row for row in status("--store", url)["models"] if row["model"] == "bad")["state"] == "open"
    killed = time.monotonic()
    dies.terminate()  # it does not hear SIGTERM
    dies.wait()
    seen = until(url, lambda found: any(each["silent"] for each in found["processes"]))
    assert time.monotonic() - killed < 4 * EVERY_S + 10  # and however busy this machine is
    assert {each["pid"]: each["silent"] for each in seen["processes"]} == {stays.pid: False, dies.pid: True}
    bad = next(row for row in seen["models"] if row["model"] == "bad")
    assert (bad["state"], bad["processes"], bad["success_share"]) == ("closed", 1, 1.0)
    text = CliRunner().invoke(main, ["status", "--store", url], catch_exceptions=False).stdout
    why = "killed, hanging or unable to write here; not counted, gone in 9 min"
    assert re.search(rf"silent for \d+ s: {why}: \S+:{dies.pid}\n", text)
    lasts = next(each for each in seen["processes"] if each["silent"])
    assert lasts["age_s"] + lasts["gone_in_s"] == pytest.approx(KEPT_S, abs=0.01)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process can't be stopped here")
def test_who_hangs_is_silent_and_comes_back(url: str, children: Children) -> None:
    process = children.start(url, "well", "hang")
    process.send_signal(signal.SIGSTOP)
    assert until(url, lambda found: found["processes"][0]["silent"])["models"] == []
    process.send_signal(signal.SIGCONT)
    assert until(url, lambda found: not found["processes"][0]["silent"])["models"]


def test_who_ends_well_takes_its_report_back(url: str, children: Children) -> None:
    children.start(url, "well", "close", "told", "closed")
    assert status("--store", url)["processes"] == []
    children.start(url, "well", "exit").wait(PATIENCE_S)
    assert status("--store", url)["processes"] == []
    children.start(url, "well", "gone", "told", "gone")
    assert status("--store", url)["processes"] == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child_is_a_process_of_its_own(url: str, children: Children) -> None:
    parent = children.start(url, "well", "fork", "told", "child")
    found = status("--store", url)["processes"]
    assert len({each["pid"] for each in found}) == 2
    assert parent.pid in {each["pid"] for each in found}
    for each in found:
        if each["pid"] != parent.pid:
            os.kill(each["pid"], signal.SIGKILL)


def test_a_report_takes_the_former_ones_place_grows_old_and_is_dropped(shared: Store, clock: ManualClock) -> None:
    room = shared.reports
    assert room is not None
    room.tell("b: odd/name", "w1", "first")
    room.tell("b: odd/name", "w1", "second")
    room.tell("a", "w2", "third")
    assert [report[:3] for report in room.reports()] == [("a", "w2", "third"), ("b: odd/name", "w1", "second")]
    room.withdraw("a", "w2")
    room.withdraw("a", "nobody")
    assert [report.writer for report in room.reports()] == ["w1"]
    if isinstance(shared, SqliteStore):  # Redis has a clock of its own
        clock.advance(KEPT_S - 1)
        assert room.reports()[0].age_s == pytest.approx(KEPT_S - 1)
        clock.advance(2)
        assert room.reports() == []
        room.tell("c", "w3", "fourth")
        with shared.database.reading() as connection:
            assert connection.execute("SELECT COUNT(*) FROM reports").fetchone() == (1,)


def test_memory_keeps_no_reports_and_needs_no_thread() -> None:
    router = scripted_router({"a": ["ok"]})
    ask(router)
    assert router.store.reports is None
    assert "router health reporter" not in {thread.name for thread in threading.enumerate()}


def test_reports_can_be_switched_off(tmp_path: Path) -> None:
    router = scripted_router({"a": ["ok"]}, store=f"sqlite:///{tmp_path / 'r.db'}", health={"reports": False})
    ask(router)
    assert "router health reporter" not in {thread.name for thread in threading.enumerate()}
    router.close()


class Slow:
    """A room that takes its time, or is away."""

    def __init__(self, room: ReportStore, *, away: bool = False) -> None:
        self._room, self._away = room, away
        self.asked, self.go = threading.Event(), threading.Event()
        self.by: set[str] = set()

    def tell(self, name: str, writer: str, text: str) -> None:
        self.by.add(threading.current_thread().name)
        self.asked.set()
        if self._away:
            raise StoreError("away")
        assert self.go.wait(PATIENCE_S)
        self._room.tell(name, writer, text)

    def withdraw(self, name: str, writer: str) -> None:
        self._room.withdraw(name, writer)

    def reports(self) -> list[Any]:
        return self._room.reports()


def slowed(tmp_path: Path, *, away: bool = False) -> tuple[Router, Slow]:
    router = scripted_router({"a": ["ok"] * 50}, clock=SystemClock(), store=f"sqlite:///{tmp_path / 'r.db'}")
    reporter, room = router._reporter, router.store.reports
    assert isinstance(reporter, HealthReporter)
    assert room is not None
    slow = Slow(room, away=away)
    reporter._room = slow
    return router, slow


def test_no_call_waits_for_a_slow_store(tmp_path: Path) -> None:
    router, slow = slowed(tmp_path)
    ask(router)
    assert slow.asked.wait(PATIENCE_S)
    for _ in range(20):
        ask(router)  # the thread still waits for the store
    slow.go.set()
    router.close()
    assert slow.by == {"router health reporter"}


def test_a_store_that_is_away_misses_reports_and_no_call_knows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    router, slow = slowed(tmp_path, away=True)
    ask(router)
    assert slow.asked.wait(PATIENCE_S)
    ask(router)
    assert router.health()[0]["answered"] == 2
    router.close()
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


def test_a_defect_is_told_once_and_then_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    router, slow = slowed(tmp_path)
    tries: list[int] = []
    twice = threading.Event()

    def broken(*_: object) -> None:
        tries.append(1)
        if len(tries) == 120:
            twice.set()
        raise TypeError("a defect") if len(tries) != 60 else KeyError("another")

    monkeypatch.setattr(slow, "tell", broken)
    monkeypatch.setattr(reporter_module, "EVERY_S", 0.0001)
    ask(router)
    assert twice.wait(PATIENCE_S)
    router.close()
    told = [each for each in caplog.records if "report could not be told" in each.getMessage()]
    assert [each.exc_info[0] for each in told if each.exc_info] == [TypeError, KeyError]
    assert [each.getMessage() for each in told if not each.exc_info and each.levelname == "ERROR"] == [
        f"a report could not be told for the {count}th time: TypeError" for count in (10, 100)
    ]


def test_the_report_holds_what_health_says_and_nothing_else(tmp_path: Path) -> None:
    router, slow = slowed(tmp_path)
    ask(router, "my secret prompt")
    reporter = router._reporter
    assert reporter is not None
    said = json.loads(reporter.report())
    assert set(said) == {"version", "host", "pid", "since", "every_s", "models"}
    paid = {"provider": "scripted", "credential": router.registry.entry("a").address.credential}
    assert said["models"] == [{**row, **paid} for row in router.health()]
    assert "secret" not in reporter.report()
    slow.go.set()
    router.close()


def test_a_file_of_an_older_release_has_no_reports_and_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    store = SqliteStore(path, ManualClock().unix)
    store.open()
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE reports")
        connection.execute("DELETE FROM rooms WHERE name = 'reports'")
        connection.commit()
    assert status("--store", f"sqlite:///{path}")["models"] == []
    reader = open_store(f"sqlite:///{path}", SystemClock(), reads_only=True)
    assert reader.budgets.standings() == []
    reader.close()


def test_a_report_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    store = SqliteStore(path, SystemClock().unix)
    for number, text in enumerate(
        [
            "no json",
            "[]",
            '{"version": 9}',
            '{"version": 1, "host": "h", "pid": 1, "since": 0, "every_s": 2, "models": [{}]}',
            '{"version": 1, "host": "h", "pid": 1, "since": NaN, "every_s": 2, "models": []}',
            '{"version": 1, "host": "h", "pid": Infinity, "since": 0, "every_s": 2, "models": []}',
            '{"version": 1, "host": "h", "pid": 1, "since": 1' + "0" * 400 + ', "every_s": 2, "models": []}',
            "[" * 100_000,
        ]
    ):
        store.reports.tell("front", f"w{number}", text)
    store.close()
    seen = status("--store", f"sqlite:///{path}")
    assert (seen["models"], seen["processes"], seen["unreadable_reports"]) == ([], [], 8)


def test_what_is_begun_while_it_closes_is_another_thread(tmp_path: Path) -> None:
    router, slow = slowed(tmp_path)
    ask(router)
    assert slow.asked.wait(PATIENCE_S)
    closing = threading.Thread(target=router._reporter.close)
    closing.start()
    while router._reporter._rounds._thread is not None:
        time.sleep(0.001)
    router._reporter.start()  # a request comes in while the old thread is still about its report
    slow.go.set()
    closing.join(PATIENCE_S)
    assert not closing.is_alive()
    assert router._reporter._rounds._thread.is_alive()
    router.close()


def test_no_call_fails_where_no_thread_can_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    router, slow = slowed(tmp_path)
    slow.go.set()

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        router._reporter.start()
    assert router._reporter._rounds._thread is None
    router._reporter.start()
    assert router._reporter._rounds._thread.is_alive()
    router.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_child_made_while_the_board_is_read_can_look_at_it() -> None:
    router = scripted_router({"a": ["ok"]})
    with router.board._lock:
        child = os.fork()
        if not child:
            threading.Timer(PATIENCE_S, os._exit, (1,)).start()
            router.health()
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_who_died_before_the_clock_was_set_back_is_not_shown_as_alive_until_it_has_come_round(tmp_path: Path) -> None:
    clock = ManualClock()
    room = SqliteStore(tmp_path / "router.db", clock.unix).reports
    room.tell("router", "dead", "{}")
    room.tell("router", "alive", "{}")
    clock.advance(-3_600.0)
    assert room.reports() == []  # nobody has told anything by this clock
    room.tell("router", "alive", "{}")
    assert [(report.writer, report.age_s) for report in room.reports()] == [("alive", 0.0)]
    clock.advance(-0.5)  # it was corrected
    assert [(report.writer, report.age_s) for report in room.reports()] == [("alive", 0.0)]
    clock.advance(KEPT_S)
    assert [report.writer for report in room.reports()] == ["alive"]
