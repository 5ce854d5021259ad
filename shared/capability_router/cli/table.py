"""A table for a terminal: with rich where it is installed and a person looks, plain columns otherwise."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

_GAP = 2
_LEAST = 8  # a column is not made narrower than this


class Table:
    """Rows of texts under a head.

    `right`: the columns whose cells end at the right edge (figures); `flex`: those that may be made narrower.
    """

    def __init__(self, *head: str, right: Iterable[int] = (), flex: Iterable[int] = ()) -> None:
        self.head = head
        self.right = frozenset(right)
        self.flex = sorted(flex)
        self.rows: list[tuple[str, ...]] = []

    def add(self, *cells: str) -> None:
        """One more row, with a cell for each column."""
        self.rows.append(tuple(map(printable, cells)))

    def show(self) -> None:
        """Print it. On a terminal it is made to fit its width; into a pipe nothing is cut off."""
        rich = _rich() if sys.stdout.isatty() else None
        if rich is not None:
            self._with_rich(rich)
            return
        for line in self.lines(shutil.get_terminal_size().columns if sys.stdout.isatty() else None):
            click.echo(line)

    def lines(self, width: int | None = None) -> list[str]:
        """Plain columns; the widest of those that may be are shortened until all fit the width."""
        rows = [self.head, *self.rows]
        widths = self._fitted([max(len(row[i]) for row in rows) for i in range(len(self.head))], width)
        return [self._line(row, widths) for row in rows]

    def _fitted(self, widths: list[int], most: int | None) -> list[int]:
        while most is not None and sum(widths) + _GAP * (len(widths) - 1) > most:
            widest = max(self.flex, key=widths.__getitem__, default=None)
            if widest is None or widths[widest] <= _LEAST:
                break
            widths[widest] -= 1
        return widths

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        cells = (_cut(cell, wide) for cell, wide in zip(row, widths, strict=True))
        aligned = (c.rjust(widths[i]) if i in self.right else c.ljust(widths[i]) for i, c in enumerate(cells))
        return (" " * _GAP).join(aligned).rstrip()

    def _with_rich(self, rich: Any) -> None:
        from rich.console import Console
        from rich.markup import escape

        table = rich(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for i, name in enumerate(self.head):
            side: Any = "right" if i in self.right else "left"
            table.add_column(name, justify=side, no_wrap=i not in self.flex, overflow="fold")
        for row in self.rows:
            table.add_row(*map(escape, row))
        Console(highlight=False).print(table)


def printable(text: str) -> str:
    """Without control characters: a list from elsewhere must not steer the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _rich() -> Any:
    try:
        from rich.table import Table as Rich
    except ModuleNotFoundError:
        return None
    return Rich


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"
