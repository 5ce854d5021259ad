"""An SQLite file that threads, forked children and other processes use at once.

One connection to write with and one to read with, each under a lock; both are opened anew after a fork, for
SQLite forbids to carry a connection into a child. Each room has tables and a schema version of its own. The
file is made with mode 0600, and its companions (-wal, -shm) get the same from SQLite.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from capability_router.errors import StoreError

BUSY_S = 5.0
_ROOMS = "CREATE TABLE IF NOT EXISTS rooms (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"


class CorruptStore(StoreError):
    """The file is no SQLite database, or a damaged one."""


class _Desk:
    """A connection under its lock; opened at its first use, closed at the latest when nobody can use it any more."""

    def __init__(self) -> None:
        self.lock, self._pid = Lock(), os.getpid()
        self.connection: sqlite3.Connection | None = None

    def __del__(self) -> None:
        if self.connection is not None and self._pid == os.getpid():
            self.connection.close()


class Database:
    """`with database.writing() as c:` is one transaction; `with database.reading() as c:` sees one state.

    Raises StoreError, CorruptStore among them, for whatever SQLite finds wrong in these blocks.
    """

    def __init__(self, path: Path, *, busy_s: float = BUSY_S) -> None:
        self.path, self._busy_s = path, busy_s
        self._left: list[_Desk] = []  # a parent process's, to be neither used nor closed here
        self._pid, self._writer, self._reader = os.getpid(), _Desk(), _Desk()
        with self._told():
            _made(path)

    def room(self, name: str, version: int, schema: Sequence[str]) -> None:
        """Create a room's tables if it has none; raises StoreError for another version than this one."""
        with self.writing() as connection:
            connection.execute(_ROOMS)
            row = connection.execute("SELECT version FROM rooms WHERE name = ?", (name,)).fetchone()
            if row is None:
                for statement in schema:
                    connection.execute(statement)
                connection.execute("INSERT INTO rooms VALUES (?, ?)", (name, version))
            elif row[0] != version:
                raise StoreError(
                    f"the store {self.path} keeps its {name} in version {row[0]}, this capability-router knows "
                    f"version {version}; use the release that wrote it, or another file"
                )

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone among all processes; rolled back when the block raises."""
        self._here()
        with self._transaction(self._writer, "BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the file, beside whoever writes."""
        self._here()
        with self._transaction(self._reader, "BEGIN") as connection:
            yield connection

    def close(self) -> None:
        """Close this process's connections; the next use opens them again."""
        self._here()
        for desk in (self._writer, self._reader):
            with desk.lock:
                if desk.connection is not None:
                    desk.connection.close()
                    desk.connection = None

    def _here(self) -> None:
        """A forked child leaves its parent's connections alone and opens its own."""
        if os.getpid() != self._pid:
            self._left += [self._writer, self._reader]
            self._pid, self._writer, self._reader = os.getpid(), _Desk(), _Desk()

    @contextmanager
    def _transaction(self, desk: _Desk, begin: str) -> Iterator[sqlite3.Connection]:
        with desk.lock, self._told():
            connection = desk.connection
            if connection is None:
                connection = desk.connection = self._opened()
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:  # whatever it was: nothing of this transaction stays
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self._busy_s, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # locked, full, read-only, not there
            raise StoreError(f"the store {self.path} can't be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise CorruptStore(
                f"the store {self.path} is damaged, or no store: {error}; restore it from a copy, or move it away "
                "to begin afresh"
            ) from error
        except OSError as error:
            raise StoreError(f"the store {self.path} can't be used: {error.strerror or error}") from error

    def __repr__(self) -> str:
        return f"<Database {self.path}>"


def _made(path: Path) -> None:
    """Make the file before SQLite does, for its owner alone; one that is there keeps its mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
