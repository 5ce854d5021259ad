"""An SQLite file that threads, forked children and other processes use at once.

One connection to write with and one to read with, each under a lock. Both are closed before a fork and opened anew
after it, in the parent and in the child, for SQLite forbids to carry a connection into a child: one that is forked
in the middle of a transaction would find the file locked for ever, by a thread that it has not. Each room has tables
and a schema version of its own. The file is made at its first use, with mode 0600, and its companions (-wal, -shm)
get the same from SQLite. A file that holds another program's tables is left as it is.

A file that was removed or replaced under this process is noticed before each transaction: SQLite would go on in the
old one, which nobody can find any more.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, get_ident
from typing import NamedTuple

from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.errors import StoreError
from capability_router.stores.damaged_file import APPLICATION, is_foreign

log = logging.getLogger("capability_router")
BUSY_S = 5.0
_MEETINGS = 100  # with others who make the same file
_ROOMS = "CREATE TABLE IF NOT EXISTS rooms (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"


class CorruptStore(StoreError):
    """The file is damaged."""


class TableGroup(NamedTuple):
    """Tables that belong together, and the version of their schema."""

    name: str
    version: int
    schema: Sequence[str]


class _LockedConnection:
    """A connection and its lock; opened at its first use, closed at the latest when nothing refers to it."""

    def __init__(self) -> None:
        self.lock, self._pid = Lock(), os.getpid()
        self.connection: sqlite3.Connection | None = None
        self.file: tuple[int, int] | None = None  # that the connection is open to
        self.told = False  # that this file is not the one of its name any more

    def close(self) -> None:
        """The caller holds the lock, or is alone."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def __del__(self) -> None:
        if self._pid == os.getpid():
            self.close()


