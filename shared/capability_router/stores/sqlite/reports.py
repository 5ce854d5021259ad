"""Reports of routers, in an SQLite file."""

from __future__ import annotations

from collections.abc import Callable

from capability_router.stores.reports import KEPT_S, Report
from capability_router.stores.sqlite.database import Database

_SCHEMA = (
    "CREATE TABLE reports (name TEXT NOT NULL, writer TEXT NOT NULL, at REAL NOT NULL, text TEXT NOT NULL, "
    "PRIMARY KEY (name, writer)) WITHOUT ROWID",
)


class SqliteReports:
    """See ReportRoom. The clock is that of the machine, which all processes share."""

    def __init__(self, database: Database, unix: Callable[[], float]) -> None:
        self._database, self._unix = database, unix
        database.room("reports", 1, _SCHEMA)

    def tell(self, name: str, writer: str, text: str) -> None:
        """See ReportRoom; one transaction."""
        with self._database.writing() as connection:
            now = self._unix()
            connection.execute("INSERT OR REPLACE INTO reports VALUES (?, ?, ?, ?)", (name, writer, now, text))
            connection.execute("DELETE FROM reports WHERE at < ?", (now - KEPT_S,))

    def withdraw(self, name: str, writer: str) -> None:
        """See ReportRoom."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM reports WHERE name = ? AND writer = ?", (name, writer))

    def reports(self) -> list[Report]:
        """See ReportRoom. A file of an older release has none."""
        with self._database.reading() as connection:
            there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'reports'").fetchone()
            rows = connection.execute("SELECT name, writer, text, at FROM reports").fetchall() if there else []
        now = self._unix()
        found = (Report(name, writer, text, max(now - at, 0.0)) for name, writer, text, at in rows)
        return sorted(report for report in found if report.age_s <= KEPT_S)
