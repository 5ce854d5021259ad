"""Whether the logs support routing, in words: if not, which model to use always, and why."""

from __future__ import annotations

from typing import NamedTuple

from capability_router.learning.comparison.panel import LEAST_ANSWERS, Panel, single_model_share, unpriced
from capability_router.learning.comparison.router_comparison import RouterComparison
from capability_router.learning.quality.model import LEAST

NO_OVERLAP = "no_overlap"
_ALONE = (
    "which model a request goes to is certain in these logs, so nothing tells what the others would have scored. "
    "Let chance decide for a share of the requests (`policy: {exploration: 0.05}`, or `rules` with a `share`), or "
    "score the answers of a shadow that is called and chooses another model, and train on that log"
)
_NOTHING = 1e-6  # points: what is less is rounding


class RoutingRecommendation(NamedTuple):
    """`routes`: it pays. `use`: the model to use always if not ("" = the logs show none). `reason`: a code."""

    routes: bool
    use: str
    reason: str
    why: str


def small_panel_recommendation(panel: Panel) -> RoutingRecommendation | None:
    """Of a panel that is too small to compare anything; None = it is not."""
    if panel.apart and not panel.models:
        return RoutingRecommendation(False, "", NO_OVERLAP, _ALONE)
    models = [*panel.models, *panel.few]
    if len(models) == 1:
        return RoutingRecommendation(False, models[0], "one_model", "the logs hold outcomes of no other model")
    if len(panel.rows) < LEAST:
        told = f"{len(panel.rows):,} scored requests; at least {LEAST} are needed"
        return RoutingRecommendation(False, _leader(panel), "too_few_outcomes", told)
    if len(panel.models) < 2:
        told = f"no other model has {LEAST_ANSWERS} scored answers"
        return RoutingRecommendation(False, panel.models[0] if panel.models else "", "too_few_outcomes", told)
    return None


def verdict(found: RouterComparison) -> RoutingRecommendation:
    """Routing pays where it gains more than one standard error over the best fixed model."""
    gain = found.figures["learned"]["gain"]
    told = f"{gain.shown(4, '+')} points against the best fixed model{_weighing(found)}"
    if gain.value > max(gain.error, _NOTHING):
        return RoutingRecommendation(True, "", "gain", told)
    return RoutingRecommendation(False, _enough(found), "no_gain", f"no gain beyond one standard error: {told}")


def _weighing(found: RouterComparison) -> str:
    if found.weighed:
        return " at each of six cost weights"
    return "; it is free, so costs are not weighed" if found.priced else f"; {without_costs(found.panel)}"


def without_costs(panel: Panel) -> str:
    """Why costs are not compared; "" where they are."""
    lacking = unpriced(panel)
    if not lacking:
        return ""
    if len(lacking) == len(panel.models) and not any(lacking.values()):
        return "no costs are logged"
    none = [model for model, count in lacking.items() if not count]
    few = [f"{model} ({count})" for model, count in lacking.items() if count]
    whys = [f"none is logged of {', '.join(none[:10])}"] if none else []
    whys += [f"fewer than {LEAST_ANSWERS} are logged of {', '.join(few[:10])}"] if few else []
    return f"costs are not compared, because {' and '.join(whys)}"


def _enough(found: RouterComparison) -> str:
    """The cheapest model whose score is within a standard error of the best one's."""
    if not found.priced:
        return found.best
    near = [p for p in found.models if found.behind[p.name].value <= found.behind[p.name].error]
    return min(near, key=lambda point: point.usd).name


def _leader(panel: Panel) -> str:
    """The model with the best mean of all outcomes; "" where there are none."""
    sums: dict[str, tuple[float, int]] = {}
    for row in panel.rows:
        for model, answer in row.answers.items():
            total, count = sums.get(model, (0.0, 0))
            sums[model] = (total + answer.score, count + 1)
    return max(sums, key=lambda model: sums[model][0] / sums[model][1], default="")


def remarks(panel: Panel) -> list[str]:
    """What a reader of the figures should know."""
    told = []
    compared = len(panel.models) > 1
    if panel.apart and compared:
        told.append(f"left out, because most requests could not go to them: {', '.join(panel.apart[:10])}")
    if panel.few:
        told.append(f"left out, with fewer than {LEAST_ANSWERS} outcomes: {', '.join(panel.few[:10])}")
    if panel.beside:
        why = "not every model was asked" if panel.whole else "no model with enough outcomes was asked"
        told.append(f"{panel.beside:,} further scored requests are not compared: {why}")
    if panel.alone:
        told.append(
            f"{panel.alone:,} further scored requests are not compared: which model they go to is certain, so nothing "
            "tells what another one would have scored"
        )
    if compared and (again := len(panel.rows) - len(set(panel.texts.tolist()))):
        told.append(
            f"{again:,} of the requests have the text of an earlier one: equal texts are held out together, and "
            "count once in standard errors"
        )
    if not panel.whole and compared:
        told.append(
            "not every model was asked for every request: what the others would have scored is estimated, from what "
            "was foreseen and from how often each model was asked for such requests"
        )
        if (alone := single_model_share(panel)) > 0.0:
            told.append(f"{alone:.0%} of the requests are of kinds for which only one model was ever asked")
    return told
