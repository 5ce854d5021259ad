"""Reading a decision log (JSONL) back: decisions in the order of their end, what can't be read counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from capability_router.errors import ConfigError
from capability_router.telemetry.records import SCHEMA_VERSION

_PLAIN = ("feedback", "shadow_score", "sign")
_KINDS = ("decision", "shadow", *_PLAIN)
_NEEDED = ("at", "request_id", "elapsed_s", "attempts")


class DecisionLog(NamedTuple):
    """`decisions`, `feedback` and `shadows` are records (telemetry/records.py); `unreadable` counts the other lines.

    `shadows`: calls that a shadow made; `shadow_scores`: what their answers were worth; `signs`: implicit ones.
    """

    decisions: list[dict[str, Any]]
    feedback: list[dict[str, Any]]
    unreadable: int = 0
    shadows: Sequence[dict[str, Any]] = ()
    shadow_scores: Sequence[dict[str, Any]] = ()
    signs: Sequence[dict[str, Any]] = ()


def read_log(path: str | Path) -> DecisionLog:
    """The log in a file; a torn last line or a foreign one is counted. ConfigError when it can't be opened."""
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as lines:
            return parse_log(lines)
    except OSError as error:
        raise ConfigError(
            f"cannot read the decision log {str(path)!r}: {error.strerror or error}. The router writes one where "
            "router.yaml says `telemetry: {jsonl: PATH}`."
        ) from error


def parse_log(lines: Iterable[str]) -> DecisionLog:
    """The log in these lines; empty ones are skipped."""
    kinds: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    unreadable = 0
    for line in lines:
        record = _record(line) if line.strip() else {}
        if record is None:
            unreadable += 1
        elif record:
            kinds[record["kind"]].append(record)
    decisions = sorted(kinds["decision"], key=lambda r: float(r["at"]))
    return DecisionLog(
        decisions, kinds["feedback"], unreadable, kinds["shadow"], kinds["shadow_score"], kinds["sign"]
    )  # fmt: skip


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and _known(record) else None


def _known(record: Mapping[str, Any]) -> bool:
    if record.get("schema_version") != SCHEMA_VERSION:
        return False
    kind = record.get("kind")
    return kind in _PLAIN or (kind in ("decision", "shadow") and _whole(record))


def _whole(record: Mapping[str, Any]) -> bool:
    numbers = all(isinstance(record.get(name), (int, float)) for name in ("at", "elapsed_s"))
    attempts = record.get("attempts")
    return (
        all(name in record for name in _NEEDED) and numbers and isinstance(attempts, list)
        and all(isinstance(a, dict) and "model" in a for a in attempts)
    )  # fmt: skip
