"""The SQLite file itself: its mode, its versions, its damage, threads, forks."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from capability_router.clock import ManualClock
from capability_router.errors import ConfigError, StoreError
from capability_router.stores.address import shown_url
from capability_router.stores.base import BudgetPeriod, LeaseClaim
from capability_router.stores.opening import open_store
from capability_router.stores.sqlite.database import CorruptStore, Database
from capability_router.stores.sqlite.store import SqliteStore

POT = BudgetPeriod("total|global", "", 10**15)
COUNTS = ("CREATE TABLE counts (n INTEGER)", "INSERT INTO counts VALUES (0)")

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    found = Database(tmp_path / "x.db", busy_s=0.05)
    found.room("counts", 1, COUNTS)
    return found


def test_the_file_and_its_companions_are_the_owner_s_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "router.db", ManualClock().unix)
    store.budgets.claim(LeaseClaim(POT, "a", 1))
    assert {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()} == {
        "router.db": 0o600, "router.db-wal": 0o600, "router.db-shm": 0o600,
    }  # fmt: skip
    store.close()


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    path.touch(0o640)
    path.chmod(0o640)
    store = SqliteStore(path, ManualClock().unix)
    store.open()
    store.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_a_block_that_raises_had_written_is_undone(database: Database) -> None:
    def half() -> None:
        with database.writing() as connection:
            connection.execute("UPDATE counts SET n = 7")
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        half()
    with database.reading() as connection:
        assert connection.execute("SELECT n FROM counts").fetchone() == (0,)
    database.close()


def test_threads_write_one_after_the_other(database: Database) -> None:
    def add() -> None:
        for _ in range(50):
            with database.writing() as connection:
                connection.execute("UPDATE counts SET n = n + 1")

    threads = [threading.Thread(target=add) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    with database.reading() as connection:
        assert connection.execute("SELECT n FROM counts").fetchone() == (400,)
    database.close()


def test_reading_goes_on_beside_a_writer(database: Database) -> None:
    with database.writing() as writer:
        writer.execute("UPDATE counts SET n = 1")
        with database.reading() as reader:
            assert reader.execute("SELECT n FROM counts").fetchone() == (0,)
    database.close()


def test_a_file_that_another_process_keeps_busy_is_a_store_error(database: Database) -> None:
    database.open()
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"x\.db can't be used: database is locked"), database.writing():
        pass
    other.execute("COMMIT")
    other.close()
    with database.writing() as connection:
        connection.execute("UPDATE counts SET n = 1")
    database.close()


def test_a_newer_version_of_a_room_is_left_alone(database: Database) -> None:
    database.open()
    database.close()
    newer = Database(database.path)
    newer.room("counts", 2, COUNTS)
    with pytest.raises(StoreError, match="keeps its counts in version 1, this capability-router knows version 2"):
        newer.open()
    newer.close()


def test_a_file_whose_head_is_broken_is_told(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 4000)
    store = SqliteStore(path, ManualClock().unix, mend=True)
    with pytest.raises(CorruptStore, match=r"router\.db is damaged"):
        store.open()
    assert path.read_bytes() == b"SQLite format 3\x00" + b"\xff" * 4000


def test_a_store_is_made_at_its_first_use(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "router.db", ManualClock().unix)
    assert list(tmp_path.iterdir()) == []
    assert store.budgets.standings() == []
    assert (tmp_path / "router.db").exists()
    store.close()


def test_a_file_that_is_taken_away_between_two_uses_is_made_again(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "router.db", ManualClock().unix)
    store.budgets.claim(LeaseClaim(POT, "a", 1))
    store.close()
    (tmp_path / "router.db").unlink()
    assert store.budgets.claim(LeaseClaim(POT, "a", 1)).spent == 1
    assert stat.S_IMODE((tmp_path / "router.db").stat().st_mode) == 0o600
    store.close()


def test_a_reader_writes_nothing_and_leaves_no_companions(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    reader = SqliteStore(path, ManualClock().unix, reads_only=True)
    with pytest.raises(StoreError, match="can't be used"):
        reader.open()
    assert list(tmp_path.iterdir()) == []
    writer = SqliteStore(path, ManualClock().unix)
    writer.budgets.claim(LeaseClaim(POT, "a", 1))
    assert [row.spent for row in reader.budgets.standings()] == [1]  # beside the writer
    writer.close()
    reader.close()
    assert [row.spent for row in reader.budgets.standings()] == [1]  # and without it
    with pytest.raises(StoreError, match="readonly"):
        reader.budgets.claim(LeaseClaim(POT, "a", 2))
    reader.close()
    assert [p.name for p in tmp_path.iterdir()] == ["router.db"]


def test_a_damaged_row_is_told(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "router.db", ManualClock().unix)
    store.budgets.claim(LeaseClaim(POT, "a", 1))
    with store.database.writing() as connection:
        connection.execute("UPDATE pots SET till = '{half'")
    with pytest.raises(CorruptStore, match="can't be read"):
        store.budgets.claim(LeaseClaim(POT, "a", 1))
    store.close()


def count_in_a_child(database: Database) -> int:
    """Its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            counted(database)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def counted(database: Database) -> int:
    with database.writing() as connection:
        connection.execute("UPDATE counts SET n = n + 1")
        return int(connection.execute("SELECT n FROM counts").fetchone()[0])


