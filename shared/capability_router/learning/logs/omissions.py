"""What was left out of the logs, and why: counted, never raised, so that a log is read as far as it goes."""

from __future__ import annotations

from collections import Counter

_MOST_REASONS = 50


class Omissions:
    """Reasons and how often each came up."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def note(self, reason: str, count: int = 1) -> None:
        """So many were left out for this reason."""
        if reason not in self.counts and len(self.counts) >= _MOST_REASONS:
            reason = "for further reasons"
        if count:
            self.counts[reason] += count

    def listed(self) -> list[tuple[str, int]]:
        """The most frequent first."""
        return self.counts.most_common()
