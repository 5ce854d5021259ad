"""The table, and what it says: where a peer did better than we did, and the sums."""

from __future__ import annotations

import math
from collections.abc import Iterator

from benchmarks.peers.cell import Cell
from benchmarks.peers.peer import Peer
from benchmarks.peers.row import Row

P95_SLACK, P95_GRAIN_S = 1.1, 0.003
"""How much two medians of the same thing differ on a busy machine."""
_HEAD = (
    "| peer | success % | silent % | wasted / 100 | P95 ms | back after s | remarks |\n|---|---|---|---|---|---|---|"
)


class Table:
    """Cells by row."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Row, dict[Peer, Cell]]] = {}

    def add(self, row: Row, peer: Peer, cell: Cell) -> None:
        """One more cell."""
        self._rows.setdefault(row.title, (row, {}))[1][peer] = cell

    def render(self) -> str:
        """All of it, as Markdown."""
        return "\n\n".join([*(self._row(title) for title in self._rows), self._summary(), self._where_worse()])

    def _row(self, title: str) -> str:
        _, cells = self._rows[title]
        lines = [_line(peer.name, cell) for peer, cell in sorted(cells.items(), key=lambda item: _order(item[0]))]
        return "\n".join([f"### {title}", _HEAD, *lines])

    def _summary(self) -> str:
        lines = ["### Sums over all rows", "| peer | success % | silent % | wasted / 100 |", "|---|---|---|---|"]
        names = {peer for _, cells in self._rows.values() for peer in cells if not peer.only}
        for peer in sorted(names, key=_order):
            own = [cells[peer] for _, cells in self._rows.values() if peer in cells]
            count = len(own)
            success, silent = (100 * sum(c.success for c in own) / count, 100 * sum(c.silent for c in own) / count)
            wasted = sum(cell.wasted or 0.0 for cell in own) / count
            lines.append(f"| {peer.name} | {success:.1f} | {silent:.1f} | {wasted:.1f} |")
        return "\n".join(lines)

    def _where_worse(self) -> str:
        found = [line for row, cells in self._rows.values() for line in _worse(row, cells)]
        return "\n".join(["### Where a peer did better", *(found or ["nowhere"])])


def _worse(row: Row, cells: dict[Peer, Cell]) -> Iterator[str]:
    ours = {peer: cell for peer, cell in cells.items() if peer.ours and not peer.only}
    for mine, own in ours.items():
        found: dict[str, list[str]] = {}
        for other, their in cells.items():
            for what, told in _beaten(row, own, their) if not other.ours else ():
                found.setdefault(what, []).append(f"{other.name} {told}")
        for what, others in found.items():
            yield f"- {row.title}: {mine.name}: {what}: {'; '.join(others)}"


def _beaten(row: Row, own: Cell, their: Cell) -> Iterator[tuple[str, str]]:
    """What a peer did better, with our figure, and the peer's."""
    if own.success < their.success - 1e-9:
        yield f"success {100 * own.success:.0f} %", f"{100 * their.success:.0f}"
    if own.silent > their.silent + 1e-9:
        yield f"silently cut or mixed {100 * own.silent:.0f} %", f"{100 * their.silent:.0f}"
    if own.wasted is not None and their.wasted is not None and own.wasted > their.wasted + 1e-9:
        yield f"wasted {own.wasted:.1f}", f"{their.wasted:.1f}"
    if own.p95_s > P95_SLACK * their.p95_s + P95_GRAIN_S:
        yield f"P95 {_ms(own.p95_s)} ms", _ms(their.p95_s)
    if row.lasts_s is not None and their.back_s is not None and (own.back_s or math.inf) > their.back_s + 0.1:
        yield f"back after {_seconds(own.back_s)} s", _seconds(their.back_s)


def _line(name: str, cell: Cell) -> str:
    wasted = "?" if cell.wasted is None else f"{cell.wasted:.0f}"
    short = "" if cell.asked >= 100 else f"{cell.asked} asked"
    remarks = "; ".join(part for part in (cell.note, short) if part)
    shares = f"{100 * cell.success:.0f} | {100 * cell.silent:.0f}"
    return f"| {name} | {shares} | {wasted} | {_ms(cell.p95_s)} | {_seconds(cell.back_s)} | {remarks} |"


def _order(peer: Peer) -> tuple[bool, bool, str]:
    return (not peer.ours, bool(peer.only), peer.name)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f}" if math.isfinite(seconds) else "never"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f}"
