"""Where settled launches are kept: in memory here; in a store: journal.py."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from capability_router.concurrency.deferring_lock import DeferringLock
from capability_router.money.ledger.call import ANSWERED, Call
from capability_router.money.ledger.cells import DAY_S, HOUR_S, KEY, Cells, Key, book, day_of, hour_of, merge_cells
from capability_router.money.price import usd
from capability_router.stores.calls import CallQuery

CALLS_KEPT, DAYS_KEPT = 10_000, 90
_HOURS_S = 48 * HOUR_S
Row = tuple[int, Mapping[str, Any], Sequence[int]]
"""When a cell began, its columns (cells.KEY), its sums (cells.SUMS)."""


class LedgerBackend(Protocol):
    """Keeps calls and sums. `take` is called under the ledger's lock and may not wait.

    `dropped`: calls that are in the sums, but not kept singly, because the store was away for too long.
    """

    dropped: int

    def take(self, call: Call) -> None: ...
    def cells(self, asked: CallQuery) -> Iterable[Row]: ...
    def calls(self, asked: CallQuery, *, newest_first: bool = False) -> Iterator[Call]: ...

    @property
    def unwritten(self) -> int:
        """The number of calls that are not yet written to the store."""
        ...

    def close(self) -> None:
        """Write what is not yet written."""
        ...

    def retire(self) -> None:
        """As `close`, without waiting, when the ledger is garbage collected."""
        ...


class MemoryLedgerBackend:
    """Sums for ever, by hours for two days, by days for `days`; the newest `keep` calls. Gone with the process."""

    dropped = unwritten = 0

    def __init__(self, lock: DeferringLock[Any], keep: int = CALLS_KEPT, days: float = DAYS_KEPT) -> None:
        self._lock, self._days_s = lock, days * DAY_S
        self._calls: deque[Call] = deque(maxlen=keep)
        self._hour, self._now = 0, Cells()  # the cells of the hour that it is; they are in none of the others
        self._past: Cells = {}
        self._hours: dict[int, Cells] = {}
        self._days: dict[int, Cells] = {}

    def take(self, call: Call) -> None:
        """Add a call."""
        if not 0 <= call.at - self._hour < HOUR_S:
            self._turn(hour_of(call.at))
        book(self._now, call)
        self._calls.append(call)

    def _turn(self, hour: int) -> None:
        """Another hour begins: put the last one away, and the hours of an old day together."""
        if self._now:
            merge_cells(self._past, self._now)
            merge_cells(self._hours.setdefault(self._hour, {}), self._now)
        self._hour, self._now = hour, {}
        for old in [start for start in self._hours if start < day_of(hour - _HOURS_S)]:
            merge_cells(self._days.setdefault(day_of(old), {}), self._hours.pop(old))
        for old in [start for start in self._days if start < hour - self._days_s]:
            del self._days[old]

    def cells(self, asked: CallQuery) -> Iterable[Row]:
        """The cells that are asked for; by time, the newest `days` of them."""
        with self._lock:
            found = [(start, key, tuple(sums)) for start, cells in self._asked(asked) for key, sums in cells.items()]
        return ((start, dict(zip(KEY, key, strict=True)), sums) for start, key, sums in found)

    def _asked(self, asked: CallQuery) -> Iterator[tuple[int, Cells]]:
        if asked.always:
            yield from ((0, self._past), (0, self._now))
            return
        kept = ((self._days, DAY_S), (self._hours, HOUR_S), ({self._hour: self._now}, HOUR_S))
        for cells, length in kept:
            yield from ((start, cells[start]) for start in sorted(cells) if asked.holds(start, length))

    def calls(self, asked: CallQuery, *, newest_first: bool = False) -> Iterator[Call]:
        """The kept calls, oldest first."""
        with self._lock:
            kept = list(self._calls)
        for call in reversed(kept) if newest_first else kept:
            if (asked.since is None or call.at >= asked.since) and (asked.until is None or call.at < asked.until):
                yield call

    def close(self) -> None:
        """Nothing to close."""

    def retire(self) -> None:
        """Nothing to do."""

    def __repr__(self) -> str:
        with self._lock:
            sums = [*self._past.values(), *self._now.values()]
            calls, cost = sum(s[3] for s in sums), sum(s[0] for s in sums)
        return f"{calls} calls, ${usd(cost):f}"


def columns(call: Call) -> dict[str, Any]:
    """A call as a filter reads it."""
    return {**call._asdict(), "fault": call.fault or ANSWERED}


__all__ = ["CALLS_KEPT", "DAYS_KEPT", "Key", "LedgerBackend", "MemoryLedgerBackend", "Row", "columns"]
