"""The ledger: every launch booked exactly once, totals by who asked and who answered.

Amounts are integer picodollars; totals are exact sums. A call whose price is unknown counts its
tokens and is counted in `Total.unpriced`; its cost is not taken for zero.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable

from capability_router.clock import SystemClock
from capability_router.concurrency.deferring_lock import DeferringLock
from capability_router.money.ledger.call import Call, CostAttribution, LaunchKey
from capability_router.money.ledger.dimension import DIMENSIONS, LedgerFilter
from capability_router.money.ledger.ledger_backend import CALLS_KEPT, DAYS_KEPT, LedgerBackend, MemoryLedgerBackend
from capability_router.money.ledger.ledger_reader import LedgerReader
from capability_router.money.ledger.total import Point, Series, Total, Totals

__all__ = [
    "CALLS_KEPT",
    "DAYS_KEPT",
    "DIMENSIONS",
    "Call",
    "CostAttribution",
    "LaunchKey",
    "Ledger",
    "LedgerReader",
    "Point",
    "Series",
    "Total",
    "Totals",
]  # fmt: skip
log = logging.getLogger("capability_router")


class Ledger(LedgerReader):
    """Thread-safe; one per Router. In memory totals are exact for ever, single calls kept for the newest `keep`.

    `books` keeps the calls elsewhere (journal.py: in a store), together with other ledgers' there.
    """

    def __init__(
        self, keep: int = CALLS_KEPT, *, days: float = DAYS_KEPT, unix: Callable[[], float] = SystemClock.unix,
        books: LedgerBackend | None = None,
    ) -> None:  # fmt: skip
        self._open: set[tuple[str, int, int]] = set()  # Lines
        self._parents: set[tuple[str, int, int]] = set()
        self._lock: DeferringLock[tuple[Call, int]] = DeferringLock(self._book)
        kept = books or MemoryLedgerBackend(self._lock, keep, days)
        super().__init__(kept, unix, LedgerFilter())
        self._take = kept.take
        weakref.finalize(self, kept.retire).atexit = False
        self.refused_settlements = self._logged_refused = 0

    def open(self, line: tuple[str, int, int]) -> None:
        """A launch begins: a LaunchKey, or a tuple of the same, which is sooner made."""
        if self.refused_settlements > self._logged_refused:
            self._tell_refused()
        self._open.add(line)  # one step of the interpreter, as each use of this set is: it needs no lock

    def settle(self, call: Call, run: int = 0) -> None:
        """Book a launch's end, without waiting. A second settlement of the same launch is refused and counted."""
        self._lock.post((call, run))

    def _book(self, settled: tuple[Call, int]) -> None:
        call, run = settled
        line = (call.request_id, call.attempt, run)  # see `open`
        try:
            self._open.remove(line)
        except KeyError:
            if line in self._parents:
                return
            self.refused_settlements += 1
            return
        self._take(call)

    def forked(self) -> None:
        """In the child of a fork: the launches under way are its parent's to book."""
        self._lock.forked()
        self._parents, self._open = self._open, set()

    def _tell_refused(self) -> None:
        """Not where they are refused: the garbage collector may have come there, in the middle of anything."""
        self._logged_refused = self.refused_settlements
        log.warning("the ledger has refused %d settlements of launches that were settled before", self._logged_refused)

    @property
    def unsettled(self) -> int:
        """Launches under way."""
        with self._lock:
            return len(self._open)

    @property
    def unwritten(self) -> int:
        """Calls that are settled, but not yet in the store; 0 in memory."""
        return self._books.unwritten

    @property
    def dropped(self) -> int:
        """Calls that count in the totals, but could not be kept singly, because the store was away for too long."""
        return self._books.dropped

    def close(self) -> None:
        """Write what is not yet written; the ledger can go on being used."""
        if self.refused_settlements > self._logged_refused:
            self._tell_refused()
        self._books.close()

    def __repr__(self) -> str:
        return f"<Ledger {self._books!r}, {self.unsettled} under way>"
