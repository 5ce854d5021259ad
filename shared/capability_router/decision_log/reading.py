"""Reading decision logs (JSONL) back, as far as they go: what can't be read is counted, by reason.

All that reads them goes through `Reading`, so a log is the same for all: what a line must be (shapes.py), that a record
which comes again counts once, and in which words the rest is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from capability_router.decision_log.duplicates import Duplicates
from capability_router.decision_log.lines import lines
from capability_router.decision_log.shapes import KINDS, flaw, time_of
from capability_router.errors import ConfigError
from capability_router.json_text import parsed

Record = dict[str, Any]
Advanced = Callable[[int], object]
"""Told of each stretch of a file that is done, in bytes."""
NO_JSON = "no JSON"
AGAIN = "a record that was there before"
_TOLD = 12  # reasons; the figures as JSON have all


def older(most: int) -> str:
    """The reason of requests that are left out because so many newer ones are there."""
    return f"older than the newest {most:,} requests"


def before(most: int) -> str:
    """The reason of what came of a request later, as a score, where there is too much of that."""
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


class Reading:
    """Lines that become records. `omitted` counts the others by reason, in words that no log can choose."""

    def __init__(self, omitted: Counter[str] | None = None) -> None:
        self.omitted = Counter[str]() if omitted is None else omitted
        self._copies = Duplicates()

    def line(self, line: str | bytes) -> Record | None:
        """What a line says; None = it is empty, or left out."""
        if not line.strip():
            return None
        try:
            return self.taken(json_of(line))
        except ValueError:
            self.omitted[NO_JSON] += 1
            return None

    def taken(self, record: Any) -> Record | None:
        """The record, if readers may rely on it and it was not there before."""
        wrong = flaw(record) or (AGAIN if self._copies.again(record) else None)
        if wrong is None:
            return record  # type: ignore[no-any-return]  # an object, or it had a flaw
        self.omitted[wrong] += 1
        return None

    def records(self, found: Iterable[str | bytes]) -> Iterator[Record]:
        """All that the lines hold."""
        return (record for line in found if (record := self.line(line)) is not None)

    def file(self, path: Path, advanced: Advanced | None = None) -> Iterator[Record]:
        """The records of a file, which may be compressed with gzip; ConfigError when it can't be read."""
        try:
            yield from self.records(lines(path, self.omitted, advanced))
        except OSError as error:
            raise unreadable(path, error.strerror or str(error)) from error

    def files(self, paths: Iterable[Path], advanced: Advanced | None = None) -> Iterator[Record]:
        """Those of several files, one after the other; file_order.py has them in their order."""
        for path in paths:
            yield from self.file(path, advanced)


def json_of(line: str | bytes) -> Any:
    """A line's JSON; a byte that is not of UTF-8 becomes U+FFFD. Raises ValueError."""
    text = line if isinstance(line, str) else line.decode("utf-8", "replace")
    return parsed(text.strip("\0\ufeff \t\r\n"))  # a crash leaves NULs in a file


def unreadable(path: Path, why: str) -> ConfigError:
    """The error of a log that can't be read."""
    return ConfigError(
        f"cannot read the decision log {str(path)!r}: {why}. The router writes one where router.yaml says "
        "`telemetry: {jsonl: PATH}`."
    )


def read_log(path: str | Path) -> DecisionLog:
    """All that is in a file; a torn last line or a foreign one is counted. ConfigError when it can't be opened."""
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
        sorted(kinds["decision"], key=time_of), kinds["feedback"], omitted, kinds["shadow"],
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
