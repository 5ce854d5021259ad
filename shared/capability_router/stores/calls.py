"""The room of a store that keeps the ledger: single calls for a while, their sums for ever. Plain values only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

KEY = ("tenant", "tags", "task", "chain", "framework", "model", "provider", "credential", "fault")
"""What a sum is of. `tags` is a JSON list, `fault` is "answered", "cancelled" or the fault's kind."""
SUMS = (
    "cost_pico", "input_tokens", "output_tokens", "calls", "estimated_pico", "unpriced", "cache_read_tokens",
    "reasoning_tokens",
)  # fmt: skip
"""What is added up."""
CALL = (
    "at", "request_id", "attempt", *KEY, "session", "input_tokens", "output_tokens", "cache_read_tokens",
    "reasoning_tokens", "estimated", "usage", "cost_pico",
)  # fmt: skip
"""A single call. `usage` is JSON: the tokens that have no column of their own; `cost_pico` None = price unknown."""
HOUR_S, DAY_S = 3_600, 86_400


class HourlySums(NamedTuple):
    """Sums of one hour: when it began, the values of KEY, those of SUMS."""

    start: int
    key: tuple[str, ...]
    sums: Sequence[int]


class CallQuery(NamedTuple):
    """What is asked for. Times in Unix seconds, None = not limited.

    `columns`: those of KEY that matter. `timed`: whether and how finely it matters when, "hour", "day" or None.
    `equal`: column -> the values that count.
    """

    columns: Collection[str] = KEY
    timed: str | None = None
    since: float | None = None
    until: float | None = None
    equal: Mapping[str, frozenset[str]] = {}

    @property
    def always(self) -> bool:
        """Whether it is all the same when."""
        return self.timed is None and self.since is None and self.until is None

    def holds(self, start: int, length: int) -> bool:
        """Whether sums of this span count: whole hours, and whole days where hours are no longer kept."""
        since, until = self.since, self.until
        return (since is None or start >= since // length * length) and (until is None or start < until)


class CallStore(Protocol):
    """Calls and sums, from any number of processes."""

    def append(self, writer: int, number: int, calls: Sequence[Sequence[Any]], cells: Iterable[HourlySums]) -> None:
        """Keep calls and add cells, both or neither, once: a number that the writer has told before changes nothing.

        Numbers grow. Calls are rows of CALL.
        """
        ...

    def cells(self, asked: CallQuery) -> Iterable[tuple[int, Mapping[str, Any], Sequence[int]]]:
        """When a span began, the columns asked for, the sums; `tags` is a tuple."""
        ...

    def calls(self, asked: CallQuery, *, newest_first: bool) -> Iterator[Mapping[str, Any]]:
        """Single calls by time; no more than a page of them is in memory."""
        ...

    def tidy(self, before: float, keep: int | None) -> int:
        """Drop single calls from before a moment, and all but the newest `keep`; hours from before become days.

        Gives how many calls were dropped. The sums stay.
        """
        ...
