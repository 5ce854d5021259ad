"""What the table says: the sums, and every place where a peer did better than we did."""

from __future__ import annotations

import math
from collections.abc import Iterator

from benchmarks.peers.cell import Cell
from benchmarks.peers.peer import Peer
from benchmarks.peers.row import Row
from benchmarks.peers.table import Table, ms, rank

P95_SLACK, P95_GRAIN_S = 1.1, 0.003
"""How much two P95s of the same thing differ on a busy machine: a share, and seconds."""


def sums(table: Table) -> str:
    """Means over all rows, of the peers that are in every one."""
    lines = ["| over all rows | success % | silently wrong % | wasted / 100 |", "|---|---|---|---|"]
    rows = list(table.rows.values())
    for peer in sorted({peer for _, cells in rows for peer in cells if not peer.only}, key=rank):
        own = [cells[peer] for _, cells in rows if peer in cells]
        success, silent, wasted = (
            sum(values) / max(len(values), 1)
            for values in (
                [c.success for c in own],
                [c.silent for c in own],
                [c.wasted for c in own if c.wasted is not None],  # nobody counts refused connections
            )
        )
        lines.append(f"| {peer.name} | {100 * success:.1f} | {100 * silent:.1f} | {wasted:.1f} |")
    return "\n".join(lines)


def where_worse(table: Table) -> str:
    """A line for each of our figures that a peer's was better than."""
    lines = [line for row, cells in table.rows.values() for line in _worse(row, cells)]
    return "\n".join(["Where a peer did better:", *(lines or ["nowhere"])])


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
        yield f"silently wrong {100 * own.silent:.0f} %", f"{100 * their.silent:.0f}"
    if own.wasted is not None and their.wasted is not None and own.wasted > their.wasted + 1e-9:
        yield f"wasted {own.wasted:.1f}", f"{their.wasted:.1f}"
    if own.p95_s > P95_SLACK * their.p95_s + P95_GRAIN_S:
        yield f"P95 {ms(own.p95_s)} ms", ms(their.p95_s)
    if row.lasts_s is not None and their.back_s is not None and (own.back_s or math.inf) > their.back_s + 0.1:
        yield f"back after {own.back_s or math.inf:.1f} s", f"{their.back_s:.1f}"
