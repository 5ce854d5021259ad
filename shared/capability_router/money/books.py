"""Where settled launches are kept, and what is asked of it. In memory here; in a file: journal.py."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from capability_router.money.call import ANSWERED, Call
from capability_router.money.cells import DAY_S, HOUR_S, KEY, Cells, Key, book, day_of, hour_of, pour
from capability_router.postbox import Postbox

CALLS_KEPT, DAYS_KEPT = 10_000, 90
_HOURS_S = 48 * HOUR_S
Row = tuple[int, Mapping[str, Any], Sequence[int]]
"""When a cell began, its columns (cells.KEY), its sums (cells.SUMS)."""


class Asked(NamedTuple):
    """What of the books is asked for. Times in Unix seconds, None = not limited.

    `columns`: those of a cell that matter. `timed`: whether it matters when. `equal`: column -> the values
    that count; a hint, the asker filters by itself.
    """

    columns: Collection[str] = KEY
    timed: str | None = None
    since: float | None = None
    until: float | None = None
    equal: Mapping[str, frozenset[str]] = {}

    @property
    def always(self) -> bool:
        """Whether it is all the same when."""
        return self.timed is None and self.since is None and self.until is None

    def holds(self, start: int, length: int) -> bool:
        """Whether a cell counts: whole hours, and whole days where hours are no longer kept."""
        since, until = self.since, self.until
        return (since is None or start >= since // length * length) and (until is None or start < until)


class Books(Protocol):
    """Keeps calls and sums. `take` is called under the ledger's lock and may not wait."""

    def take(self, call: Call) -> None: ...
    def cells(self, asked: Asked) -> Iterable[Row]: ...
    def calls(self, asked: Asked, *, newest_first: bool = False) -> Iterator[Call]: ...
    def close(self) -> None: ...


class MemoryBooks:
    """Sums for ever, by hours for two days, by days for `days`; the newest `keep` calls. Gone with the process."""

    def __init__(self, lock: Postbox[Call], keep: int = CALLS_KEPT, days: float = DAYS_KEPT) -> None:
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
        """Another hour begins: put the last one away, and what is old together."""
        if self._now:
            pour(self._past, self._now)
            pour(self._hours.setdefault(self._hour, {}), self._now)
        self._hour, self._now = hour, {}
        for old in [start for start in self._hours if start < hour - _HOURS_S]:
            pour(self._days.setdefault(day_of(old), {}), self._hours.pop(old))
        for old in [start for start in self._days if start < hour - self._days_s]:
            del self._days[old]

    def cells(self, asked: Asked) -> Iterable[Row]:
        """The cells that are asked for; by time, the newest `days` of them."""
        with self._lock:
            found = [(start, key, tuple(sums)) for start, cells in self._asked(asked) for key, sums in cells.items()]
        return ((start, dict(zip(KEY, key, strict=True)), sums) for start, key, sums in found)

    def _asked(self, asked: Asked) -> Iterator[tuple[int, Cells]]:
        if asked.always:
            yield from ((0, self._past), (0, self._now))
            return
        kept = ((self._days, DAY_S), (self._hours, HOUR_S), ({self._hour: self._now}, HOUR_S))
        for cells, length in kept:
            yield from ((start, cells[start]) for start in sorted(cells) if asked.holds(start, length))

    def calls(self, asked: Asked, *, newest_first: bool = False) -> Iterator[Call]:
        """The kept calls, oldest first."""
        with self._lock:
            kept = list(self._calls)
        for call in reversed(kept) if newest_first else kept:
            if (asked.since is None or call.at >= asked.since) and (asked.until is None or call.at < asked.until):
                yield call

    def close(self) -> None:
        """Nothing to close."""


def columns(call: Call) -> dict[str, Any]:
    """A call as a filter reads it."""
    return {**call._asdict(), "fault": call.fault or ANSWERED}


__all__ = ["CALLS_KEPT", "DAYS_KEPT", "Asked", "Books", "Key", "MemoryBooks", "Row", "columns"]
