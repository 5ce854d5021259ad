from __future__ import annotations

import asyncio
import errno
import gc
import json
import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from capability_router.clock import SystemClock
from capability_router.errors import ConfigError
from capability_router.telemetry import sink_thread as module
from capability_router.telemetry.sink_thread import SinkThread
from capability_router.telemetry.sinks import Sinks
from capability_router.testing import ask, scripted_router


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the product; other rooms' tests wait for their records (tests/conftest.py)."""
    monkeypatch.setattr(module, "PATIENCE_S", 0.02)


class Kept:
    """A sink that goes on only while its gate is open, and fails on what it is told to."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.threads: set[str] = set()
        self.closed = 0
        self.gate = threading.Event()
        self.gate.set()

    def write(self, record: dict[str, Any]) -> None:
        assert self.gate.wait(60)
        if record.get("bad"):
            raise RuntimeError("key sk-1234567890")
        self.threads.add(threading.current_thread().name)
        self.records.append(record)

    def close(self) -> None:
        self.closed += 1


@contextmanager
def shut(sink: Kept) -> Iterator[None]:
    sink.gate.clear()
    try:
        yield
    finally:
        sink.gate.set()


def numbers(sink: Kept) -> list[int]:
    return [record["n"] for record in sink.records]


def test_a_prompt_sink_has_each_record_when_its_call_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 60.0)  # however busy the machine is
    kept = Kept()
    router = scripted_router({"a": ["ok"] * 3})
    router.add_sink(kept)
    for count in (1, 2, 3):
        ask(router)
        assert len(kept.records) == count
    assert kept.threads == {"router telemetry"}
    router.close()


def test_a_sink_that_hangs_holds_no_call_up_and_gets_all_later() -> None:
    kept = Kept()
    sent = SinkThread(kept)
    with shut(kept):
        for n in range(300):  # each would wait for ever, were it waited for
            sent.write({"n": n})
        assert (kept.records, sent.flush(0.01)) == ([], False)
    assert sent.flush()
    assert (numbers(kept), sent.losses.count) == (list(range(300)), 0)
    sent.close()


def test_a_late_sink_is_waited_for_again_only_after_many_records(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, waited = Kept(), list[float]()
    sent = SinkThread(kept)
    passed = module._RecordQueue.passed

    def watched(route: Any, record: Any, timeout_s: float, **more: Any) -> bool:
        waited.append(timeout_s)
        return passed(route, record, 0.0 if record else timeout_s, **more)

    monkeypatch.setattr(module._RecordQueue, "passed", watched)
    with shut(kept):
        for n in range(200):
            sent.write({"n": n})
    assert waited == [module.PATIENCE_S] * 3  # the first, the 51st, the 151st
    sent.close()


def test_records_beyond_the_most_are_dropped_and_counted_not_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MOST", 5)
    kept = Kept()
    sent = SinkThread(kept)
    with shut(kept):
        for n in range(30):
            sent.write({"n": n})
    sent.close()
    assert len(kept.records) + sent.losses.count == 30
    assert numbers(kept) == list(range(len(kept.records)))
    assert len(kept.records) in (5, 6)  # one may be in the sink's hands
    assert [told.getMessage().split(" dropped ")[1].split(":")[0] for told in caplog.records] == [
        "(1 so far)", "(10 so far)",
    ]  # fmt: skip


def test_what_a_sink_raises_is_counted_and_told_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    router = scripted_router({"a": ["ok"] * 2})
    router.add_sink(kept)
    router.sinks.write({"bad": True})
    ask(router)
    assert (len(kept.records), router.sinks.dropped) == (1, 1)
    told = "\n".join(record.getMessage() for record in caplog.records)
    assert "failed with RuntimeError" in told
    assert "sk-123" not in told
    router.close()


def test_a_full_disk_is_told_as_one(caplog: pytest.LogCaptureFixture) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "sk-123")

    kept = Kept()
    kept.write = full  # type: ignore[method-assign]
    router = scripted_router({"a": ["ok"]})
    router.add_sink(kept)
    ask(router)
    router.close()
    (told,) = (record.getMessage() for record in caplog.records if "decision record dropped" in record.getMessage())
    assert told.endswith("failed with OSError (No space left on device)")


def test_one_sink_that_hangs_keeps_nothing_from_another() -> None:
    hangs, works = Kept(), Kept()
    router = scripted_router({"a": ["ok"] * 3})
    router.add_sink(hangs)
    router.add_sink(works)
    with shut(hangs):
        for _ in range(3):
            ask(router)
        router.sinks._threads[1].flush()
        assert (len(hangs.records), len(works.records)) == (0, 3)
    router.close()
    assert len(hangs.records) == 3


def test_close_gives_the_thread_back_and_a_later_record_begins_another() -> None:
    kept = Kept()
    sent = SinkThread(kept)
    before = threading.active_count()
    for n in range(3):
        sent.write({"n": n})
        sent.close()
        assert (kept.closed, threading.active_count() <= before + 1) == (n + 1, True)
    assert numbers(kept) == [0, 1, 2]


def test_nothing_is_lost_while_it_is_closed_again_and_again_by_others() -> None:
    kept = Kept()
    sent = SinkThread(kept)

    def closing() -> None:
        for _ in range(200):
            sent.close()

    other = threading.Thread(target=closing)
    other.start()
    for n in range(2_000):
        sent.write({"n": n})
    other.join()
    sent.close()
    assert numbers(kept) == list(range(2_000))


def test_a_sink_thread_that_goes_away_closes_its_sink() -> None:
    kept = Kept()
    sent = SinkThread(kept)
    sent.write({"n": 1})
    (thread,) = (t for t in threading.enumerate() if t.name == "router telemetry" and t is sent._route._thread)
    del sent
    gc.collect()
    thread.join(10)
    assert (kept.closed, thread.is_alive()) == (1, False)


def test_a_sink_may_route_itself() -> None:
    asked = scripted_router({"a": ["ok"] * 20})
    seen = list[str]()

    def reviews(record: dict[str, Any]) -> None:
        seen.append(record["request_id"])
        if len(seen) < 5:
            ask(asked)

    asked.add_sink(reviews)
    ask(asked)
    for _ in range(5):
        assert asked.flush()
    assert len(seen) == 5
    asked.close()


def test_a_sink_that_flushes_and_closes_does_not_wait_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    waited, said = list[float](), list[bool]()
    passed = module._RecordQueue.passed

    def watched(route: Any, record: Any, timeout_s: float, **more: Any) -> bool:
        if threading.current_thread().name == "router telemetry":
            waited.append(timeout_s)
        return passed(route, record, timeout_s, **more)

    monkeypatch.setattr(module._RecordQueue, "passed", watched)
    sinks = Sinks()

    def ends(record: dict[str, Any]) -> None:
        said.append(sinks.flush())
        sinks.close()

    sinks.add(ends)
    sinks.write({"n": 1})
    sinks.write({"n": 2})
    assert sinks.flush()
    assert (said, waited) == ([False, False], [0.0, 0.0])
    sinks.close()


@pytest.mark.parametrize("sink", [None, 3, "log.jsonl", type("Half", (), {"write": lambda self, record: None})()])
def test_what_is_no_sink_is_refused_at_once(sink: Any) -> None:
    with pytest.raises(ConfigError, match="a sink is a function of a record"):
        scripted_router({"a": ["ok"]}).add_sink(sink)


SLOWLY = """
import os, sys, time
from capability_router.testing import ask, scripted_router
router = scripted_router({"a": ["ok"] * 9})
path = sys.argv[1]
def slowly(record):
    time.sleep(0.05)
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\\n")
router.add_sink(slowly)
for _ in range(4):
    ask(router)
