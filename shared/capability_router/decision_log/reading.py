"""Reads decision logs (JSONL) as far as possible: what can't be read is counted, by reason.

All readers use `DecisionLogReader`, so they all agree on what a valid line is (shapes.py), that a repeated record
counts once, and how omissions are described.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from capability_router.decision_log.duplicates import Duplicates
from capability_router.decision_log.lines import lines
from capability_router.decision_log.record_validation import KINDS, flaw, time_of
from capability_router.errors import ConfigError
from capability_router.json_text import parsed

Record = dict[str, Any]
Advanced = Callable[[int], object]
"""Called with the bytes of a file done since the last call."""
NO_JSON = "no JSON"
AGAIN = "a record that was there before"
_TOLD = 12  # reasons in a text; the JSON form has all


def older(most: int) -> str:
    """The reason for requests that are left out because there are too many newer ones."""
    return f"older than the newest {most:,} requests"


def before(most: int) -> str:
    """The reason for later records of a request, such as scores, if there are too many."""
    return f"what came of a request, before the newest {most:,} of its kind"


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


class DecisionLogReader:
    """Turns lines into records. `omitted` counts the others by reason; the reasons contain nothing from the log."""

    def __init__(self, omitted: Counter[str] | None = None) -> None:
        self.omitted = Counter[str]() if omitted is None else omitted
        self._copies = Duplicates()

    def line(self, line: str | bytes) -> Record | None:
        """The record of a line; None = it is empty, or left out."""
        if not line.strip():
            return None
        try:
            return self.taken(json_of(line))
        except ValueError:
            self.omitted[NO_JSON] += 1
            return None

    def taken(self, record: Any) -> Record | None:
        """The record, if it is valid and new."""
        wrong = flaw(record) or (AGAIN if self._copies.again(record) else None)
        if wrong is None:
            return record  # type: ignore[no-any-return]  # an object, or it had a flaw
        self.omitted[wrong] += 1
        return None

    def records(self, found: Iterable[str | bytes]) -> Iterator[Record]:
        """All records of the lines."""
        return (record for line in found if (record := self.line(line)) is not None)

    def file(self, path: Path, advanced: Advanced | None = None) -> Iterator[Record]:
        """The records of a file, which may be gzip; ConfigError if it can't be read."""
        try:
            yield from self.records(lines(path, self.omitted, advanced))
        except OSError as error:
            raise unreadable(path, error.strerror or str(error)) from error

    def files(self, paths: Iterable[Path], advanced: Advanced | None = None) -> Iterator[Record]:
        """The records of several files, one after the other; file_order.py gives their order."""
        for path in paths:
            yield from self.file(path, advanced)


def json_of(line: str | bytes) -> Any:
    """A line's JSON; bytes that are not UTF-8 become U+FFFD. Raises ValueError."""
    text = line if isinstance(line, str) else line.decode("utf-8", "replace")
    return parsed(text.strip("\0\ufeff \t\r\n"))  # a crash leaves NULs in a file


def unreadable(path: Path, why: str) -> ConfigError:
    """The error for a log that can't be read."""
    return ConfigError(
        f"cannot read the decision log {str(path)!r}: {why}. The router writes one where router.yaml says "
        "`telemetry: {jsonl: PATH}`."
    )


def read_log(path: str | Path) -> DecisionLog:
    """All records of a file; a torn last line or a foreign line is counted. ConfigError if it can't be read."""
    reading = DecisionLogReader()
    return gathered(reading.file(Path(path)), reading.omitted)


def parse_log(found: Iterable[str | bytes]) -> DecisionLog:
    """The log in these lines; empty ones are skipped."""
    reading = DecisionLogReader()
    return gathered(reading.records(found), reading.omitted)


def gathered(records: Iterable[Record], omitted: Mapping[str, int]) -> DecisionLog:
    """All these records, decisions in the order of their end."""
    kinds: dict[str, list[Record]] = {kind: [] for kind in KINDS}
    for record in records:
        kinds[record["kind"]].append(record)
    return DecisionLog(
        sorted(kinds["decision"], key=time_of), kinds["feedback"], omitted, kinds["shadow"],
        kinds["shadow_score"], kinds["sign"], kinds["health"],
    )  # fmt: skip


def omissions_text(omitted: Mapping[str, int]) -> str:
    """How many lines were left out and why, the most frequent reasons first; "" if none."""
    if not (whole := sum(omitted.values())):
        return ""
    reasons = sorted(omitted.items(), key=lambda item: (-item[1], item[0]))
    told = ", ".join(f"{n:,} × {why}" for why, n in reasons[:_TOLD])
    more = f", and {len(reasons) - _TOLD} more reasons" if len(reasons) > _TOLD else ""
    return f"{whole:,} {'line was' if whole == 1 else 'lines were'} left out: {told}{more}"
