"""The store in an SQLite file: for the processes of one machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from capability_router.errors import StoreError
from capability_router.stores.backoff_breaker import BackoffBreaker
from capability_router.stores.base import BudgetBalance, BudgetPeriod, LeaseClaim, LeaseGrant
from capability_router.stores.damaged_file import quarantine
from capability_router.stores.lending import PAST_S, BudgetState, HolderLease, lend, window_is_current
from capability_router.stores.sqlite.calls import SqliteCalls
from capability_router.stores.sqlite.database import CorruptStore, Database
from capability_router.stores.sqlite.lessons import SqliteLessons
from capability_router.stores.sqlite.reports import SqliteReports

_SLOW_S = 1.0  # a failure that took as long came from waiting for the file's lock
_BUDGETS = (
    "CREATE TABLE pots (budget TEXT NOT NULL, window TEXT NOT NULL, pot TEXT NOT NULL, till TEXT NOT NULL, "
    "ends REAL, PRIMARY KEY (budget, window)) WITHOUT ROWID",
    "CREATE INDEX pots_ends ON pots (ends)",
)


class SqliteBudgets:
    """Pots as rows; a claim is one transaction. Not every call waits for a locked file."""

    inline = False

    def __init__(self, database: Database, unix: Callable[[], float], now: Callable[[], float]) -> None:
        self._database, self._unix, self._now, self._fuse = database, unix, now, BackoffBreaker(now)
        database.room("budgets", 1, _BUDGETS)

    def claim(self, claim: LeaseClaim) -> LeaseGrant:
        """See BudgetRoom."""
        if self._fuse.is_tripped:
            raise StoreError(
                f"the store {self._database.path} is away ({self._fuse.why}); it is asked again in a moment"
            )
        began = self._now()
        try:
            grant = self._claimed(claim)
        except StoreError:
            if self._now() - began >= _SLOW_S:
                self._fuse.record_failure("another process holds the file")
            raise
        self._fuse.mend()
        return grant

    def _claimed(self, claim: LeaseClaim) -> LeaseGrant:
        pot = claim.pot
        with self._database.writing() as connection:
            now = self._unix()
            row = connection.execute(
                "SELECT till FROM pots WHERE budget = ? AND window = ?", (pot.budget, pot.window)
            ).fetchone()
            if row is None:
                connection.execute("DELETE FROM pots WHERE ends < ?", (now - PAST_S,))
            till = BudgetState() if row is None else _till(row[0])
            grant = lend(till, claim, now)
            connection.execute(
                "INSERT OR REPLACE INTO pots VALUES (?, ?, ?, ?, ?)",
                (pot.budget, pot.window, json.dumps(pot), _text(till), pot.ends),
            )
        return grant

    def standings(self, budgets: Iterable[str] = ()) -> list[BudgetBalance]:
        """See BudgetRoom."""
        names = sorted(set(budgets))
        some = f" WHERE budget IN ({', '.join('?' * len(names))})" if names else ""
        with self._database.reading() as connection:
            found = connection.execute(f"SELECT pot, till FROM pots{some} ORDER BY budget", names).fetchall()  # noqa: S608 - question marks only
        now, rows = self._unix(), []
        for pot, till in ((BudgetPeriod(*json.loads(p)), _till(t)) for p, t in found):
            if window_is_current(pot, now):
                till.turn(pot, now)
                total, reserved = till.total(), till.reserved(now)
                rows.append(BudgetBalance(pot.budget, pot.window, pot.limit, total, reserved, now, till.resets_at(pot)))
        return rows


def _text(till: BudgetState) -> str:
    loans = {name: (loan.amount, loan.spent, loan.ends, loan.known, loan.number) for name, loan in till.loans.items()}
    return json.dumps({"spent": till.spent, "loans": loans}, separators=(",", ":"))


def _till(text: str) -> BudgetState:
    try:
        found = json.loads(text)
        spent = {int(bucket): int(amount) for bucket, amount in found["spent"].items()}
        return BudgetState(spent, {name: HolderLease(*loan) for name, loan in found["loans"].items()})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptStore(f"a budget's row in the store can't be read: {text[:40]!r}") from error


class SqliteStore:
    """`sqlite:///router.db` (from the working directory), `sqlite:////var/lib/router.db`.

    `mend`: a damaged file of ours is moved aside. `reads_only`: nothing is made, changed or moved.
    """

    def __init__(
        self, path: Path, unix: Callable[[], float], *, mend: bool = False, reads_only: bool = False,
        now: Callable[[], float] | None = None,
    ) -> None:  # fmt: skip
        self.name = f"sqlite:///{path}"
        aside = (lambda file: quarantine(file, unix())) if mend else None
        self.database = Database(path.absolute(), aside=aside, reads_only=reads_only)  # a process may change directory
        self.budgets = SqliteBudgets(self.database, unix, now or unix)
        self.lessons = SqliteLessons(self.database)
        self.calls = SqliteCalls(self.database)
        self.reports = SqliteReports(self.database, unix)

    def open(self) -> None:
        """Make the file, if there is none. Raises StoreError for what is no store, CorruptStore for damage."""
        self.database.open()

    def close(self) -> None:
        """Close this process's connections; the next use opens them again."""
        self.database.close()

    def __repr__(self) -> str:
        return f"<SqliteStore {self.name}>"
