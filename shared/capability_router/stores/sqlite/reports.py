"""Reports of routers, in an SQLite file."""

from __future__ import annotations

from collections.abc import Callable

from capability_router.stores.reports import KEPT_S, HealthReport
from capability_router.stores.sqlite.database import Database

_SLACK_S = 1.0  # by which clocks are corrected without being set
_SCHEMA = (
    "CREATE TABLE reports (name TEXT NOT NULL, writer TEXT NOT NULL, at REAL NOT NULL, text TEXT NOT NULL, "
    "PRIMARY KEY (name, writer)) WITHOUT ROWID",
)


class SqliteReports:
    """See ReportRoom. The clock is that of the machine, which all processes share.

    A report from later than now was told before the clock was set back: whoever is alive tells another at once.
    """

    def __init__(self, database: Database, unix: Callable[[], float]) -> None:
        self._database, self._unix = database, unix
        database.room("reports", 1, _SCHEMA)

    def tell(self, name: str, writer: str, text: str) -> None:
        """See ReportRoom; one transaction."""
        with self._database.writing() as connection:
            now = self._unix()
            connection.execute("INSERT OR REPLACE INTO reports VALUES (?, ?, ?, ?)", (name, writer, now, text))
            connection.execute("DELETE FROM reports WHERE at < ? OR at > ?", (now - KEPT_S, now + _SLACK_S))

    def withdraw(self, name: str, writer: str) -> None:
        """See ReportRoom."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM reports WHERE name = ? AND writer = ?", (name, writer))

    def reports(self) -> list[HealthReport]:
        """See ReportRoom. A file of an older release has none."""
        with self._database.reading() as connection:
            there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'reports'").fetchone()
            rows = connection.execute("SELECT name, writer, text, at FROM reports").fetchall() if there else []
        now = self._unix()
        told = [(name, writer, text, now - at) for name, writer, text, at in rows if -_SLACK_S <= now - at <= KEPT_S]
        return sorted(HealthReport(name, writer, text, max(age_s, 0.0)) for name, writer, text, age_s in told)
