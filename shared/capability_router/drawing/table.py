"""A table as text that fits a width, as HTML for notebooks, and as a DataFrame. Only the DataFrame needs a package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from html import escape
from itertools import zip_longest
from typing import Any
from unicodedata import combining, east_asian_width

_GAP = 2  # between two columns
_LEAST, _FAIR = 8, 14  # what is left of a shortened text, at least and before a column is left out
_IN_NOTEBOOKS = 60  # rows; ten thousand tenants would hold a notebook up
_COLOURLESS = "border-collapse:collapse;color:inherit;font:inherit;background:none;font-variant-numeric:tabular-nums"
_BREAKS = "-/:,._"  # where there is no space, a text goes on in the next line behind one of these


class Table:
    """Rows of texts under a head; columns are named by their index.

    `right`: figures, set to the right. `cut`: texts that lose their middle where there is no room (models of one
    provider, and dates, differ at their ends). `fold`: texts that go on in the next line. The others are never
    shortened. `spare`: left out where there is no room, the first of them first; the last line then says so.
    """

    def __init__(
        self, *head: str, rows: Iterable[Sequence[str]] = (), right: Iterable[int] = (), cut: Iterable[int] = (),
        fold: Iterable[int] = (), spare: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self.head = tuple(map(printable, head))
        self.rows = [tuple(map(printable, row)) for row in rows]
        self.right, self.cut, self.spare = frozenset(right), frozenset(cut), tuple(spare)
        self.texts = self.cut | frozenset(fold)

    def add(self, *cells: str) -> None:
        """One more row, with a cell for each column."""
        self.rows.append(tuple(map(printable, cells)))

    def lines(self, width: int | None = None) -> list[str]:
        """The head's lines and the rows': each at most `width` wide; None = as wide as they are.

        Where what is never shortened is wider than that, so are the lines.
        """
        head, body = self.parts(width)
        return [*head, *body]

    def text(self, width: int | None = None) -> str:
        """The same as one text."""
        return "\n".join(self.lines(width))

    def parts(self, width: int | None = None) -> tuple[list[str], list[str]]:
        """The head's lines and the others, as in `lines`."""
        natural = [max(map(wide, column)) for column in zip(self.head, *self.rows, strict=True)]
        kept = list(range(len(natural)))
        if width is not None:
            kept = self._kept(natural, width)
            natural = self._fitted(natural, kept, width)
        lost = ", ".join(self.head[i] for i in range(len(self.head)) if i not in kept)
        note = folded(f"(no room for: {lost})", width) if lost else []
        body = (line for row in self.rows for line in self._lines(row, kept, natural, self.cut))
        return list(self._lines(self.head, kept, natural, frozenset())), [*body, *note]

    def _kept(self, natural: Sequence[int], width: int) -> list[int]:
        """The columns that are shown."""
        kept, fair = list(range(len(natural))), self._fair(natural, width)
        for index in self.spare:
            if _total(fair, kept) <= width:
                break
            kept.remove(index)
        return kept

    def _fair(self, natural: Sequence[int], width: int) -> list[int]:
        """How narrow each column may be made before one is left out."""
        fair = max(_FAIR, width // 4 // max(len(self.texts), 1))
        return [min(n, fair) if i in self.texts else self._stiff(i) for i, n in enumerate(natural)]

    def _stiff(self, index: int) -> int:
        """The width of a column that is never shortened; its head may be folded at a space."""
        return max(map(wide, (*self.head[index].split(), *(row[index] for row in self.rows))), default=0)

    def _fitted(self, natural: Sequence[int], kept: Sequence[int], width: int) -> list[int]:
        """Heads are folded first, then texts shortened fairly, then to the least."""
        widths, fair = list(natural), self._fair(natural, width)
        heads = [n if i in self.texts else fair[i] for i, n in enumerate(natural)]
        least = [min(n, _LEAST) if i in self.texts else n for i, n in enumerate(fair)]
        for floors in (heads, fair, least):
            _shrink(widths, floors, kept, width)
        return widths

    def _lines(
        self, row: Sequence[str], kept: Sequence[int], widths: Sequence[int], cut: frozenset[int]
    ) -> Iterator[str]:
        """A row as one line, or as many as its longest folded cell needs."""
        cells = [[_cut(row[i], widths[i])] if i in cut else folded(row[i], widths[i]) for i in kept]
        for pieces in zip_longest(*cells, fillvalue=""):
            padded = (_padded(piece, widths[i], i in self.right) for i, piece in zip(kept, pieces, strict=True))
            yield (" " * _GAP).join(padded).rstrip()

    def html(self, most: int | None = None) -> str:
        """A plain <table> in the colours around it; every cell is escaped. Rows after the first `most` are counted."""
        head = "".join(self._cell(i, name, "th") for i, name in enumerate(self.head))
        body = "".join(f"<tr>{''.join(map(self._cell, range(len(row)), row))}</tr>" for row in self.rows[:most])
        more = 0 if most is None else len(self.rows) - most
        rest = f'<tr><td colspan="{len(self.head)}">{more:,} more</td></tr>' if more > 0 else ""
        begin = f'<table style="{_COLOURLESS}" cellpadding="4">'
        return f"{begin}<thead><tr>{head}</tr></thead><tbody>{body}{rest}</tbody></table>"

    def _repr_html_(self) -> str:
        return self.html(_IN_NOTEBOOKS)

    def _cell(self, index: int, text: str, tag: str = "td") -> str:
        side = "right" if index in self.right else "left"  # said, because Jupyter sets all to the right
        line = ";border-bottom:1px solid" if tag == "th" else ""
        return f'<{tag} style="text-align:{side}{line}">{escape(text)}</{tag}>'


def data_frame(rows: Sequence[dict[str, Any]], columns: Sequence[str] = ()) -> Any:
    """A pandas.DataFrame with a row per dict; without rows it has the `columns`.

    A Decimal becomes a float, because pandas neither plots nor multiplies Decimals. Raises ImportError, with what to
    install, if pandas is missing.
    """
    try:
        import pandas  # type: ignore[import-untyped, import-not-found, unused-ignore]  # optional, not a dependency
    except ModuleNotFoundError as error:
        raise ImportError(f"to_pandas() needs pandas ({error}): pip install pandas") from error
    plain = [{name: float(v) if isinstance(v, Decimal) else v for name, v in row.items()} for row in rows]
    return pandas.DataFrame(plain, columns=None if plain else list(columns))


def printable(text: str) -> str:
    """Without line breaks and control characters: a name from elsewhere must not steer the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def wide(text: str) -> int:
    """How many cells of a terminal it takes: East Asian characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def folded(text: str, width: int | None) -> list[str]:
    """The text in lines of at most `width`: broken at a space, else behind a mark, else anywhere."""
    lines = []
    while width is not None and wide(text) > width:
        most = max(_fitting(text, width), 1)
        at = text.rfind(" ", 0, most + 1)
        if at <= 0:
            at = max(text.rfind(mark, 0, most) for mark in _BREAKS) + 1 or most
        lines.append(text[:at].rstrip())
        text = text[at:].lstrip()
    return [*lines, text]


def _fitting(text: str, room: int) -> int:
    """How many characters from the left fit."""
    for count, char in enumerate(text):
        room -= wide(char)
        if room < 0:
            return count
    return len(text)


def _cut(text: str, most: int) -> str:
    """Without its middle."""
    if wide(text) <= most:
        return text
    head = text[: _fitting(text, (most - 1) // 2)]
    tail = _fitting(text[::-1], most - 1 - wide(head))
    return f"{head}…{text[len(text) - tail :]}"


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - wide(text))
    return space + text if right else text + space


def _total(widths: Sequence[int], kept: Sequence[int]) -> int:
    return sum(widths[i] for i in kept) + _GAP * (len(kept) - 1)


def _shrink(widths: list[int], floors: Sequence[int], kept: Sequence[int], most: int) -> None:
    """Takes from the widest of the columns that are above their floor until all fit."""
    while _total(widths, kept) > most and (loose := [i for i in kept if widths[i] > floors[i]]):
        widths[max(loose, key=widths.__getitem__)] -= 1
