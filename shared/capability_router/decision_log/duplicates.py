"""Detects repeated records: a file may be given twice, copied, or rotated while it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capability_router.decision_log.record_validation import time_of

MOST = 1_000_000
"""At least this many of the last records are recognised; marks are kept for up to twice as many."""
_NAMES: Mapping[str, tuple[str, ...]] = {
    "decision": ("router", "request_id"), "shadow": ("router", "request_id", "shadow_id"),
    "feedback": ("request_id", "model", "source", "score"), "shadow_score": ("request_id", "shadow_id", "score"),
    "sign": ("request_id", "model", "sign"), "health": ("router", "model", "event", "detail"),
}  # fmt: skip
_TIMED = ("feedback", "shadow_score", "health")  # may be repeated later with the same content


class Duplicates:
    """Only the first of equal records counts: of decisions and shadow calls those with equal ids, of others with equal
    content.
    """

    def __init__(self) -> None:
        self._marks, self._before = set[int](), set[int]()

    def again(self, record: Mapping[str, Any]) -> bool:
        """Whether this valid record was seen before; from now on it was."""
        mark = _mark(record)
        if mark in self._marks or mark in self._before:
            return True
        self._marks.add(mark)
        if len(self._marks) >= MOST:
            self._marks, self._before = set(), self._marks
        return False


def _mark(record: Mapping[str, Any]) -> int:
    kind = record["kind"]
    return hash((kind, time_of(record) if kind in _TIMED else 0.0, *map(record.get, _NAMES[kind])))
