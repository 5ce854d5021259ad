"""Cost and success, and P95 and success, of `adaptive` at other shares, beside the other approaches (SVG)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.approaches.approach import ADAPTIVE, SINGLE, Ground
from benchmarks.approaches.estimate import Estimate, column
from benchmarks.approaches.pool import Place, Task, carried_out
from benchmarks.approaches.provider import Recorded
from benchmarks.approaches.sheet import Sheet
from capability_router.drawing.frontier import Place as Point
from capability_router.drawing.frontier import Plane, frontiers

SHARES = (0.88, 0.91, 0.93, 0.95, 0.97, 0.99)
FEWER = 6
"""Seeds for each of these: they are many."""

Figure = Callable[[Sheet], float]
Series = Mapping[str, Sequence[Sheet]]


def drawn(place: Place, stands: Ground, seeds: range, length_s: float, found: Series) -> str:
    """The SVG; what it shows of the shares is printed too."""
    name, some = stands.workload.mix.name, seeds[:FEWER]
    tasks = [Task(name, "list", f"share {s:g}", seed, length_s, share=s) for s in SHARES for seed in some]
    at: dict[str, list[Sheet]] = {f"share {share:g}": [] for share in SHARES}
    for task, sheet in carried_out(place, tasks):
        at[task.approach].append(sheet)
    print("\n| quality_share | USD per 1k requests | P95, s | success of answered | / single model's | of all |")
    print("|---|---|---|---|---|---|")
    for share, sheets in at.items():
        print(f"| {share.removeprefix('share ')} | {_row(sheets, found[SINGLE])} |")
    note = f"Blue: adaptive at quality_share {SHARES[0]:g} to {SHARES[-1]:g} (seeds {some.start}-{some.stop - 1}). "
    note += "Crosses: the approaches of the table."
    title = f"{name}, seeds {seeds.start}-{seeds.stop - 1}: success of answered requests and"
    models = [_model(stands, model, some, length_s) for model in stands.by_strength()]
    cost, late = _usd, lambda sheet: sheet.p95_s
    planes = [
        Plane(f"{title} cost", f"{note} Grey: models if never away.", models, [], *_placed(at, found, cost)),
        Plane(f"{title} P95", note, [], [], *_placed(at, found, late), across="P95, seconds"),
    ]
    return frontiers([plane._replace(router="adaptive", usually="as in the table") for plane in planes])


def _row(sheets: Sequence[Sheet], single: Sequence[Sheet]) -> str:
    usd, late, all_ = column(sheets, _usd), column(sheets, lambda s: s.p95_s), column(sheets, lambda s: s.overall)
    beside = sum(s.success for s in sheets) / sum(s.success for s in single[: len(sheets)])
    told = usd.told(".2f"), late.told(".2f"), _success(sheets).told(".3f"), f"{beside:.3f}", all_.told(".3f")
    return " | ".join(told)


def _placed(at: Series, found: Series, across: Figure) -> tuple[list[Point], Point, list[Point], list[Point]]:
    """The line of the shares, `adaptive` as in the table, no rule, and all others."""
    line = [_point(name, sheets, across) for name, sheets in at.items()]
    others = [_point(n, sheets, across) for n, sheets in found.items() if n != ADAPTIVE]
    return line, _point("adaptive", found[ADAPTIVE], across), [], others


def _usd(sheet: Sheet) -> float:
    return 1_000 * sheet.usd_per_request


def _success(sheets: Sequence[Sheet]) -> Estimate:
    return column(sheets, lambda s: s.success)


def _point(name: str, sheets: Sequence[Sheet], across: Figure) -> Point:
    score = _success(sheets)
    return Point(name, column(sheets, across).value, score.value, score.reach)


def _model(stands: Ground, model: str, seeds: range, length_s: float) -> Point:
    """What it would come to if it answered all requests that it holds."""
    provider, score, pico, answered = Recorded(stands.members([model])[0], [], 0), 0.0, 0, 0
    for posed in (each for seed in seeds for each in stands.workload.posed(seed, length_s)):
        answer = posed.question.answers[model]
        entered = answer.entered + posed.extra
        if entered + answer.written <= provider.member.window:
            into, out = provider.rates(entered)
            pico += entered * into + answer.written * out
            score, answered = score + answer.score, answered + 1
    return Point(model, pico / 1e9 / max(answered, 1), score / max(answered, 1))
