"""What became of the answers that were to be evaluated, and what hindered it: counted, and each kind told once."""

from __future__ import annotations

import logging
from collections import Counter
from threading import RLock
from typing import Any

log = logging.getLogger("capability_router")
ENDS = ("scored", "no_opinion", "failed", "over_budget", "dropped", "too_late", "left")


class Counts:
    """Thread-safe, also where the garbage collector comes in between."""

    def __init__(self) -> None:
        self._ends: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._lock = RLock()

    def note(self, end: str, number: int = 1) -> int:
        """So many ended so; gives how many have by now."""
        with self._lock:
            self._ends[end] += number
            return self._ends[end]

    def failed(self, why: str, told: str) -> None:
        """One failed. `why` names the kind, `told` says what happened, without a word of the answer."""
        with self._lock:
            self._ends["failed"] += 1
            self._failed[why] += 1
            first = self._failed[why] == 1
        if first:
            log.warning("an answer was not evaluated: the evaluator %s (told once; router.evaluations() counts)", told)

    def dropped(self, room: int) -> None:
        """One found no room in the queue."""
        if self.note("dropped") == 1:
            log.warning(
                "an answer was not evaluated: %d wait already; lower evaluate.share, or raise evaluate.at_once or "
                "evaluate.waiting (told once; router.evaluations() counts)", room,
            )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """By end, and the failed ones by kind."""
        with self._lock:
            return {**{end: self._ends[end] for end in ENDS}, "failures": dict(self._failed)}
