"""How the calls of the last seconds ended: a sliding window of counts.

The window is a ring of equal slices. A call is counted in the slice of its time; slices that have
slid out are emptied when the next call comes, so counting costs the same however many came before.
What is seen is the current slice and the whole ones before it: between 9/10 of the window and all.
"""

from __future__ import annotations

_SLICES = 10


class SlidingWindow:
    """Counts of calls, failures and slow calls over `span_s` seconds. Times are monotonic seconds.

    A time earlier than the newest one seen (threads race) counts as the newest slice.
    """

    __slots__ = ("_calls", "_failed", "_slice_s", "_slow", "_tick", "calls", "failed", "slow")

    def __init__(self, span_s: float) -> None:
        self._slice_s = span_s / _SLICES
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.calls = self.failed = self.slow = 0
        self._calls = [0] * _SLICES
        self._failed = [0] * _SLICES
        self._slow = [0] * _SLICES
        self._tick: int | None = None

    def add(self, now: float, *, failed: bool, slow: bool = False) -> None:
        """Count one call that ended now."""
        if now // self._slice_s != self._tick:
            self.slide(now)
        here = (self._tick or 0) % _SLICES
        self.calls += 1
        self._calls[here] += 1
        if failed:
            self.failed += 1
            self._failed[here] += 1
        if slow:
            self.slow += 1
            self._slow[here] += 1

    def has_stale_slices(self, now: float) -> bool:
        """Whether there may be something to let go of."""
        return now // self._slice_s != self._tick

    def slide(self, now: float) -> None:
        """Let go of what is older than the window."""
        tick = int(now // self._slice_s)
        if self._tick is None:
            self._tick = tick
        elif tick > self._tick:
            for gone in range(max(self._tick + 1, tick - _SLICES + 1), tick + 1):
                self._empty(gone % _SLICES)
            self._tick = tick

    def share_failed(self) -> float | None:
        """Failures per call, 0 to 1; None when there were no calls."""
        return self.failed / self.calls if self.calls else None

    def _empty(self, place: int) -> None:
        self.calls -= self._calls[place]
        self.failed -= self._failed[place]
        self.slow -= self._slow[place]
        self._calls[place] = self._failed[place] = self._slow[place] = 0
