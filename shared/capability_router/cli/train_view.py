"""What `train` found, as tables, as JSON and as a drawing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click

from capability_router.cli import terminal
from capability_router.drawing.frontier import FrontierPlot, PlotPoint, frontiers
from capability_router.drawing.table import Table, printable
from capability_router.learning.comparison.panel import Panel
from capability_router.learning.comparison.recommendation import NO_OVERLAP, RoutingRecommendation, remarks
from capability_router.learning.comparison.router_comparison import (
    USUAL,
    CostQualityPoint,
    MetricEstimate,
    RouterComparison,
)
from capability_router.learning.implicit_signs import ALL
from capability_router.learning.logs.training_log import TrainingLog

FIGURES = {
    "score": ("score", f"mean score at the usual cost weight ({USUAL:g})"),
    "usd": ("USD per 1,000", "requests, likewise"),
    "apgr": ("APGR", "part of the best model's lead over the cheapest that is kept, over all shares of calls to it"),
    "cpt50": ("CPT 50 %", "least share of calls to the best model that keeps half of its lead"),
    "cpt80": ("CPT 80 %", "likewise, four fifths"),
    "gap": ("gap closed", "from the best mix of models that looks at no request, to knowing all outcomes beforehand"),
    "saved": ("cost saved", "at the best fixed model's score"),
    "gain": ("gain", "score less weighted cost, above the model that is best at that weight; mean of weights 0 to 1"),
    "ece": ("ECE", "how far predicted quality is from what came of it, on average"),
}
"""Figure -> its name in the table, what it means."""
_PER = 1_000.0
_NONE = "–"
_SHOWN = 30  # groups
_SPARE = ("random", "length")  # columns, where there is no room


@dataclass(frozen=True)
class TrainingResult:
    """A group, the contest in it (None = too little for one), and the verdict."""

    panel: Panel
    contest: RouterComparison | None
    verdict: RoutingRecommendation


class SavedState(NamedTuple):
    """A state that was asked for; `written`: it was, from so many requests."""

    path: Path
    requests: int
    written: bool


def tell(
    log: TrainingLog, found: list[TrainingResult], states: list[SavedState], *, together: bool, as_json: bool
) -> None:
    """Print everything. `together`: groups that have little in common were learned from at once."""
    if as_json:
        click.echo(json.dumps(_json(log, found, states), indent=2))
        return
    _groups(found)
    if together:
        terminal.tell("note: the groups are learned from together, as one state; --each learns from each by itself")
    if log.beyond:
        many = len(log.rows) + log.beyond
        terminal.tell(
            f"note: a sample of {len(log.rows):,} of about {many:,} scored requests, drawn by their ids, the same each "
            "time; --sample takes more of them"
        )
    if log.signs:
        answers, lost = (sum(each) for each in zip(*log.signs.values(), strict=True))
        terminal.tell(
            f"note: implicit signs, worth {lost:,.4g} lost answers of {answers:,.0f}, are no scores: they move what is "
            f"believed of a model before its scores, by {ALL:g} at most"
        )
    if not log.rows:
        click.echo(
            "Nothing to learn from: the logs hold no request with a model and a score (router.feedback gives one)."
        )
    for reason, count in log.omissions:
        click.echo(f"left out: {count:,} × {printable(reason)}", err=True)
    for state in states:
        click.echo(_kept(state))


def _kept(state: SavedState) -> str:
    path = state.path
    if state.written:
        return f"{path}: learned from {state.requests:,} requests; in router.yaml: policy: {{state: {path}}}"
    if not state.requests:
        return f"{path} is not written: there is nothing to learn from"
    return f"{path} is not written: the logs don't support routing; --anyway writes it nonetheless"


def _groups(found: list[TrainingResult]) -> None:
    for finding in found[:_SHOWN]:
        _group(finding)
    if len(found) > _SHOWN:
        click.echo(f"and {len(found) - _SHOWN:,} smaller groups (--json has them all)\n")
    if any(finding.contest for finding in found):
        _legend()


def _group(finding: TrainingResult) -> None:
    panel, contest = finding.panel, finding.contest
    click.echo(f"{printable(panel.name) or 'all requests'}: {len(panel.rows):,} scored requests, {_models(panel)}")
    if contest is not None:
        terminal.show(_table(contest))
        for name, detail in contest.details.items():
            if detail:
                terminal.tell(f"{name}: {detail}")
    for remark in remarks(panel):
        terminal.tell(f"note: {remark}")
    terminal.tell(f"=> {told(finding.verdict)}")
    click.echo()


def _models(panel: Panel) -> str:
    if len(panel.models) > 1:
        asked = "each asked for every request" if panel.whole else "asked for some requests each"
        return f"{len(panel.models)} models, {asked}"
    if panel.apart:
        return f"{len(panel.apart)} models, each asked for requests of its own"
    return "one model or none with enough outcomes"


def told(verdict: RoutingRecommendation) -> str:
    """The verdict in a sentence."""
    if verdict.routes:
        return f"Routing pays: {verdict.why}."
    if verdict.reason == NO_OVERLAP:
        return f"Nothing can be estimated: {verdict.why}."
    if not verdict.use:
        return f"The logs don't support routing: {verdict.why}."
    return f"Use {printable(verdict.use)} always: {verdict.why}."


def _table(contest: RouterComparison) -> Table:
    names = list(contest.figures)
    table = Table("", *names, right=range(1, len(names) + 1), spare=[names.index(n) + 1 for n in _SPARE])
    for key, (label, _) in FIGURES.items():
        cells = [_cell(key, contest.figures[name].get(key)) for name in names]
        if any(cell != _NONE for cell in cells):
            table.add(label, *cells)
    return table


def _cell(key: str, figure: MetricEstimate | None) -> str:
    if figure is None or figure.value != figure.value:
        return _NONE
    if key == "usd":
        return _dollars(_PER * figure.value, _PER * figure.error)
    if key == "gain":
        return figure.shown(4, "+")
    return figure.shown(3) if figure.error else f"{figure.value:.3f}"


def _dollars(value: float, error: float) -> str:
    """Four figures of the value, and the error as far as it shows beside them: 1 ± 3.3e-16 is 1 without an error."""
    told = f"{value:.4g}"
    return f"{told} ± {error:.2g}" if error >= abs(value) * 5e-5 else told


def _legend() -> None:
    wide = max(len(label) for label, _ in FIGURES.values())
    for label, meaning in FIGURES.values():
        click.echo(f"{label.ljust(wide)}  {meaning}")
    click.echo("± is a standard error over requests; the learned router is judged on requests it has not seen.\n")


def _json(log: TrainingLog, found: list[TrainingResult], states: list[SavedState]) -> dict[str, Any]:
    return {
        "requests": len(log.rows),
        "beyond_the_sample": log.beyond,
        "left_out": [{"reason": reason, "count": count} for reason, count in log.omissions],
        "routes": any(finding.verdict.routes for finding in found),
        "groups": [_group_json(finding) for finding in found],
        "states": [str(state.path) for state in states if state.written],
    }


def _group_json(finding: TrainingResult) -> dict[str, Any]:
    panel, contest = finding.panel, finding.contest
    told = {
        "group": panel.name, "requests": len(panel.rows), "models": panel.models,
        "left_out": [*panel.few, *panel.apart],
        "every_model_asked": panel.whole, "verdict": finding.verdict._asdict(), "notes": remarks(panel),
    }  # fmt: skip
    if contest is None:
        return {**told, "figures": {}}
    single = [
        {"model": point.name, "usd": point.usd if contest.priced else None, "score": point.score, "error": error}
        for point, error in zip(contest.models, contest.errors, strict=True)
    ]
    return {
        **told,
        "best_fixed": contest.best,
        "cheapest": contest.cheapest or None,
        "figures": {name: _figures(figures) for name, figures in contest.figures.items()},
        "single": single,
    }


def _figures(figures: Mapping[str, MetricEstimate]) -> dict[str, Any]:
    known = {name: figure for name, figure in figures.items() if figure.value == figure.value}
    return {name: {"value": f.value, "error": f.error if f.error == f.error else None} for name, f in known.items()}


def drawn(found: Iterable[TrainingResult]) -> str:
    """The SVG of all groups whose costs are known; "" where there is none."""
    planes = [_plane(f.contest, f) for f in found if f.contest is not None and f.contest.priced]
    return frontiers(planes) if planes else ""


def _plane(contest: RouterComparison, finding: TrainingResult) -> FrontierPlot:
    title = finding.panel.name or "All requests"
    note = f"{len(finding.panel.rows):,} requests. Blue: learned, cross-validated. Dashed: mixing single models. "
    note += "Routing pays." if finding.verdict.routes else f"Use {finding.verdict.use} always."
    models = [_place(p)._replace(error=e) for p, e in zip(contest.models, contest.errors, strict=True)]
    mixed, learned = ([_place(point) for point in line] for line in (contest.mixed, contest.learned))
    return FrontierPlot(title, note, models, mixed, learned, _place(contest.usual))


def _place(point: CostQualityPoint) -> PlotPoint:
    return PlotPoint(point.name, _PER * point.usd, point.score)
