"""Tables and sections of the page; on a phone each row of a table becomes a block of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from capability_router.amounts import count
from capability_router.drawing.markup import Markup, element
from capability_router.drawing.svg import NARROW, WIDTH

SHOWN, MOST = 12, 100
"""Rows of a table that are seen at once, and that are there when it is unfolded; those after them are counted."""
_WORD = 28  # characters
_LONG = 400  # characters of an explanation that is folded away


def section(title: str, note: str, *parts: Markup | str) -> Markup:
    """A part of the page, its title and how to read it; a long explanation is folded away."""
    explained: Markup | str = element("p", note, class_="note") if note else ""
    if len(note) > _LONG:
        explained = element("details", element("summary", "How to read this"), element("p", note, class_="note"))
        return element("section", element("h2", title), *parts, explained)
    return element("section", element("h2", title), explained, *parts)


def headline(figures: Iterable[tuple[str, str, str]]) -> Markup:
    """The figures at the top of a page: the name of each, its value, and what else is to be known of it."""
    items = (
        element(
            "div", element("dt", name), element("dd", value, class_="small" if len(value) > 9 else None),
            element("dd", more),
        )
        for name, value, more in figures
    )  # fmt: skip
    return element("dl", *items, class_="headline")


def part(title: str, *parts: Markup | str) -> Markup:
    """Something of its own within a section."""
    return element("div", element("h3", title), *parts, class_="part")


def said(sentence: str) -> Markup:
    """A sentence in the place of something that the log has no data for."""
    return element("p", sentence, class_="note")


def chart(drawn: Callable[[float], Markup]) -> Markup:
    """The same drawing twice: for a large screen and for a phone, which shows only the narrow one."""
    return element("div", drawn(WIDTH), drawn(NARROW), class_="charts")


def grid(columns: Sequence[str], rows: Iterable[Sequence[object]], *, texts: Iterable[str] = ()) -> Markup:
    """The first column names the row; the others are figures, but for `texts`. Long tables are folded, then cut."""
    kept, left = list(rows), frozenset(texts)
    kinds = ["text" if name in left else "n" for name in columns]
    parts = [_table(columns, kinds, kept[:SHOWN])]
    if folded := kept[SHOWN:MOST]:
        label = f"{count(len(folded))} more"
        parts.append(element("details", element("summary", label), _table(columns, kinds, folded)))
    more = len(kept) - MOST
    return element("div", *parts, said(f"{count(more)} more not shown.") if more > 0 else "")


def _table(columns: Sequence[str], kinds: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    head = (element("th", name, scope="col", class_=kinds[i] if i else None) for i, name in enumerate(columns))
    lines = (_line(columns, kinds, row) for row in rows)
    table = element("table", element("thead", element("tr", *head)), element("tbody", *lines), class_="stacked")
    return element("div", table, class_="scroll", tabindex=0, role="group", aria_label=f"Table by {columns[0]}")


def _line(columns: Sequence[str], kinds: Sequence[str], row: Sequence[object]) -> Markup:
    cells = zip(columns[1:], kinds[1:], row[1:], strict=True)
    return element(
        "tr", element("th", row[0], scope="row", class_=_broken(row[0]) or None),
        *(element("td", cell, class_=f"{kind}{_broken(cell)}", data_label=name) for name, kind, cell in cells),
    )  # fmt: skip


def _broken(cell: object) -> str:
    """Words that would make their column too wide may be broken anywhere."""
    return " long" if not isinstance(cell, Markup) and max(map(len, str(cell).split()), default=0) > _WORD else ""