@forks
def test_a_forked_child_opens_its_own_connections(database: Database) -> None:
    assert counted(database) == 1
    assert count_in_a_child(database) == 0
    assert counted(database) == 3
    database.close()


@forks
@pytest.mark.parametrize("kind", ["writing", "reading"])
def test_a_fork_waits_for_the_transactions_of_other_threads(database: Database, kind: str) -> None:
    began = threading.Event()

    def holds() -> None:
        with getattr(database, kind)() as connection:
            connection.execute("SELECT n FROM counts").fetchone()
            began.set()
            time.sleep(0.2)

    thread = threading.Thread(target=holds)
    thread.start()
    began.wait()
    assert count_in_a_child(database) == 0
    thread.join()
    assert counted(database) == 2
    database.close()


@forks
def test_a_fork_in_a_transaction_of_its_own_thread_waits_no_longer_than_for_others(database: Database) -> None:
    with database.reading() as connection:
        assert connection.execute("SELECT n FROM counts").fetchone() == (0,)
        assert count_in_a_child(database) == 0
        assert connection.execute("SELECT n FROM counts").fetchone() == (0,)  # its state, whatever the child did
    assert counted(database) == 2
    database.close()


def test_a_path_is_relative_to_where_the_process_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///here.db", ManualClock())
    monkeypatch.chdir("/")
    store.budgets.claim(LeaseClaim(POT, "a", 1))
    assert (tmp_path / "here.db").exists()
    assert store.name == "sqlite:///here.db"
    store.close()


@pytest.mark.parametrize("url", ["sqlite://x.db", "sqlite:///", "sqlite:", "mongodb://h/0", "router.db"])
def test_urls_that_mean_no_store(url: str) -> None:
    with pytest.raises(ConfigError, match="store"):
        open_store(url, ManualClock())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://me:geheim@h:6379/0", "redis://me:***@h:6379/0"),
        ("redis://:geheim@h/0?password=geheim", "redis://:***@h/0"),
        ("redis://h:geheim/0", "redis://..."),
        ("unix://me:geheim@/run/redis.sock?db=1", "unix://me:***@/run/redis.sock"),
        ("sqlite:///router.db", "sqlite:///router.db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_memory_loads_neither_sqlite_nor_redis() -> None:
    program = (
        "import sys\nfrom capability_router.testing import ask, scripted_router\n"
        "router = scripted_router({'a': ['ok']}, budgets=[{'scope': 'global', 'limit_usd': 1}])\nask(router)\n"
        "sys.exit(bool({'sqlite3', 'redis'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0  # noqa: S603 - our own words


def test_a_file_that_another_process_is_just_making_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own waiting leaves out the change to WAL while somebody writes: it says 'locked' at once."""
    path, held = tmp_path / "new.db", list[threading.Timer]()

    class Meeting(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]  # as it is called here
            if "journal_mode" in sql and not held:
                other = sqlite3.Connection(path, isolation_level=None, check_same_thread=False)
                other.execute("BEGIN IMMEDIATE")
                held.append(threading.Timer(0.2, lambda: (other.execute("COMMIT"), other.close())))
                held[0].start()
            return super().execute(sql, *values)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **named: connect(*args, **named, factory=Meeting))
    database = Database(path)
    database.room("things", 1, ("CREATE TABLE things (name TEXT)",))
    database.open()
    held[0].join()
    with database.writing() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()
