"""The room of a store for what is learned: a log that many processes write, and a summary of its beginning.

A log has a name. Its entries have places that grow by one with each; a summary says what all entries up to a place
came to, and stands for them from then on. A log that was emptied, or lost, has another epoch when it begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

NONE = -1
"""The place of a summary that is not there."""
LOGS_KEPT, WRITERS_KEPT, ANSWERS_KEPT = 16, 1_000, 10_000
"""What is kept, those of late: logs of a store; writers of a log whose last number is known; answers beside a log."""


class LessonLine(NamedTuple):
    """What a writer adds; its numbers grow."""

    number: int
    text: str


class LessonEntry(NamedTuple):
    """A line, whose it is and where it stands."""

    place: int
    writer: str
    number: int
    text: str


class LogHead(NamedTuple):
    """A log's epoch ("" = nothing was ever written), the place of its newest entry, and up to where it is summed up."""

    epoch: str = ""
    last: int = 0
    summed: int = NONE


class LogPage(NamedTuple):
    """Entries in their order, and the head at that moment."""

    head: LogHead
    entries: list[LessonEntry]


class LogSummary(NamedTuple):
    """What the log's entries up to a place came to."""

    epoch: str
    place: int
    text: str


class ScorableAnswer(NamedTuple):
    """An answer that may yet be scored: its request, and what a lesson of it needs."""

    id: str
    text: str


class LessonStore(Protocol):
    """Logs, their summaries, and answers that may yet be scored, from any number of processes.

    Every method may do I/O and raises StoreError.
    """

    def append(self, name: str, writer: str, lines: Sequence[LessonLine]) -> None:
        """Add lines, all or none; a number that the writer has added before changes nothing."""
        ...

    def since(self, name: str, place: int, most: int) -> LogPage:
        """At most so many entries behind a place."""
        ...

    def summary(self, name: str) -> LogSummary | None:
        """The summary that stands now."""
        ...

    def sum_up(self, name: str, summary: LogSummary, before: int) -> bool:
        """Have a summary stand for the entries up to its place, which go.

        False = nothing is changed, because another epoch has begun or the summary that stood at `before` (NONE = no
        summary) has been replaced.
        """
        ...

    def keep(self, name: str, answers: Sequence[ScorableAnswer]) -> None:
        """Keep these answers beside the log, at most ANSWERS_KEPT of it; one of the same request is replaced."""
        ...

    def kept(self, name: str, id: str) -> str | None:
        """The text of the answer to this request; None = it is not kept."""
        ...
