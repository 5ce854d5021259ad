"""What became of the answers to be evaluated: counted by result, and each kind of failure logged once."""

from __future__ import annotations

import logging
from collections import Counter
from threading import RLock
from typing import Any

log = logging.getLogger("capability_router")
ENDS = ("scored", "no_opinion", "failed", "over_budget", "dropped", "too_late", "left")


class Counts:
    """Thread-safe, even if the garbage collector runs in between."""

    def __init__(self) -> None:
        self._ends: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._lock = RLock()

    def note(self, end: str, number: int = 1) -> int:
        """Add this many results of a kind; returns how many there are now."""
        with self._lock:
            self._ends[end] += number
            return self._ends[end]

    def failed(self, why: str, told: str) -> None:
        """Count a failure. `why` names the kind, `told` says what happened, without a word of the answer."""
        with self._lock:
            self._ends["failed"] += 1
            self._failed[why] += 1
            first = self._failed[why] == 1
        if first:
            log.warning("an answer was not evaluated: the evaluator %s (told once; router.evaluations() counts)", told)

    def dropped(self, room: int) -> None:
        """Count an answer that found no room in the queue."""
        if self.note("dropped") == 1:
            log.warning(
                "an answer was not evaluated: %d wait already; lower evaluate.share, or raise evaluate.at_once or "
                "evaluate.waiting (told once; router.evaluations() counts)", room,
            )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """By result, and the failures by kind."""
        with self._lock:
            return {**{end: self._ends[end] for end in ENDS}, "failures": dict(self._failed)}
