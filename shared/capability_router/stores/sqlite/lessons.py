"""Logs of what is learned, in an SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from uuid import uuid4

from capability_router.stores.lessons import (
    ANSWERS_KEPT,
    LOGS_KEPT,
    NONE,
    WRITERS_KEPT,
    LessonEntry,
    LessonLine,
    LogHead,
    LogPage,
    LogSummary,
    ScorableAnswer,
)
from capability_router.stores.sqlite.database import Database

_SCHEMA = (
    "CREATE TABLE lesson_logs (name TEXT PRIMARY KEY, epoch TEXT NOT NULL, last INTEGER NOT NULL, "
    "summed INTEGER NOT NULL, touched INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE lesson_summaries (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, text TEXT NOT NULL)",
    "CREATE TABLE lessons (name TEXT NOT NULL, place INTEGER NOT NULL, writer TEXT NOT NULL, number INTEGER NOT NULL, "
    "text TEXT NOT NULL, PRIMARY KEY (name, place)) WITHOUT ROWID",
    "CREATE TABLE lesson_writers (name TEXT NOT NULL, writer TEXT NOT NULL, number INTEGER NOT NULL, "
    "place INTEGER NOT NULL, PRIMARY KEY (name, writer)) WITHOUT ROWID",
)
_ANSWERS = (
    "CREATE TABLE lesson_answers (place INTEGER PRIMARY KEY, name TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, "
    "UNIQUE (name, id))",
    "CREATE INDEX lesson_answers_place ON lesson_answers (name, place)",
)  # a room of its own: files of before have the other one
_TABLES = ("lesson_logs", "lesson_summaries", "lessons", "lesson_writers", "lesson_answers")


class SqliteLessons:
    """See LessonRoom. What is old is told by order, never by a clock: those of several machines may differ."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.room("lessons", 1, _SCHEMA)
        database.room("answers", 1, _ANSWERS)

    def append(self, name: str, writer: str, lines: Sequence[LessonLine]) -> None:
        """See LessonRoom; one transaction."""
        with self._database.writing() as connection:
            head = _begun(connection, name)
            known = connection.execute(
                "SELECT number FROM lesson_writers WHERE name = ? AND writer = ?", (name, writer)
            ).fetchone()
            fresh = [line for line in lines if known is None or line.number > known[0]]
            if not fresh:
                return
            rows = [(name, place, writer, *line) for place, line in enumerate(fresh, head.last + 1)]
            connection.executemany("INSERT INTO lessons VALUES (?, ?, ?, ?, ?)", rows)
            last = head.last + len(rows)
            connection.execute("UPDATE lesson_logs SET last = ? WHERE name = ?", (last, name))
            connection.execute(
                "INSERT OR REPLACE INTO lesson_writers VALUES (?, ?, ?, ?)", (name, writer, fresh[-1].number, last)
            )

    def since(self, name: str, place: int, most: int) -> LogPage:
        """See LessonRoom."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT place, writer, number, text FROM lessons WHERE name = ? AND place > ? ORDER BY place LIMIT ?",
                (name, place, most),
            ).fetchall()
            return LogPage(_head(connection, name), [LessonEntry(*row) for row in rows])

    def summary(self, name: str) -> LogSummary | None:
        """See LessonRoom."""
        with self._database.reading() as connection:
            head = _head(connection, name)
            row = connection.execute("SELECT text FROM lesson_summaries WHERE name = ?", (name,)).fetchone()
        return None if row is None or head.summed == NONE else LogSummary(head.epoch, head.summed, row[0])

    def sum_up(self, name: str, summary: LogSummary, before: int) -> bool:
        """See LessonRoom; one transaction. Logs that were neither summed up nor had answers for long go with it."""
        with self._database.writing() as connection:
            head = _begun(connection, name) if not summary.epoch else _head(connection, name)
            if head.summed != before or summary.epoch not in ("", head.epoch):
                return False
            connection.execute(
                "UPDATE lesson_logs SET summed = ?, touched = (SELECT MAX(touched) + 1 FROM lesson_logs) "
                "WHERE name = ?", (summary.place, name),
            )  # fmt: skip
            connection.execute(
                "INSERT OR REPLACE INTO lesson_summaries (name, text) VALUES (?, ?)", (name, summary.text)
            )
            connection.execute("DELETE FROM lessons WHERE name = ? AND place <= ?", (name, summary.place))
            _tidy(connection, name)
        return True

    def keep(self, name: str, answers: Sequence[ScorableAnswer]) -> None:
        """See LessonRoom; one transaction."""
        rows = [(name, *each) for each in answers]
        with self._database.writing() as connection:
            _begun(connection, name)
            connection.execute(
                "UPDATE lesson_logs SET touched = (SELECT MAX(touched) + 1 FROM lesson_logs) "
                "WHERE name = ? AND touched < (SELECT MAX(touched) FROM lesson_logs)", (name,),
            )  # fmt: skip
            connection.executemany("INSERT OR REPLACE INTO lesson_answers (name, id, text) VALUES (?, ?, ?)", rows)
            connection.execute(
                "DELETE FROM lesson_answers WHERE name = ? AND place <= (SELECT place FROM lesson_answers "
                "WHERE name = ? ORDER BY place DESC LIMIT 1 OFFSET ?)", (name, name, ANSWERS_KEPT),
            )  # fmt: skip

    def kept(self, name: str, id: str) -> str | None:
        """See LessonRoom."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT text FROM lesson_answers WHERE name = ? AND id = ?", (name, id)).fetchone()
        return None if row is None else str(row[0])


def _head(connection: sqlite3.Connection, name: str) -> LogHead:
    row = connection.execute("SELECT epoch, last, summed FROM lesson_logs WHERE name = ?", (name,)).fetchone()
    return LogHead() if row is None else LogHead(*row)


def _begun(connection: sqlite3.Connection, name: str) -> LogHead:
    """Its head. Where it is new, the oldest are dropped: a log may never be summed up, nor one begun after it."""
    begun = connection.execute(
        "INSERT OR IGNORE INTO lesson_logs SELECT ?, ?, 0, ?, COALESCE(MAX(touched), 0) + 1 FROM lesson_logs",
        (name, uuid4().hex, NONE),
    )
    if begun.rowcount:
        _tidy(connection, name)
    return _head(connection, name)


def _tidy(connection: sqlite3.Connection, name: str) -> None:
    old = connection.execute("SELECT name FROM lesson_logs ORDER BY touched DESC LIMIT -1 OFFSET ?", (LOGS_KEPT,))
    for each in old.fetchall():
        for table in _TABLES:
            connection.execute(f"DELETE FROM {table} WHERE name = ?", each)  # noqa: S608 - one of five names
    # answers had no log once, until the first score
    connection.execute("DELETE FROM lesson_answers WHERE name NOT IN (SELECT name FROM lesson_logs)")
    connection.execute(
        "DELETE FROM lesson_writers WHERE name = ? AND writer IN (SELECT writer FROM lesson_writers WHERE name = ? "
        "ORDER BY place DESC LIMIT -1 OFFSET ?)", (name, name, WRITERS_KEPT),
    )  # fmt: skip