class Database(ProcessHooks):
    """`with database.writing() as c:` is one transaction; `with database.reading() as c:` sees one state.

    Raises StoreError, CorruptStore among them, for whatever SQLite finds wrong in these blocks. `aside` moves a damaged
    file out of the way, or gives False and lets it be. `reads_only`: nothing is made, changed or moved.
    """

    def __init__(
        self, path: Path, *, busy_s: float = BUSY_S, aside: Callable[[Path], bool] | None = None,
        reads_only: bool = False,
    ) -> None:  # fmt: skip
        self.path, self._busy_s, self._aside, self._reads_only = path, busy_s, aside, reads_only
        self._rooms: list[TableGroup] = []
        self._opening = Lock()
        self._left: list[_LockedConnection] = []  # a parent process's, to be neither used nor closed here
        self._pid, self._writer, self._reader = os.getpid(), _LockedConnection(), _LockedConnection()
        self._paused: dict[int, list[_LockedConnection]] = {}  # by the thread that forks
        watch(self)

    def room(self, name: str, version: int, schema: Sequence[str]) -> None:
        """Have a room: its tables are made with the file's first use, if they are not there."""
        self._rooms.append(TableGroup(name, version, schema))

    def open(self) -> None:
        """What the first use does: make the file and its tables. Raises StoreError for another version of one."""
        with self.reading():
            pass

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone among all processes; rolled back when the block raises."""
        self._here()
        with self._transaction(self._writer, "BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one consistent state of the file, beside writers."""
        self._here()
        with self._transaction(self._reader, "BEGIN") as connection:
            yield connection

    def close(self) -> None:
        """Close this process's connections; the next use opens them again."""
        self._here()
        for desk in (self._writer, self._reader):
            with desk.lock:
                desk.close()

    def pause(self) -> None:
        """Wait for the transactions of other threads, and close: see above.

        A fork in the middle of a transaction of its own thread, in a handler of a signal, waits in vain.
        """
        paused = self._paused[get_ident()] = []
        for desk in (self._writer, self._reader):
            if desk.lock.acquire(timeout=self._busy_s + 1.0):
                paused.append(desk)
                desk.close()

    def resume(self) -> None:
        """See ProcessHooks."""
        for desk in self._paused.pop(get_ident(), ()):
            desk.lock.release()

    def after_fork(self) -> None:
        """See ProcessHooks."""
        self._paused.clear()
        self._here()

    def _here(self) -> None:
        """A forked child leaves its parent's connections alone, if any were left open, and opens its own."""
        if os.getpid() != self._pid:
            self._left += [self._writer, self._reader]
            self._pid, self._writer, self._reader, self._opening = (
                os.getpid(),
                _LockedConnection(),
                _LockedConnection(),
                Lock(),
            )

    @contextmanager
    def _transaction(self, desk: _LockedConnection, begin: str) -> Iterator[sqlite3.Connection]:
        with desk.lock, self._told():
            connection = self._connection(desk)
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:  # whatever it was: nothing of this transaction stays
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _connection(self, desk: _LockedConnection) -> sqlite3.Connection:
        """The desk's own while its file is still the one of this name; else a new one."""
        if desk.connection is not None and self._lost(desk):
            desk.close()
            if not desk.told:
                self._writer.told = self._reader.told = True
                log.warning(
                    "the store %s was removed or replaced while this process used it: what the former file had is not "
                    "in the one that is used from now on; stop the processes before you change it", self.path,
                )  # fmt: skip
        if desk.connection is None:
            desk.connection, desk.told = self._opened(), False
            desk.file = _which(self.path)
        return desk.connection

    def _lost(self, desk: _LockedConnection) -> bool:
        try:
            return _which(self.path) != desk.file
        except OSError:  # who may not look goes on in the file that is open
            return False

    def _opened(self) -> sqlite3.Connection:
        with self._opening:
            try:
                return self._connected()
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                if self._aside is None or not self._aside(self.path):
                    raise
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        if not self._reads_only:
            _made(self.path)
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode=rw", uri=True, timeout=self._busy_s, isolation_level=None,
            check_same_thread=False, cached_statements=64,
        )  # fmt: skip
        try:
            self._verify_store(connection)
            self._ensure_tables(connection)
        except BaseException:  # whatever it was, close it here
            connection.close()
            raise
        return connection

    def _verify_store(self, connection: sqlite3.Connection) -> None:
        """Before anything is changed: raises StoreError for what is no store of ours."""
        if self._reads_only:
            connection.execute("PRAGMA query_only = ON")
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
        if names and [row[1] for row in connection.execute("PRAGMA table_info(rooms)")] != ["name", "version"]:
            raise StoreError(
                f"the store {self.path} can't be used: it holds another program's tables ({names[0]!r}, ...) and was "
                "left as it was; name another file"
            )
        if self._reads_only:
            return
        if not names:
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = NORMAL")

    def _ensure_tables(self, connection: sqlite3.Connection) -> None:
        """See that each room is there, in the version that is known here."""
        missing = self._missing(connection)
        if len(missing) == len(self._rooms) and self._reads_only:
            raise StoreError(f"the store {self.path} holds nothing yet: a router fills it with its first request")
        if not missing or self._reads_only:  # an older release made fewer rooms; their readers know
            return
        connection.execute("BEGIN IMMEDIATE")  # it ends with the connection if anything is raised
        connection.execute(_ROOMS)
        for room in self._missing(connection):  # another process may have been faster
            for statement in room.schema:
                connection.execute(statement)
            connection.execute("INSERT INTO rooms VALUES (?, ?)", (room.name, room.version))
        connection.execute("COMMIT")

    def _missing(self, connection: sqlite3.Connection) -> list[TableGroup]:
        there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'rooms'").fetchone()
        found = dict(connection.execute("SELECT name, version FROM rooms").fetchall()) if there else {}
        for room in self._rooms:
            if found.get(room.name, room.version) != room.version:
                raise StoreError(
                    f"the store {self.path} keeps its {room.name} in version {found[room.name]}, this "
                    f"capability-router knows version {room.version}; use the release that wrote it, or another file"
                )
        return [room for room in self._rooms if room.name not in found]

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # locked, full, read-only, not there
            raise StoreError(f"the store {self.path} can't be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error
        except OSError as error:
            raise StoreError(f"the store {self.path} can't be used: {error.strerror or error}") from error

    def _unreadable(self, error: sqlite3.DatabaseError) -> StoreError:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB and is_foreign(self.path):
            return StoreError(
                f"the store {self.path} can't be used: it is no SQLite database, and was left as it was; "
                "name another file"
            )
        return CorruptStore(
            f"the store {self.path} is damaged: {error}; restore it from a copy, or move it away to begin afresh"
        )

    def __repr__(self) -> str:
        return f"<Database {self.path}>"


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Retry: SQLite doesn't wait for writers while the mode is changed, and several processes may create the file."""
    for _ in range(_MEETINGS):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
        connection.execute("BEGIN IMMEDIATE")  # for this it waits, for `busy_s`
        connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")


def _made(path: Path) -> None:
    """Make the file before SQLite does, for its owner alone; one that is there keeps its mode, and isn't opened.

    For to close a file gives up all locks that this process has on it, those of its other connections included.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _which(path: Path) -> tuple[int, int] | None:
    """The file that has this name now; None = there is none."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
