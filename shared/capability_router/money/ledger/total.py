"""Sums of the ledger: one, one per group, or one per group and step of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from capability_router.drawing.table import Table, data_frame
from capability_router.money.ledger.time_steps import STEPS
from capability_router.money.price import pico, usd

_SHOWN = {
    "calls": "calls", "input_tokens": "tokens in", "cache_read_tokens": "cached", "output_tokens": "tokens out",
    "cost_usd": "USD", "estimated_usd": "estimated", "unpriced": "unpriced",
}  # fmt: skip
_SPARE = ("cache_read_tokens", "input_tokens", "output_tokens", "estimated_usd", "calls")  # left out without room
_SOMETIMES = ("cache_read_tokens", "estimated_usd", "unpriced")  # shown when there is any


class Total(NamedTuple):
    """A sum of calls.

    `estimated_usd` is the part of `cost_usd` whose tokens were estimated. `unpriced` counts the calls whose price is
    unknown and which are therefore not in `cost_usd`: it is a lower bound then, and None (unknown) where nothing else
    was spent. `cache_read_tokens` are among `input_tokens`, `reasoning_tokens` among `output_tokens`.
    """

    cost_usd: Decimal | None = Decimal(0)
    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0
    estimated_usd: Decimal = Decimal(0)
    unpriced: int = 0
    cache_read_tokens: int = 0
    reasoning_tokens: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; amounts as exact decimal texts and as integer picodollars, None = unknown."""
        cost = self.cost_usd
        return {
            "cost_usd": None if cost is None else f"{cost:f}", "cost_pico": None if cost is None else pico(cost),
            "estimated_usd": f"{self.estimated_usd:f}", "estimated_pico": pico(self.estimated_usd),
            "calls": self.calls, "unpriced": self.unpriced,
            "input_tokens": self.input_tokens, "output_tokens": self.output_tokens,
            "cache_read_tokens": self.cache_read_tokens, "reasoning_tokens": self.reasoning_tokens,
        }  # fmt: skip

    def render(self, width: int | None = None) -> str:
        """A table of one row as text, in lines of at most `width`; None = as wide as they are."""
        return _table((), [((), self)]).text(width)

    def to_pandas(self) -> Any:
        """A DataFrame of one row, amounts as float, NaN = unknown; needs pandas."""
        return data_frame([self._asdict()])

    def _repr_html_(self) -> str:
        return _table((), [((), self)])._repr_html_()


def total_of(sums: Sequence[int]) -> Total:
    """From the sums of a cell."""
    cost, tokens_in, tokens_out, calls, estimated, unpriced, cached, reasoned = sums
    known = None if unpriced and not cost else usd(cost)
    return Total(known, tokens_in, tokens_out, calls, usd(estimated), unpriced, cached, reasoned)


def _table(columns: Sequence[str], rows: Sequence[tuple[Sequence[str], Total]]) -> Table:
    """Rows of texts and a total each."""
    shown = [n for n in _SHOWN if n not in _SOMETIMES or any(getattr(total, n) for _, total in rows)]
    figures = [[_figure(total, name) for name in shown] for _, total in rows]
    cells = ((*map(told, texts), *numbers) for (texts, _), numbers in zip(rows, figures, strict=True))
    texts = len(columns)
    return Table(
        *columns, *(_SHOWN[name] for name in shown), rows=cells, right=range(texts, texts + len(shown)),
        cut=(i for i, name in enumerate(columns) if name not in STEPS and not name.endswith("(UTC)")),
        spare=tuple(texts + shown.index(name) for name in _SPARE if name in shown),
    )  # fmt: skip


def _figure(total: Total, name: str) -> str:
    value: int | Decimal | None = getattr(total, name)
    if value is None:
        return "unknown"
    return usd_cell(value) if isinstance(value, Decimal) else f"{value:,}"


def told(text: str) -> str:
    """A name in a table; "-" for none."""
    return text or "-"


def usd_cell(amount: Decimal) -> str:
    """USD with six decimals; a smaller amount is marked as such. Exports have all twelve."""
    least = Decimal("0.000001")
    return f"<{least}" if 0 < amount < least / 2 else f"{amount:,.6f}"


class Totals(dict[tuple[str, ...], Total]):
    """Group -> Total, in the order of the groups' names; `by` are the dimensions of the groups."""

    def __init__(self, by: tuple[str, ...], totals: dict[tuple[str, ...], Total]) -> None:
        super().__init__(totals)
        self.by = by

    def rows(self) -> list[dict[str, Any]]:
        """One JSON-safe dict per group: its dimensions, then its figures."""
        return [{**dict(zip(self.by, group, strict=True)), **total.to_dict()} for group, total in self.items()]

    def table(self) -> Table:
        """The table to show; the dearest group comes first, unless the groups are of time."""
        items = list(self.items())
        if not set(STEPS) & set(self.by):
            items.sort(key=lambda item: -(item[1].cost_usd or 0))
        return _table(self.by, items)

    def render(self, width: int | None = None) -> str:
        """The table as text, in lines of at most `width`; None = as wide as they are."""
        return self.table().text(width)

    def to_pandas(self) -> Any:
        """A DataFrame, a row per group, amounts as float (`rows` has them exactly), NaN = unknown; needs pandas."""
        rows = [{**dict(zip(self.by, g, strict=True)), **t._asdict()} for g, t in self.items()]
        return data_frame(rows, (*self.by, *Total._fields))

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __reduce__(self) -> tuple[Any, ...]:
        return Totals, (self.by, dict(self))


class Point(NamedTuple):
    """What one group came to in one step: `at` is when the step began, UTC."""

    at: datetime
    group: tuple[str, ...]
    total: Total


class Series(list[Point]):
    """Points in order of time, then of group. A step in which a group had no call has no point."""

    def __init__(self, by: tuple[str, ...], step: str, points: Sequence[Point] = ()) -> None:
        super().__init__(points)
        self.by, self.step = by, step

    def rows(self) -> list[dict[str, Any]]:
        """One JSON-safe dict per point: `at` (ISO), its dimensions, its figures."""
        return [{"at": p.at.isoformat(), **dict(zip(self.by, p.group, strict=True)), **p.total.to_dict()} for p in self]

    def table(self) -> Table:
        """The table to show, in order of time."""
        form = "%Y-%m-%d %H:%M" if self.step == "hour" else "%Y-%m-%d"
        return _table((f"{self.step} (UTC)", *self.by), [((f"{p.at:{form}}", *p.group), p.total) for p in self])

    def render(self, width: int | None = None) -> str:
        """The table as text, in lines of at most `width`; None = as wide as they are."""
        return self.table().text(width)

    def to_pandas(self) -> Any:
        """A DataFrame, a row per point, amounts as float, NaN = unknown; needs pandas."""
        rows = [{"at": p.at, **dict(zip(self.by, p.group, strict=True)), **p.total._asdict()} for p in self]
        return data_frame(rows, ("at", *self.by, *Total._fields))

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __reduce__(self) -> tuple[Any, ...]:
        return Series, (self.by, self.step, list(self))
