"""Cost and success, and P95 and success, of `adaptive` at other shares, beside the other approaches (SVG).

Beside them: what is asked of `adaptive`, and the least that any prices come to (reach.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.approaches import pretraining, reach, verdict
from benchmarks.approaches.approach import ADAPTIVE, RULES, SINGLE, RunSetup
from benchmarks.approaches.estimate import Estimate, column
from benchmarks.approaches.pool import DataPaths, Task, carried_out
from benchmarks.approaches.provider import RecordedProvider
from benchmarks.approaches.sheet import RunSheet
from capability_router.drawing.frontier import FrontierPlot, frontiers
from capability_router.drawing.frontier import PlotPoint as Point

SHARES = (0.88, 0.91, 0.93, 0.95, 0.97, 0.99)
FEWER = 6
"""Seeds of the picture. Seeds differ by a quarter in cost, so all that it shows is of the same ones."""
KEPT = tuple(round(0.92 + 0.005 * step, 3) for step in range(13))
"""Parts of the single model's success at which it is shown what any prices come to."""
LINES = "Dotted: the target. Dashed: what no prices beat."
_FAR_BELOW = 0.05
"""A model whose score is lower than all others by more is told in words: the rest would have no room."""

Figure = Callable[[RunSheet], float]
Series = Mapping[str, Sequence[RunSheet]]


def drawn(place: DataPaths, stands: RunSetup, seeds: range, length_s: float, found: Series) -> str:
    """The SVG, of the first seeds; what it shows of the shares is printed too."""
    name, some = stands.workload.mix.name, seeds[:FEWER]
    found = {approach: sheets[: len(some)] for approach, sheets in found.items()}
    tasks = [Task(name, "list", f"share {s:g}", seed, length_s, share=s) for s in SHARES for seed in some]
    at: dict[str, list[RunSheet]] = {f"share {share:g}": [] for share in SHARES}
    for task, sheet in carried_out(place, tasks):
        at[task.approach].append(sheet)
    print("\n| quality_share | USD per 1k requests | P95, s | success of answered | / single model's | of all |")
    print("|---|---|---|---|---|---|")
    for share, sheets in at.items():
        print(f"| {share.removeprefix('share ')} | {_row(sheets, found[SINGLE])} |")
    models = [_model(stands, model, some, length_s) for model in stands.by_strength()]
    cost, late = _usd, lambda sheet: sheet.p95_s
    planes = [
        _plane("cost", at, found, cost, verdict.COST_OF_RULES)._replace(models=_shown(models, found)),
        _plane("P95", at, found, late, verdict.P95_OF_RULES)._replace(across="P95, seconds"),
    ]
    bounds = _bounds(stands, some, length_s, found)
    title = f"{name}, seeds {some.start}-{some.stop - 1}: success of answered requests and"
    note = f"Blue: adaptive at quality_share {SHARES[0]:g} to {SHARES[-1]:g}. "
    grey = "Grey: one model for all, never away. "
    return frontiers([
        plane._replace(title=f"{title} {plane.title}", note=f"{note}{grey if plane.models else ''}{LINES}", mixed=bound)
        for plane, bound in zip(planes, bounds, strict=True)
    ])  # fmt: skip


def _plane(title: str, at: Series, found: Series, across: Figure, most: float) -> FrontierPlot:
    """`most`: what is asked of `adaptive`, by the rules' figure."""
    line, here, _, others = _placed(at, found, across)
    single, rules = _success(found[SINGLE]).value, column(found[RULES], across).value
    shown = [*line, here, *others]
    least, top, asked = most * rules, max(p.score for p in shown), verdict.SUCCESS * single
    left = 0.9 * min(least, *(p.usd for p in shown))
    corner = [Point("", left, asked), Point("", least, asked), Point("", least, top)]
    return FrontierPlot(title, "", [], [], line, here, corner, others, router="adaptive", usually="as in the table")


def _shown(models: Sequence[Point], found: Series) -> list[Point]:
    least = min(_success(sheets).value for sheets in found.values())
    return [model for model in models if model.score >= least - _FAR_BELOW]


def _bounds(stands: RunSetup, seeds: range, length_s: float, found: Series) -> tuple[list[Point], list[Point]]:
    """The least cost and the least P95 of any prices, at each part of the single model's success."""
    with pretraining.read_once():
        single, rules = found[SINGLE], found[RULES]
        rows = reach.reached(stands, seeds, length_s, single, rules)
    usd, late = column(rules, _usd).value, column(rules, lambda s: s.p95_s).value
    score = _success(single).value
    cheap, soon = list[Point](), list[Point]()
    for kept in KEPT:
        enough = [row for row in rows if row.success >= kept]
        if enough:
            cheap.append(Point("", usd * min(row.cost for row in enough), score * kept))
            soon.append(Point("", late * min(row.p95 for row in enough), score * kept))
    return cheap, soon


def _row(sheets: Sequence[RunSheet], single: Sequence[RunSheet]) -> str:
    usd, late, all_ = column(sheets, _usd), column(sheets, lambda s: s.p95_s), column(sheets, lambda s: s.overall)
    beside = sum(s.success for s in sheets) / sum(s.success for s in single)
    told = usd.told(".2f"), late.told(".2f"), _success(sheets).told(".3f"), f"{beside:.3f}", all_.told(".3f")
    return " | ".join(told)


def _placed(at: Series, found: Series, across: Figure) -> tuple[list[Point], Point, list[Point], list[Point]]:
    """The line of the shares, `adaptive` as in the table, no rule, and all others."""
    line = [_point(name, sheets, across) for name, sheets in at.items()]
    others = [_point(n, sheets, across) for n, sheets in found.items() if n != ADAPTIVE]
    return line, _point("adaptive", found[ADAPTIVE], across), [], others


def _usd(sheet: RunSheet) -> float:
    return 1_000 * sheet.usd_per_request


def _success(sheets: Sequence[RunSheet]) -> Estimate:
    return column(sheets, lambda s: s.success)


def _point(name: str, sheets: Sequence[RunSheet], across: Figure) -> Point:
    score = _success(sheets)
    return Point(name, column(sheets, across).value, score.value, score.reach)


def _model(stands: RunSetup, model: str, seeds: range, length_s: float) -> Point:
    """What it would come to if it answered all requests that it holds."""
    provider, score, pico, answered = RecordedProvider(stands.members([model])[0], [], 0), 0.0, 0, 0
    for posed in (each for seed in seeds for each in stands.workload.posed(seed, length_s)):
        answer = posed.question.answers[model]
        entered = answer.entered + posed.extra
        if entered + answer.written <= provider.member.window:
            into, out = provider.rates(entered)
            pico += entered * into + answer.written * out
            score, answered = score + answer.score, answered + 1
    return Point(model, pico / 1e9 / max(answered, 1), score / max(answered, 1))
