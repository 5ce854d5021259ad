"""Reading decision logs (JSONL) back, as far as they go: what can't be read is counted, by reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from capability_router.errors import ConfigError
from capability_router.telemetry.lines import lines
from capability_router.telemetry.shapes import KINDS, flaw

Record = dict[str, Any]
NO_JSON = "no JSON"
AGAIN = "a request that was there before"
_TOLD = 12  # reasons; the figures as JSON have all


class DecisionLog(NamedTuple):
    """`decisions`, `feedback` and `shadows` are records (telemetry/records.py); `omitted` counts the other lines.

    `shadows`: calls that a shadow made; `shadow_scores`: what their answers were worth; `signs`: implicit ones.
    `health`: changes of models' health.
    """

    decisions: list[Record]
    feedback: list[Record]
    omitted: Mapping[str, int] = {}
    shadows: Sequence[Record] = ()
    shadow_scores: Sequence[Record] = ()
    signs: Sequence[Record] = ()
    health: Sequence[Record] = ()

    @property
    def unreadable(self) -> int:
        """Lines that were left out."""
        return sum(self.omitted.values())


class Reading:
    """Lines that become records. `omitted` counts the others by reason, in words that no log can choose."""

    def __init__(self) -> None:
        self.omitted = Counter[str]()
        self._known = set[int]()

    def record(self, line: str | bytes) -> Record | None:
        """What a line says; None = it is empty, or left out. A byte that is not of UTF-8 becomes U+FFFD."""
        text = line if isinstance(line, str) else line.decode("utf-8", "replace")
        if not text.strip():
            return None
        try:
            record = json.loads(text.strip("\0\ufeff \t\r\n"))  # a crash leaves NULs in a file
        except (ValueError, RecursionError):
            self.omitted[NO_JSON] += 1
            return None
        return self.checked(record)

    def checked(self, record: Any) -> Record | None:
        """The record, if readers may rely on it."""
        wrong = flaw(record)
        if wrong is None:
            return record  # type: ignore[no-any-return]  # an object, or it had a flaw
        self.omitted[wrong] += 1
        return None

    def records(self, found: Iterable[str | bytes]) -> Iterator[Record]:
        """All that the lines hold; a request that comes again, as in a file given twice, is left out."""
        for line in found:
            record = self.record(line)
            if record is not None and not self.seen(record):
                yield record

    def seen(self, record: Record) -> bool:
        """Whether this request was there before; counts it."""
        if record["kind"] != "decision":
            return False
        mark = hash((record.get("router"), record["request_id"]))
        if mark in self._known:
            self.omitted[AGAIN] += 1
            return True
        self._known.add(mark)
        return False

    def file(self, path: Path, advanced: Callable[[int], object] | None = None) -> Iterator[Record]:
        """The records of a file, which may be compressed with gzip; ConfigError when it can't be read."""
        try:
            yield from self.records(lines(path, self.omitted, advanced))
        except OSError as error:
            raise ConfigError(
                f"cannot read the decision log {str(path)!r}: {error.strerror or error}. The router writes one where "
                "router.yaml says `telemetry: {jsonl: PATH}`."
            ) from error


def read_log(path: str | Path) -> DecisionLog:
    """The log in a file; a torn last line or a foreign one is counted. ConfigError when it can't be opened."""
    reading = Reading()
    return gathered(reading.file(Path(path)), reading.omitted)


def parse_log(found: Iterable[str | bytes]) -> DecisionLog:
    """The log in these lines; empty ones are skipped."""
    reading = Reading()
    return gathered(reading.records(found), reading.omitted)


def gathered(records: Iterable[Record], omitted: Mapping[str, int]) -> DecisionLog:
    """All of these records, decisions in the order of their end."""
    kinds: dict[str, list[Record]] = {kind: [] for kind in KINDS}
    for record in records:
        kinds[record["kind"]].append(record)
    return DecisionLog(
        sorted(kinds["decision"], key=lambda r: float(r["at"])), kinds["feedback"], omitted, kinds["shadow"],
        kinds["shadow_score"], kinds["sign"], kinds["health"],
    )  # fmt: skip


def told_omitted(omitted: Mapping[str, int]) -> str:
    """How many lines were left out and why, the commonest reasons first; "" for none."""
    if not (whole := sum(omitted.values())):
        return ""
    reasons = sorted(omitted.items(), key=lambda item: (-item[1], item[0]))
    told = ", ".join(f"{n:,} × {why}" for why, n in reasons[:_TOLD])
    more = f", and {len(reasons) - _TOLD} more reasons" if len(reasons) > _TOLD else ""
    return f"{whole:,} {'line was' if whole == 1 else 'lines were'} left out: {told}{more}"
