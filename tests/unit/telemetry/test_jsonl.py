from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

import pytest

from capability_router import ConfigError
from capability_router.decision_log.file_order import rotated
from capability_router.telemetry.jsonl import JsonlSink
from capability_router.testing import ask, scripted_router

posix = pytest.mark.skipif(sys.platform == "win32", reason="open files can't be moved there")


def lines(path: Path) -> list[int]:
    return [json.loads(line)["n"] for line in path.read_text("utf-8").splitlines()]


def test_a_full_file_gives_way_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log.jsonl"
    sink = JsonlSink(path, rotate_mb=100e-6, keep=2)  # 100 bytes
    for n in range(50):
        sink.write({"n": n, "fill": "x" * 20})
    sink.close()
    assert [found.name for found in rotated(path)] == ["log.jsonl.2", "log.jsonl.1", "log.jsonl"]
    kept = [lines(found) for found in rotated(path) if found.exists()]
    told = list(chain(*kept))
    assert told == list(range(50 - len(told), 50))
    assert all(len(each) == 3 for each in kept[:2])


def test_keeping_none_begins_anew(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "log", rotate_mb=1e-6, keep=0)
    for n in range(3):
        sink.write({"n": n})
    assert [found for found in tmp_path.iterdir() if not found.name.startswith(".")] == []
    sink.close()


@posix
def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = JsonlSink(path)
    sink.write({"n": 1})
    path.rename(tmp_path / "moved")
    sink.write({"n": 2})
    path.unlink()
    sink.write({"n": 3})
    sink.close()
    assert (lines(tmp_path / "moved"), lines(path)) == ([1], [3])


def _write(path: str, first: int) -> None:
    sink = JsonlSink(path, rotate_mb=0.02, keep=10_000)
    for n in range(first, first + 500):
        sink.write({"n": n, "fill": "ü" * (n % 90)})
    sink.close()


def test_processes_that_share_a_file_lose_and_tear_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        list(pool.map(_write, [str(path)] * 4, range(0, 2_000, 500)))
    found = [lines(each) for each in rotated(path) if each.exists()]
    assert sorted(chain(*found)) == list(range(2_000))
    assert len(found) > 5


@posix
def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "log")
    sink.write({"n": 1})
    sink.close()
    assert stat.S_IMODE(os.stat(tmp_path / "log").st_mode) == 0o600


def test_a_disk_that_is_full_is_counted_and_the_calls_go_on() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no full device")
    router = scripted_router({"a": ["ok"] * 2}, telemetry={"jsonl": "/dev/full"})
    assert [ask(router).outcome.ok for _ in range(2)] == [True, True]
    assert router.flush()
    assert router.sinks.dropped == 2
    router.close()


TORN = """
import os
from resource import RLIM_INFINITY, RLIMIT_FSIZE, setrlimit
from capability_router.telemetry.jsonl import JsonlSink
sink = JsonlSink("log")
sink.write({"n": 0})
setrlimit(RLIMIT_FSIZE, (os.stat("log").st_size + 3, RLIM_INFINITY))  # the disk is all but full
lost = 0
for n in (1, 2):
    try:
        sink.write({"n": n})
    except OSError:
        lost += 1
setrlimit(RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))  # and has room again
sink.write({"n": 3})
os.chdir("..")
sink.write({"n": 4})
assert lost == 2
"""


@posix
def test_a_line_for_which_there_was_no_room_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"n":-1}\n{"n":-')  # somebody was killed
    subprocess.run([sys.executable, "-c", TORN], check=True, timeout=60, cwd=tmp_path)  # noqa: S603 - our own words
    found = read_lines(tmp_path / "log")
    assert found == [-1, None, 0, None, 3, 4]


def read_lines(path: Path) -> list[int | None]:
    """None = a line that is not whole."""
    return [json.loads(line)["n"] if line.endswith("}") else None for line in path.read_text("utf-8").splitlines()]


@posix
def test_a_tilde_is_home_and_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    sink = JsonlSink("~/log")
    sink.write({"n": 1})
    sink.close()
    assert lines(tmp_path / "log") == [1]


def test_texts_that_are_no_unicode_are_written(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "log")
    sink.write({"n": 1, "text": "\ud800"})
    sink.close()
    assert lines(tmp_path / "log") == [1]


def test_a_file_that_cannot_be_renamed_keeps_every_record_and_none_counts_as_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log.jsonl"
    (tmp_path / ".log.jsonl.lock").mkdir()  # what the renaming needs can't be opened
    router = scripted_router({"a": ["ok"] * 3}, telemetry={"jsonl": str(path), "rotate_mb": 1e-6})
    for _ in range(3):
        ask(router)
    assert router.sinks.flush()
    assert (router.sinks.dropped, len(path.read_text("utf-8").splitlines())) == (0, 3)
    router.close()
    assert sum("can't be rotated and goes on growing" in record.message for record in caplog.records) == 1


class Keeping(logging.Handler):
    """Keeps what is logged in a sink of records."""

    def __init__(self, sink: JsonlSink) -> None:
        super().__init__()
        self.sink, self.free = sink, list[bool]()

    def emit(self, record: logging.LogRecord) -> None:
        self.free.append(not self.sink._lock.locked())
        if self.free[-1]:
            self.sink.write({"logged": record.getMessage()})


def test_a_handler_of_logs_may_write_to_the_sink_that_can_not_be_rotated(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    (tmp_path / ".log.jsonl.lock").mkdir()
    sink = JsonlSink(path, rotate_mb=1e-6)
    handler = Keeping(sink)
    logging.getLogger("capability_router").addHandler(handler)
    try:
        sink.write({"n": 1})
    finally:
        logging.getLogger("capability_router").removeHandler(handler)
    assert handler.free == [True]
    assert [list(json.loads(line)) for line in path.read_text("utf-8").splitlines()] == [["n"], ["logged"]]


def test_a_folder_is_refused_when_the_router_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a folder; name a file in it, such as decisions\.jsonl"):
        scripted_router({"a": ["ok"]}, telemetry={"jsonl": str(tmp_path)})


def test_a_name_that_can_not_be_looked_at_costs_records_and_not_the_router(tmp_path: Path) -> None:
    scripted_router({"a": ["ok"]}, telemetry={"jsonl": str(tmp_path / ("n" * 300))}).close()
