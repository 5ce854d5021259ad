"""The same on other workloads and at other prices: rows, and one picture of all runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.approaches import fitting, scatter
from benchmarks.approaches.approach import ADAPTIVE, NAMES, SINGLE
from benchmarks.approaches.estimate import Estimate, column, paired
from benchmarks.approaches.fleet_models import LADDERS
from benchmarks.approaches.pool import DataPaths, Task, carried_out, ground
from benchmarks.approaches.sheet import RunSheet
from benchmarks.approaches.workload import MIXES

LENGTH_S = 90.0
"""Of each run: less than a sixth of the main table's."""
COMPARED = tuple(name for name in NAMES if name != SINGLE)

Cell = tuple[str, str]
"""A workload and a ladder of prices."""
Cells = dict[Cell, dict[str, list[RunSheet]]]


def measured(place: DataPaths, seeds: range, plot: Path) -> int:
    """Print the rows and the settings, and draw the picture; 1 where `adaptive` somewhere misses what is asked of its
    success.
    """
    cells: Cells = {(w, ladder): {name: [] for name in (SINGLE, *COMPARED)} for w in MIXES for ladder in LADDERS}
    tasks = [Task(*cell, name, seed, LENGTH_S) for cell, by in cells.items() for seed in seeds for name in by]
    print(f"seeds {seeds.start}-{seeds.stop - 1}; / = by the single model's, - = less it, per seed\n")
    print("| workload | prices | approach | cost / | success of answered / | of all - | P95 / | through outages |")
    print("|---|---|---|---|---|---|---|---|")
    for task, sheet in carried_out(place, tasks):
        cell = task.workload, task.ladder
        cells[cell][task.approach].append(sheet)
        if all(len(sheets) == len(seeds) for sheets in cells[cell].values()):
            print("\n".join(rows(cell, cells[cell])), flush=True)
    print("\n" + "\n".join(_settings(place)))
    plot.write_text(scatter.drawn(cells, SINGLE, COMPARED), encoding="utf-8")
    return min(sum(_success(by).value < 0.95 for by in cells.values()), 1)


def _settings(place: DataPaths) -> Iterator[str]:
    """What `adaptive` ran with, a line for each workload."""
    for workload in MIXES:
        fit = fitting.prepared(ground(place, workload, "list"))
        yield f"{workload}: adaptive with quality_share {fit.share:g}, latency_weight {fit.second:g}"


def rows(cell: Cell, by: Mapping[str, Sequence[RunSheet]]) -> Iterator[str]:
    """A line for each approach."""
    for name in COMPARED:
        yield f"| {cell[0]} | {cell[1]} | {name} | {_row(by[name], by[SINGLE])} |"


def _row(own: Sequence[RunSheet], one: Sequence[RunSheet]) -> str:
    return " | ".join((
        paired(own, one, lambda a, b: a.usd_per_request / b.usd_per_request).told(".3f"),
        paired(own, one, lambda a, b: a.success / b.success).told(".3f"),
        paired(own, one, lambda a, b: a.overall - b.overall).told("+.3f"),
        paired(own, one, lambda a, b: a.p95_s / b.p95_s).told(".2f"),
        f"{column(own, lambda s: 100 * s.in_outages).told('.2f')} %",
    ))  # fmt: skip


def _success(by: dict[str, list[RunSheet]]) -> Estimate:
    return paired(by[ADAPTIVE], by[SINGLE], lambda a, b: a.success / b.success)
