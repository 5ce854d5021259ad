"""The retry budget: it bounds retries on the same target to a share of the requests.

A fallback to another target is not counted, because it adds no load to the target that failed.
"""

from __future__ import annotations

from capability_router.concurrency.latch import Latch


class RetryBudget:
    """A token bucket. Each request adds `ratio` tokens, up to `cap`; each retry takes one. Starts with `floor`."""

    def __init__(self, ratio: float, floor: int, cap: float = 100.0) -> None:
        self._ratio, self._cap = ratio, max(cap, float(floor))
        self._tokens = float(floor)
        self._lock = Latch()

    def earn(self) -> None:
        """One request began."""
        if self._tokens == self._cap:  # the usual case
            return
        with self._lock:
            more = self._tokens + self._ratio
            self._tokens = more if more < self._cap else self._cap

    def spend(self) -> bool:
        """Take one token; False = none is left."""
        with self._lock:
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True

    def give_back(self) -> None:
        """The attempt that a token was taken for was not launched."""
        with self._lock:
            self._tokens = min(self._tokens + 1.0, self._cap)

    def __repr__(self) -> str:
        return f"<RetryBudget {self._tokens:.1f} repetitions left>"
