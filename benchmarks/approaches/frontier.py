"""Cost and success of `adaptive` at other quality targets, beside single models and the other approaches (SVG)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.approaches.approach import ADAPTIVE, AIM, SINGLE, UNSET, Ground
from benchmarks.approaches.estimate import Estimate, column
from benchmarks.approaches.pool import Place, Task, carried_out
from benchmarks.approaches.provider import Recorded
from benchmarks.approaches.sheet import Sheet
from capability_router.drawing.frontier import Place as Point
from capability_router.drawing.frontier import Plane, frontiers

AIMS = (0.93, 0.95, 0.96, 0.97, 0.99, 1.0)
FEWER = 6
"""Seeds for each of these: they are many."""


def drawn(
    place: Place, stands: Ground, seeds: range, length_s: float, found: Mapping[str, Sequence[Sheet]]
) -> str:  # fmt: skip
    """The SVG; what it shows of the targets is printed too."""
    name, some = stands.workload.mix.name, seeds[:FEWER]
    tasks = [Task(name, "list", f"{aim:g}", seed, length_s, aim=aim) for aim in AIMS for seed in some]
    at: dict[str, list[Sheet]] = {f"{aim:g}": [] for aim in AIMS}
    for task, sheet in carried_out(place, tasks):
        at[task.approach].append(sheet)
    at[f"{AIM:g}"] = list(found[ADAPTIVE][: len(some)])
    ranked = [_point(f"target {aim}", sheets) for aim, sheets in sorted(at.items(), key=lambda item: float(item[0]))]
    print("\n| quality target / strongest's | USD per 1k requests | success of all | P95, s |\n|---|---|---|---|")
    for aim, sheets in sorted(at.items(), key=lambda item: float(item[0])):
        usd, p95 = column(sheets, lambda s: 1_000 * s.usd_per_request), column(sheets, lambda s: s.p95_s)
        print(f"| {aim} | {usd.told('.2f')} | {_overall(sheets).told('.3f')} | {p95.told('.2f')} |")
    others = [_point(n, s) for n, s in found.items() if n not in (ADAPTIVE, UNSET, SINGLE)]
    single = _point("single model, as run", found[SINGLE])
    note = f"Blue line: adaptive at quality targets {AIMS[0]:g} to {AIMS[-1]:g} of the strongest's (seeds {some.start}-"
    note += f"{some.stop - 1}). Grey: models if never away. Crosses: other approaches."
    plane = Plane(
        f"{name}: success of all requests, seeds {seeds.start}-{seeds.stop - 1}", note,
        list(_models(stands, some, length_s)), [], ranked,
        _point("adaptive, no settings", found[UNSET]), marks=[single, *others],
    )  # fmt: skip
    return frontiers([plane])


def _overall(sheets: Sequence[Sheet]) -> Estimate:
    return column(sheets, lambda s: s.overall)


def _point(name: str, sheets: Sequence[Sheet]) -> Point:
    score = _overall(sheets)
    return Point(name, column(sheets, lambda s: 1_000 * s.usd_per_request).value, score.value, score.reach)


def _models(stands: Ground, seeds: range, length_s: float) -> Iterator[Point]:
    """What each would come to if it answered all requests that it holds."""
    asked = [posed for seed in seeds for posed in stands.workload.posed(seed, length_s)]
    for member in stands.members(stands.by_strength()):
        provider, score, pico, answered = Recorded(member, [], 0), 0.0, 0, 0
        for posed in asked:
            answer = posed.question.answers[member.name]
            entered = answer.entered + posed.extra
            if entered + answer.written <= member.window:
                into, out = provider.rates(entered)
                pico += entered * into + answer.written * out
                score, answered = score + answer.score, answered + 1
        if answered:
            yield Point(member.name, pico / 1e9 / answered, score / len(asked))
