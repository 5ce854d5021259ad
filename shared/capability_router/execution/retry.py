"""The retry budget: repetitions on the same target may be at most a share of the traffic.

Fallback to another target is not charged; it adds no load to the one that fails.
"""

from __future__ import annotations

from capability_router.concurrency.latch import Latch


class RetryBudget:
    """Tokens earned by requests (`ratio` each) and spent by same-target repetitions; starts at `floor`."""

    def __init__(self, ratio: float, floor: int, cap: float = 100.0) -> None:
        self._ratio, self._cap = ratio, max(cap, float(floor))
        self._tokens = float(floor)
        self._lock = Latch()

    def earn(self) -> None:
        """One request began."""
        if self._tokens == self._cap:  # as it mostly is
            return
        with self._lock:
            more = self._tokens + self._ratio
            self._tokens = more if more < self._cap else self._cap

    def spend(self) -> bool:
        """Take the right to one repetition; False = none is left."""
        with self._lock:
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True

    def __repr__(self) -> str:
        return f"<RetryBudget {self._tokens:.1f} repetitions left>"
