"""A small breaker before a store: one that is away is not waited for by every call."""

from __future__ import annotations

from collections.abc import Callable

FIRST_S, LONGEST_S = 0.5, 15.0


class BackoffBreaker:
    """Blown by a failure, for 0.5 s at first, doubled by each further one up to 15 s; mended by a success."""

    __slots__ = ("_failures", "_now", "_until", "why")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until = 0.0
        self._failures = 0
        self.why = ""

    @property
    def is_tripped(self) -> bool:
        """Whether the store is not to be asked now."""
        return self._failures > 0 and self._now() < self._until

    def record_failure(self, why: str) -> None:
        """The store has failed. Calls that were under way when it first did fail after it, and lengthen nothing."""
        if self.is_tripped:
            return
        self.why = why
        self._until = self._now() + min(FIRST_S * 2.0**self._failures, LONGEST_S)
        self._failures = min(self._failures + 1, 16)

    def mend(self) -> None:
        """The store has answered."""
        self._failures = 0

    def __repr__(self) -> str:
        return f"<BackoffBreaker {'is_tripped: ' + self.why if self.is_tripped else 'whole'}>"
