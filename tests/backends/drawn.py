"""A trace as text, as it is shown in docs/tracing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

PAGES = Path(__file__).parents[2] / "docs" / "tracing"
_WIDTHS = (44, 12, 8, 12, 10)
_HEAD = ("span", "kind", "status", "tokens", "cost")


class Shown(NamedTuple):
    """A span as the product has it. `tokens`: input and output; None = none are shown. `cost`: USD, likewise."""

    id: str
    parent: str | None
    name: str
    kind: str
    status: str
    began: str
    tokens: tuple[int, int] | None = None
    cost: float | None = None


def drawn(spans: Sequence[Shown]) -> str:
    """One line per span, below its parent."""
    ids = {span.id for span in spans}
    roots = [span for span in spans if span.parent not in ids]
    lines = [_HEAD, *(row for root in _in_order(roots) for row in _rows(root, spans, 0))]
    return "\n".join(map(_line, lines))


def stands_in(page: str, tree: str) -> bool:
    """Whether the page shows this very tree."""
    return tree in (PAGES / page).read_text(encoding="utf-8")


def _line(row: tuple[str, ...]) -> str:
    return "".join(cell.ljust(width) for cell, width in zip(row, _WIDTHS, strict=True)).rstrip()


def _rows(span: Shown, spans: Sequence[Shown], depth: int) -> Iterator[tuple[str, ...]]:
    tokens = f"{span.tokens[0]} / {span.tokens[1]}" if span.tokens else ""
    cost = "" if span.cost is None else f"${span.cost:.6f}"
    yield ("  " * depth + span.name, span.kind, span.status, tokens, cost)
    for child in _in_order([s for s in spans if s.parent == span.id]):
        yield from _rows(child, spans, depth + 1)


def _in_order(spans: Sequence[Shown]) -> list[Shown]:
    return sorted(spans, key=lambda span: span.began)
