"""The health of one router's models: rows for a program, and a table of them for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from capability_router.drawing.table import Table, data_frame

HEAD = ("model", "breaker", "in flight", "TTFT", "whole", "success", "lately", "calls", "left", "held")
_RIGHT, _FOLD, _SPARE = range(2, 9), (0, 9), (7, 6, 4)


class HealthTable(list[dict[str, Any]]):
    """The rows of `router.health()`, a list of JSON-safe mappings, which a notebook shows as a table."""

    def table(self) -> Table:
        """What `capability-router status` shows of all processes, of this one."""
        return standings(map(_cells, self))

    def render(self, width: int | None = None) -> str:
        """The table as text, in lines of at most `width`; None = as wide as they are."""
        return self.table().text(width)

    def to_pandas(self) -> Any:
        """A DataFrame, a row per model, with all that is known; needs pandas."""
        return data_frame(self)

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def standings(rows: Iterable[Sequence[str]]) -> Table:
    """A table of models under HEAD."""
    return Table(*HEAD, rows=rows, right=_RIGHT, fold=_FOLD, spare=_SPARE)


def cells(
    row: Mapping[str, Any], *, name: str, success: float | None, lately: float | None, left: float | None, held: str
) -> tuple[str, ...]:
    """A row of that table; shares from 0 to 1, `left` in USD, None = unknown."""
    return (
        name, row["state"].replace("_", "-"), str(row["in_flight"]), _seconds(row["ttft_s"]),
        _seconds(row["took_s"]), _share(success), _share(lately), f"{row['calls']:,}", _usd(left), held,
    )  # fmt: skip


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return cells(
        row, name=row["model"], success=row["success_share"], lately=row["recent_share"], left=row["left_usd"],
        held=row["held"],
    )  # fmt: skip


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}" if 0.99 < value < 1 else f"{value:.0%}"


def _usd(value: float | None) -> str:
    return "-" if value is None else f"${value:,.2f}"
