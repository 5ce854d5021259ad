"""The ledger in an SQLite file. Sums are kept by hour and key; keys have rows of their own, for they repeat.

The tables may be read by anybody's SQL: `ledger_calls` (one row per launch), `ledger_sums` joined with `ledger_keys`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from capability_router.stores.calls import CALL, DAY_S, HOUR_S, KEY, SUMS, CallQuery, HourlySums
from capability_router.stores.sqlite.database import Database

_PAGE = 5_000  # rows that are read, or deleted, in one transaction
_WRITERS_S = 7 * DAY_S  # how long a writer's last number is known


def _marks(count: int) -> str:
    return ", ".join("?" * count)


_TEXT = {"request_id", "session", "usage", *KEY}
_KEYS = ", ".join(KEY)
_CALLS = ", ".join(CALL)
_TYPED = ", ".join(f"{n} {'TEXT' if n in _TEXT else 'REAL' if n == 'at' else 'INTEGER'}" for n in CALL)
_TEXTS = ", ".join(f"{n} TEXT NOT NULL" for n in KEY)
_WHOLE = ", ".join(f"{n} INTEGER NOT NULL" for n in SUMS)
_SCHEMA = (
    "CREATE TABLE ledger_writers (writer INTEGER PRIMARY KEY, number INTEGER NOT NULL, at REAL NOT NULL)",
    f"CREATE TABLE ledger_calls (id INTEGER PRIMARY KEY AUTOINCREMENT, {_TYPED})",
    "CREATE INDEX ledger_calls_at ON ledger_calls (at)",
    f"CREATE TABLE ledger_keys (id INTEGER PRIMARY KEY, {_TEXTS}, UNIQUE ({_KEYS}))",
    "CREATE TABLE ledger_sums (start INTEGER NOT NULL, length INTEGER NOT NULL, key INTEGER NOT NULL, "
    f"{_WHOLE}, PRIMARY KEY (start, length, key)) WITHOUT ROWID",
)
# Every name in the statements below is from the tables above; every value is bound.
_MORE = f"ON CONFLICT (start, length, key) DO UPDATE SET {', '.join(f'{n} = {n} + excluded.{n}' for n in SUMS)}"
_KEEP = f"INSERT INTO ledger_calls ({_CALLS}) VALUES ({_marks(len(CALL))})"  # noqa: S608 - see above
_NAME = f"INSERT OR IGNORE INTO ledger_keys ({_KEYS}) VALUES ({_marks(len(KEY))})"  # noqa: S608 - see above
_ADD = (
    f"INSERT INTO ledger_sums SELECT ?, {HOUR_S}, id, {_marks(len(SUMS))} FROM ledger_keys "  # noqa: S608 - see above
    f"WHERE {' AND '.join(f'{n} = ?' for n in KEY)} {_MORE}"
)
_ADDED = ", ".join(f"SUM({n})" for n in SUMS)
_OF_A_DAY = f"length = {HOUR_S} AND start >= ? AND start < ?"
_FOLD = (
    f"INSERT INTO ledger_sums SELECT ?, {DAY_S}, key, {_ADDED} FROM ledger_sums "  # noqa: S608 - see above
    f"WHERE {_OF_A_DAY} GROUP BY key {_MORE}"
)
_FOLDED = f"DELETE FROM ledger_sums WHERE {_OF_A_DAY}"  # noqa: S608 - see above
_OLDEST = f"SELECT MIN(start) FROM ledger_sums WHERE length = {HOUR_S} AND start < ?"  # noqa: S608 - see above
_DROP = "DELETE FROM ledger_calls WHERE id IN (SELECT id FROM ledger_calls WHERE {} LIMIT {})"
_SPLIT = 1_000_000
_LARGE = ("cost_pico", "estimated_pico")
_SUMMED = ", ".join(
    f"SUM({name} / {_SPLIT}), SUM({name} % {_SPLIT})" if name in _LARGE else f"SUM({name})" for name in SUMS
)
_START = {None: "0", "hour": "start", "day": f"start - start % {DAY_S}"}


class SqliteCalls:
    """See CallRoom. Sums of picodollars are added in two halves: SQLite's integers end at 9.2 million USD."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.room("ledger", 1, _SCHEMA)

    def append(self, writer: int, number: int, calls: Sequence[Sequence[Any]], cells: Iterable[HourlySums]) -> None:
        """See CallRoom; one transaction."""
        with self._database.writing() as connection:
            row = connection.execute("SELECT number FROM ledger_writers WHERE writer = ?", (writer,)).fetchone()
            if row is not None and row[0] >= number:
                return
            at = max((call[0] for call in calls), default=0.0)
            connection.execute("INSERT OR REPLACE INTO ledger_writers VALUES (?, ?, ?)", (writer, number, at))
            connection.executemany(_KEEP, calls)
            for cell in cells:
                connection.execute(_NAME, cell.key)
                connection.execute(_ADD, (cell.start, *cell.sums, *cell.key))

    def cells(self, asked: CallQuery) -> Iterable[tuple[int, Mapping[str, Any], Sequence[int]]]:
        """See CallRoom; one sum per key, and per span if it matters when."""
        names = [name for name in KEY if name in asked.columns]
        where, values = _spans(asked)
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {_START[asked.timed]} AS began, key, {_SUMMED} FROM ledger_sums{where} GROUP BY began, key",  # noqa: S608 - see above
                values,
            ).fetchall()
            known = connection.execute(f"SELECT id, {_KEYS} FROM ledger_keys").fetchall()  # noqa: S608 - see above
        named = {id: {n: v for n, v in _named(KEY, key).items() if n in names} for id, *key in known}
        return ((began, named[key], _whole(sums)) for began, key, *sums in rows)

    def calls(self, asked: CallQuery, *, newest_first: bool) -> Iterator[Mapping[str, Any]]:
        """See CallRoom. What is written after the first page is not seen."""
        conditions, values = _calls_where(asked)
        order, after = ("DESC", "<") if newest_first else ("ASC", ">")
        with self._database.reading() as connection:
            last = connection.execute("SELECT MAX(id) FROM ledger_calls").fetchone()[0] or 0
        place: tuple[Any, ...] = ()
        while True:
            where = [*conditions, "id <= ?", *([f"(at, id) {after} (?, ?)"] if place else [])]
            with self._database.reading() as connection:
                rows = connection.execute(
                    f"SELECT id, {_CALLS} FROM ledger_calls WHERE {' AND '.join(where)} "  # noqa: S608 - see above
                    f"ORDER BY at {order}, id {order} LIMIT {_PAGE}",
                    (*values, last, *place),
                ).fetchall()
            for row in rows:
                yield _named(CALL, row[1:])
            if len(rows) < _PAGE:
                return
            place = (rows[-1][1], rows[-1][0])

    def tidy(self, before: float, keep: int | None) -> int:
        """See CallRoom; in small transactions, so that other processes wait only briefly."""
        self._fold(int(before // DAY_S) * DAY_S)
        dropped = self._drop("at < ?", before)
        if keep is not None:
            with self._database.reading() as connection:
                row = connection.execute(
                    "SELECT id FROM ledger_calls ORDER BY id DESC LIMIT 1 OFFSET ?", (keep,)
                ).fetchone()
            dropped += self._drop("id <= ?", row[0]) if row else 0
        with self._database.writing() as connection:
            connection.execute("DELETE FROM ledger_writers WHERE at < ?", (before - _WRITERS_S,))
        return dropped

    def _fold(self, limit: int) -> None:
        """Put the hours before this midnight together into days, one day in each transaction."""
        while True:
            with self._database.writing() as connection:
                oldest = connection.execute(_OLDEST, (limit,)).fetchone()[0]
                if oldest is None:
                    return
                day = oldest // DAY_S * DAY_S
                connection.execute(_FOLD, (day, day, day + DAY_S))
                connection.execute(_FOLDED, (day, day + DAY_S))

    def _drop(self, condition: str, value: float) -> int:
        dropped = 0
        while True:
            with self._database.writing() as connection:
                gone = connection.execute(_DROP.format(condition, _PAGE), (value,)).rowcount
            dropped += gone
            if gone < _PAGE:
                return dropped


def _spans(asked: CallQuery) -> tuple[str, list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if asked.equal:
        named, values = _equal(asked, KEY)
        conditions.append(f"key IN (SELECT id FROM ledger_keys WHERE {' AND '.join(named)})")  # noqa: S608 - see above
    if asked.since is not None:
        since = int(asked.since // HOUR_S) * HOUR_S
        conditions += ["start >= ?", "start >= ? / length * length"]  # the first one is for the index
        values += [since // DAY_S * DAY_S, since]
    if asked.until is not None:
        conditions.append("start < ?")
        values.append(asked.until)
    return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), values


def _calls_where(asked: CallQuery) -> tuple[list[str], list[Any]]:
    conditions, values = _equal(asked, CALL)
    for limit, sign in ((asked.since, ">="), (asked.until, "<")):
        if limit is not None:
            conditions.append(f"at {sign} ?")
            values.append(limit)
    return conditions, values


def _equal(asked: CallQuery, known: Sequence[str]) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    for name in known:
        if name in asked.equal:
            wanted = sorted(asked.equal[name])
            conditions.append(f"{name} IN ({_marks(len(wanted))})")
            values += wanted
    return conditions, values


def _whole(sums: Sequence[int]) -> list[int]:
    coming = iter(sums)
    return [next(coming) * _SPLIT + next(coming) if name in _LARGE else next(coming) for name in SUMS]


def _named(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    row = dict(zip(names, values, strict=True))
    if "tags" in row:
        row["tags"] = tuple(json.loads(row["tags"]))
    return row