if "fork" in sys.argv and os.fork() == 0:
    ask(router)
    sys.exit()
elif "fork" in sys.argv:
    os.wait()
"""


@pytest.mark.parametrize(("ends", "each"), [((), [4]), (("fork",), [1, 4])])
def test_a_process_that_ends_or_forks_writes_what_waits_once(tmp_path: Path, ends: tuple[str], each: list[int]) -> None:
    if ends and not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-W", "ignore", "-c", SLOWLY, str(out), *ends], check=True, timeout=60)  # noqa: S603 - our own words
    pids = out.read_text().split()
    assert sorted(map(pids.count, set(pids))) == each


LEFT = """
import sys
from capability_router.request import Request
from capability_router.testing import ScriptedEndpoint, scripted_router
path = sys.argv[1]
router = scripted_router({"a": ["ok"] * 9}, telemetry={"jsonl": path}, store=f"sqlite:///{path}.db")
left = []
for each in sys.argv[2:]:
    endpoint = ScriptedEndpoint(router.scripted, router.clock, stream=True)
    run = iter(router.start(Request((each,), stream=True), endpoint))
    text = "".join(run) if each == "whole" else next(run)
    left.append(run)
"""


@pytest.mark.parametrize("asked", [("left",), ("whole", "left", "left too")])
def test_a_stream_that_is_left_until_the_interpreter_goes_is_told_of(tmp_path: Path, asked: tuple[str, ...]) -> None:
    """It is ended when the module's names go: too late for a thread to begin, so the process had waited for ever."""
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-c", LEFT, str(out), *asked], check=True, timeout=60)  # noqa: S603 - our own words
    records = [json.loads(line) for line in out.read_text().splitlines()]
    faults = [None if each == "whole" else "cancelled" for each in asked]
    assert [record["attempts"][0]["fault"] for record in records] == faults
    with closing(sqlite3.connect(f"{out}.db")) as store:
        assert store.execute("select count(*) from ledger_calls").fetchone() == (len(asked),)


