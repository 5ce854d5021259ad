"""A table as text that fits a width, and as HTML for notebooks. No third-party package is needed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from typing import NamedTuple

_GAP = "  "
_LEAST, _FAIR = 6, 14  # characters that are left of a shortened column, at least and before another is left out


class Table(NamedTuple):
    """`texts`: how many columns, from the left, are texts; the rest are figures, set to the right and never cut.

    `whole`: texts that are not cut either, such as dates. `spare`: columns that are left out where there is no
    room, the first of them first.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int
    whole: tuple[int, ...] = ()
    spare: tuple[str, ...] = ()

    def text(self, width: int) -> str:
        """Lines of at most `width` characters, if shortening texts is enough for that."""
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        cuttable = [i for i in range(self.texts) if i not in self.whole]
        fair = sum(min(n, _FAIR) if i in cuttable else n for i, n in enumerate(widths)) + len(_GAP) * (len(widths) - 1)
        if fair > width and self.spare:
            return self._without(self.columns.index(self.spare[0])).text(width)
        over = sum(widths) + len(_GAP) * (len(widths) - 1) - width
        while over > 0 and (widest := max(cuttable, key=lambda i: widths[i], default=-1)) >= 0:
            if widths[widest] <= _LEAST:
                break
            widths[widest] -= 1
            over -= 1
        rule = tuple("-" * n for n in widths)
        return "\n".join(self._line(row, widths) for row in (self.columns, rule, *self.rows))

    def _without(self, index: int) -> Table:
        """Without one of its columns."""
        columns, *rows = ((*row[:index], *row[index + 1 :]) for row in (self.columns, *self.rows))
        whole = tuple(i - (i > index) for i in self.whole)
        return Table(columns, tuple(rows), self.texts - (index < self.texts), whole, self.spare[1:])

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        cells = [
            _cut(cell, n).ljust(n) if i < self.texts else cell.rjust(n)
            for i, (cell, n) in enumerate(zip(row, widths, strict=True))
        ]
        return _GAP.join(cells).rstrip()

    def html(self) -> str:
        """A plain <table>; every cell is escaped."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(f"<tr>{''.join(map(self._cell, range(len(row)), row))}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _cell(self, index: int, text: str) -> str:
        style = "" if index < self.texts else ' style="text-align:right"'
        return f"<td{style}>{escape(text)}</td>"


def _cut(text: str, most: int) -> str:
    """Without its middle: models of one provider, and dates, differ at their ends."""
    head = (most - 1) // 2
    return text if len(text) <= most else f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def plain(text: str) -> str:
    """Without line breaks and control characters, which would break a table or a terminal; "-" when empty."""
    return "".join(c if c.isprintable() else "?" for c in text) or "-"


def dollars(amount: Decimal) -> str:
    """USD with six decimals; what is smaller is told as such. Exports have all twelve."""
    least = Decimal("0.000001")
    return f"<{least}" if 0 < amount < least / 2 else f"{amount:,.6f}"
