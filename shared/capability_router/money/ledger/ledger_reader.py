"""Reads the ledger: totals, series, single calls, exports; of everything, or of one tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from os import PathLike
from typing import IO, Any, Literal, overload

from capability_router.drawing.table import data_frame
from capability_router.errors import ConfigError
from capability_router.money.ledger.call import Call
from capability_router.money.ledger.dimension import LedgerFilter, Where, checked, columns_of, grouping
from capability_router.money.ledger.ledger_backend import CALLS_KEPT, LedgerBackend, columns
from capability_router.money.ledger.time_steps import STEPS, Moment, beginning, period
from capability_router.money.ledger.total import Point, Series, Total, Totals, total_of
from capability_router.nearest import nearest
from capability_router.stores.calls import CallQuery

Format = Literal["jsonl", "csv", "parquet"]


class LedgerReader:
    """Reads books, as far as a filter lets it. Thread-safe.

    `since` (included) and `until` (not included) are a datetime, a date, Unix seconds, an ISO text or an age
    such as "7d". Totals and series count whole hours, UTC: `since` is taken down to its hour, `until` up; whole
    days where the store no longer keeps hours. Single calls and exports are cut to the second.
    `where` narrows: {"tenant": "acme", "model": ["a", "b"]}. An unknown name raises ConfigError.
    """

    def __init__(self, books: LedgerBackend, unix: Callable[[], float], narrow: LedgerFilter) -> None:
        self._books, self._unix, self._narrow = books, unix, narrow

    def of(self, **where: str | Sequence[str]) -> LedgerReader:
        """What belongs to one tenant (`ledger.of(tenant="acme")`), tag, model ...; it can only be narrowed further."""
        return LedgerReader(self._books, self._unix, self._narrow.narrowed(where))

    @overload
    def total(
        self, *, where: Where | None = None, since: Moment | None = None, until: Moment | None = None
    ) -> Total: ...
    @overload
    def total(
        self, by: Sequence[str], *, where: Where | None = None, since: Moment | None = None,
        until: Moment | None = None,
    ) -> Totals: ...  # fmt: skip
    def total(
        self, by: Sequence[str] | None = None, *, where: Where | None = None, since: Moment | None = None,
        until: Moment | None = None,
    ) -> Total | Totals:  # fmt: skip
        """The sum of everything, or one per combination of dimensions, e.g. `by=("tenant", "model")`.

        Dimensions: tenant, tag, task, chain, framework, model, provider, credential, outcome (answered, failed,
        cancelled), fault (answered, cancelled or the fault's kind), and the time: hour, day, week, month.
        With "tag", a call counts once for each of its tags (untagged under "").
        """
        names = checked(by)
        sums = self._sums(names, self._narrow.narrowed(where).for_totals(), since, until)
        totals = {group: total_of(found) for group, found in sorted(sums.items())}
        return totals.get((), Total()) if by is None else Totals(names, totals)

    def series(
        self, by: Sequence[str] = (), *, step: str = "day", where: Where | None = None, since: Moment | None = None,
        until: Moment | None = None,
    ) -> Series:  # fmt: skip
        """One point per step ("hour", "day", "week", "month"; UTC) and group, in order of time.

        Hours that the store has put together into days are shown at the beginning of their day.
        """
        if step not in STEPS:
            raise ConfigError(f"step={step!r} is no step of time{nearest(step, STEPS)}")
        names = checked(by, steps=())
        narrow = self._narrow.narrowed(where).for_totals()
        sums: dict[tuple[Any, ...], list[int]] = {}
        for start, groups, figures in self._groups(names, step, narrow, since, until):
            at = beginning(step, start)
            for group in groups:
                _add(sums, (at, group), figures)
        return Series(names, step, [Point(at, group, total_of(sums[at, group])) for at, group in sorted(sums)])

    def _sums(
        self, names: tuple[str, ...], narrow: LedgerFilter, since: Moment | None, until: Moment | None
    ) -> dict[tuple[str, ...], list[int]]:
        step = None if not set(names) & set(STEPS) else "hour" if "hour" in names else "day"
        sums: dict[tuple[str, ...], list[int]] = {}
        for _, groups, figures in self._groups(names, step, narrow, since, until):
            for group in groups:
                _add(sums, group, figures)
        return sums

    def _groups(
        self, names: tuple[str, ...], step: str | None, narrow: LedgerFilter, since: Moment | None, until: Moment | None
    ) -> Iterator[tuple[int, Iterator[tuple[str, ...]], Sequence[int]]]:
        begin, end = period(since, until, self._unix())
        timed = step if step in (None, "hour") else "day"
        asked = CallQuery(columns_of(names) | narrow.columns, timed, begin, end, narrow.exact)
        groups = grouping(names, narrow)
        for start, row, figures in self._books.cells(asked):
            if narrow.row_matches(row):
                yield start, groups(start, row), figures

    def calls(
        self, last: int | None = CALLS_KEPT, *, where: Where | None = None, since: Moment | None = None,
        until: Moment | None = None,
    ) -> list[Call]:  # fmt: skip
        """The newest settled launches, at most `last` (None = all that are kept), oldest first.

        `where` also knows "session" and "request_id".
        """
        newest = self._calls(where, since, until, newest_first=True)
        return list(islice(newest, last))[::-1]

    def each_call(
        self, *, where: Where | None = None, since: Moment | None = None, until: Moment | None = None
    ) -> Iterator[Call]:
        """Iterate all kept launches, oldest first; only a few are in memory at a time."""
        return self._calls(where, since, until)

    def _calls(
        self, where: Where | None, since: Moment | None, until: Moment | None, *, newest_first: bool = False
    ) -> Iterator[Call]:
        narrow = self._narrow.narrowed(where)
        begin, end = period(since, until, self._unix())
        asked = CallQuery(since=begin, until=end, equal=narrow.exact)
        found = self._books.calls(asked, newest_first=newest_first)
        return (call for call in found if narrow.row_matches(columns(call))) if narrow.wanted else found

    def export(
        self, target: str | PathLike[str] | IO[Any], format: Format | None = None, *, where: Where | None = None,
        since: Moment | None = None, until: Moment | None = None,
    ) -> int:  # fmt: skip
        """Write the kept calls to a path or an open file, as JSONL, CSV or Parquet; gives how many.

        `format` None = by the path's ending, JSONL for a file. A path is written whole or not at all. The columns:
        docs/money.md. Parquet needs the extra `parquet`.
        """
        from capability_router.money.ledger.export import export  # here: it loads json and csv

        return export(self.each_call(where=where, since=since, until=until), target, format)

    def to_pandas(self) -> Any:
        """The kept calls as a DataFrame, tokens in columns of their own, amounts also as float; needs pandas."""
        shown = ("cost_usd", "estimated", "input_tokens", "output_tokens")
        rows = [{**call._asdict(), **{name: getattr(call, name) for name in shown}} for call in self.calls()]
        return data_frame(rows, (*Call._fields, *shown))

    def _repr_html_(self) -> str:
        return self.total(by=("model",))._repr_html_()

    def __repr__(self) -> str:
        return f"<LedgerReader of {self._narrow!r}>"


def _add(sums: dict[Any, list[int]], group: object, figures: Sequence[int]) -> None:
    found = sums.get(group)
    sums[group] = list(figures) if found is None else [a + b for a, b in zip(found, figures, strict=True)]