FIRST = """
import atexit, sys, time
from capability_router.testing import ask, scripted_router
router = scripted_router({"a": ["ok"] * 9})
connection = []
atexit.register(connection.append, "closed")  # by whatever the sink writes to
def slowly(record):
    time.sleep(0.1)
    with open(sys.argv[1], "a") as file:
        file.write(f"{connection}\\n")
router.add_sink(slowly)
for _ in range(4):
    ask(router)
"""


def test_what_waits_is_written_before_that_is_closed_which_was_there_before_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-c", FIRST, str(out)], check=True, timeout=60)  # noqa: S603 - our own words
    assert out.read_text().split() == ["[]"] * 4


@pytest.mark.parametrize("ends", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_a_sink_that_raises_what_ends_threads_gets_the_next_record(ends: type[BaseException]) -> None:
    kept = list[int]()

    def raises(record: dict[str, Any]) -> None:
        if record["n"] == 1:
            raise ends
        kept.append(record["n"])

    sinks = Sinks()
    sinks.add(raises)
    for n in range(4):
        sinks.write({"n": n})
    assert sinks.flush()
    assert (kept, sinks.dropped) == ([0, 2, 3], 1)
    sinks.close()


def test_what_one_sink_makes_of_a_record_is_its_own(tmp_path: Path) -> None:
    def spoils(value: Any) -> None:
        for inner in (
            list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else ()
        ):
            spoils(inner)
        if isinstance(value, (dict, list)):
            value.clear()

    whole, seen = tmp_path / "whole", list[str]()
    router = scripted_router({"a": ["ok"] * 3}, telemetry={"jsonl": str(whole)})
    router.add_sink(spoils)
    router.add_sink(lambda record: seen.append(json.dumps(record)))
    for _ in range(3):
        ask(router)
    router.close()
    records = [json.loads(line) for line in whole.read_text().splitlines()]
    assert [(r["basis"]["prices"], len(r["plan"]["candidates"])) for r in records] == [
        ({"a": {"input_mtok": 1.0, "output_mtok": 2.0}}, 1)
    ] * 3
    assert list(map(json.loads, seen)) == records


def test_where_no_thread_can_be_had_the_next_record_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    sent = SinkThread(kept)

    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        sent.write({"n": 1})
        assert not sent.flush(1_000.0)  # nobody would come by to end that wait
    sent.write({"n": 2})
    assert sent.flush()
    assert numbers(kept) == [1, 2]
    sent.close()


def test_closing_a_sink_that_hangs_gives_up_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    sent = SinkThread(kept)
    caplog.set_level(logging.WARNING)
    with shut(kept):
        sent.write({"n": 1})
        sent.close(timeout_s=0.01)
    assert "did not take its records (wait: 0.01 s at most)" in caplog.text
    sent.close()


def test_sinks_that_hang_are_waited_for_side_by_side() -> None:
    stuck = [Kept() for _ in range(4)]
    for each in stuck:
        each.gate.clear()
    sinks = Sinks(stuck)
    sinks.write({})
    begun = SystemClock().now()
    assert not sinks.flush(0.3)
    assert SystemClock().now() - begun < 0.9
    for each in stuck:
        each.gate.set()
    assert sinks.flush()
    sinks.close()
