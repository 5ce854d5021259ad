"""Cost and quality of routing on recorded outcomes, a chart per set: ours, single models, and what others reach."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from capability_router.drawing.frontier import FrontierPlot, PlotPoint, frontiers
from capability_router.policies.adaptive import COST_WEIGHT

if TYPE_CHECKING:
    from benchmarks.quality_table import Bench, Result

_PER = 1_000.0
REFERENCE = {
    "llmrouter_uiuc": (0.82, 0.87), "mmlu_pro": (0.37, 0.81), "zeroeval": (0.21, 0.79), "routellm_mmlu": (0.09, 0.63),
}  # fmt: skip
"""Cost saved at the best model's score and at 95 % of it by the router that our targets were set after, on other
questions of the same sets: ridge and neighbours over the same kinds of features, its shrinking set by hand."""


def drawn(bench: Bench, names: Iterable[str]) -> str:
    """An SVG with a chart for each of these sets."""
    return frontiers([_plane(name, bench.result(name)) for name in names])


def _plane(name: str, result: Result) -> FrontierPlot:
    table, judge = result.table, result.judge
    usd, score = table.cost.mean(0), table.score.mean(0)
    single = np.column_stack((usd, score))
    best = int(score.argmax())
    ends = single[[int(usd.argmin()), best]]
    means = np.tile(score, (len(table.ids), 1))
    long = np.log1p([len(prompt) for prompt in table.prompts])[:, None] * (means - means.mean())
    by_length = judge.sweep(long, np.tile(usd, (len(table.ids), 1)), table)
    note = f"{len(table.ids):,} questions, learned from {len(result.train):,} others. Blue: learned. Dashed: mixing "
    note += "models. Dotted: by length. Crosses: compared."
    return FrontierPlot(
        name, note, [*_singles(result)],
        _places(judge.hull(single)),
        _places(judge.hull(np.vstack((judge.sweep(result.quality, result.cost, table), ends)))),
        _usual(result, float(usd[best])),
        _places(judge.hull(np.vstack((by_length, ends)))),
        [_place("random", usd.mean(), score.mean()), *_references(name, float(usd[best]), float(score[best]))],
    )  # fmt: skip


def _singles(result: Result) -> Iterable[PlotPoint]:
    table = result.table
    error = table.score.std(0) / len(table.ids) ** 0.5
    for each in zip(table.models, table.cost.mean(0), table.score.mean(0), error, strict=True):
        name, usd, score, doubt = each
        yield _place(name, usd, score)._replace(error=float(doubt))


def _usual(result: Result, best_usd: float) -> PlotPoint:
    """Where `adaptive` is without settings."""
    pick = (result.quality - COST_WEIGHT / max(best_usd, 1e-12) * result.cost).argmax(1)
    return _place("learned", *result.judge.realised(pick, result.table))


def _references(name: str, usd: float, score: float) -> Iterable[PlotPoint]:
    for part, saved in zip((1.0, 0.95), REFERENCE.get(name, ()), strict=False):
        yield _place(f"reference at {part:.0%} of the best", (1.0 - saved) * usd, part * score)


def _places(corners: Any) -> Sequence[PlotPoint]:
    return [_place("", usd, score) for usd, score in corners]


def _place(name: str, usd: Any, score: Any) -> PlotPoint:
    return PlotPoint(name, _PER * float(usd), float(score))
