"""The table: a line for every row, a column for every peer."""

from __future__ import annotations

import math
from collections.abc import Iterable

from benchmarks.peers.cell import Cell
from benchmarks.peers.peer import Peer
from benchmarks.peers.row import Row

LEGEND = (
    "Each cell: success in % / calls wasted on the primary per 100 requests / P95 in ms. A request that failed counts "
    "as one that never ended, hence `never`. `!n`: n % of the answers were cut, empty or mixed from two models, and "
    "nothing said so. `back`: seconds from the end of the outage to the next answer of the primary; `away`: none in "
    "the time watched. `?`: not counted."
)


class Table:
    """Cells by row and peer."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Row, dict[Peer, Cell]]] = {}

    def add(self, row: Row, peer: Peer, cell: Cell) -> None:
        """One more cell."""
        self.rows.setdefault(row.title, (row, {}))[1][peer] = cell

    def render(self) -> str:
        """As Markdown: the peers that are in every row, then the variants that are in some."""
        seen = {peer for _, cells in self.rows.values() for peer in cells}
        full = sorted((peer for peer in seen if not peer.only), key=rank)
        parts = [LEGEND, _grid(self.rows.values(), full)]
        partial = sorted((peer for peer in seen if peer.only), key=rank)
        if partial:
            some = [(row, cells) for row, cells in self.rows.values() if any(peer in cells for peer in partial)]
            parts.append(_grid(some, partial))
        return "\n\n".join(parts)


def rank(peer: Peer) -> tuple[bool, bool, str]:
    """Ours first."""
    return (not peer.ours, bool(peer.only), peer.name)


def ms(seconds: float) -> str:
    """Milliseconds, or never."""
    return f"{1000 * seconds:.0f}" if math.isfinite(seconds) else "never"


def _grid(rows: Iterable[tuple[Row, dict[Peer, Cell]]], peers: list[Peer]) -> str:
    head = ["fault", *(peer.name for peer in peers)]
    lines = [head, ["---"] * len(head)]
    for row, cells in rows:
        lines.append([row.title, *(_told(row, cells[peer]) if peer in cells else "" for peer in peers)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _told(row: Row, cell: Cell) -> str:
    if not cell.asked:
        return "broken" if cell.note != "hung" else "hung"
    silent = f" !{100 * cell.silent:.0f}" if cell.silent else ""
    wasted = "?" if cell.wasted is None else f"{cell.wasted:.0f}"
    told = f"{100 * cell.success:.0f}{silent} / {wasted} / {ms(cell.p95_s)}"
    if row.lasts_s is not None:
        told += " / away" if cell.back_s is None else f" / back {cell.back_s:.1f}"
    return f"{told} (hung)" if cell.note == "hung" else told
