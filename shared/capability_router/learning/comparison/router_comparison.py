"""The learned model against what needs no learning, on one panel, each figure with its standard error.

Where every model was asked, scores are as they were. Where one was, the others' are what was foreseen, and that of the
asked one is corrected by what was not foreseen, divided by the chance that it was asked (doubly robust): right on
average if either the predictions or the chances are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from capability_router.learning.comparison import curves
from capability_router.learning.comparison.held_out import HeldOut, Tick
from capability_router.learning.comparison.panel import Matrix, Panel, chances, unpriced
from capability_router.learning.quality.repeats import Groups

WEIGHTS = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Cost weights at which routers are compared: quality points for what the best model's mean call costs."""
USUAL = 0.25
DRAWS = 200
_SETTINGS = 120
_ROUNDING = 1e-9  # a smaller error is none
_CLEAR = 2.0  # standard errors of an estimated lead: parts of a smaller one are noise divided by noise


class MetricEstimate(NamedTuple):
    """A figure and its standard error; NaN = there is none."""

    value: float
    error: float

    def shown(self, least: int, sign: str = "") -> str:
        """The figure ± its error, in at least so many decimals. A smaller error is shown by its first digit."""
        small = _ROUNDING < self.error < 0.5 * 10.0**-least
        decimals = -int(np.floor(np.log10(self.error))) if small else least
        value = round(self.value, decimals) + 0.0  # no -0.0
        return f"{value:{sign}.{decimals}f} ± {self.error:.{decimals}f}"


class RoutingStrategy(NamedTuple):
    """A router: what it came to per setting (settings, rows), and at WEIGHTS; `signal` orders rows for the best model.

    One with a single model has neither settings nor a signal.
    """

    name: str
    detail: str
    scores: Matrix | None
    usd: Matrix | None
    at_weights: tuple[Matrix, Matrix]
    signal: Matrix | None


class CostQualityPoint(NamedTuple):
    """A place on the plane of cost and quality: USD per request, mean score."""

    name: str
    usd: float
    score: float


@dataclass(frozen=True)
class RouterComparison:
    """`figures`: router -> name of the figure -> MetricEstimate; the rest is what a chart shows.

    `weighed`: costs count at all WEIGHTS. They don't where none are logged, nor where the best model is free, as the
    weights then have no unit. `best`, `cheapest`: models. `errors`: of their scores. `mixed`: corners of what mixing
    single models reaches, `learned` those of the learned router, which is at `usual` with the usual cost weight.
    `behind`: by model, how far its score is below the best one's.
    """

    panel: Panel
    priced: bool
    weighed: bool
    best: str
    cheapest: str
    details: Mapping[str, str]
    figures: Mapping[str, Mapping[str, MetricEstimate]]
    models: tuple[CostQualityPoint, ...]
    errors: tuple[float, ...]
    mixed: tuple[CostQualityPoint, ...]
    learned: tuple[CostQualityPoint, ...]
    usual: CostQualityPoint
    behind: Mapping[str, MetricEstimate]


def contest(panel: Panel, foreseen: HeldOut, draws: int = DRAWS, tick: Tick = lambda _: None) -> RouterComparison:
    """Of a panel of at least two models. `tick` is called with the draws that are done."""
    ground = _PanelEvaluation(panel, foreseen)
    entries = list(ground.entries())
    whole, texts = np.full(len(panel.rows), 1.0 / len(panel.rows)), ground.texts
    dice = np.random.default_rng(0)
    again: dict[str, list[dict[str, float]]] = {entry.name: [] for entry in entries}
    for _ in range(draws):
        weights = _draw(dice, texts)
        for entry in entries:
            again[entry.name].append(ground.figures(entry, weights))
        tick(1)
    figures = {}
    for entry in entries:
        values, others = ground.figures(entry, whole), again[entry.name]
        figures[entry.name] = {
            n: MetricEstimate(v, float(np.nanstd([a[n] for a in others])) if v == v else v) for n, v in values.items()
        }
    return ground.told(entries, figures)


def _draw(dice: np.random.Generator, texts: Groups) -> Matrix:
    """Weights of the rows; those of one text are drawn together, because they are no further proof."""
    size = int(texts.max()) + 1
    drawn = np.bincount(dice.integers(0, size, size), minlength=size)[texts]
    return np.asarray(drawn / drawn.sum())


class _PanelEvaluation:
    def __init__(self, panel: Panel, foreseen: HeldOut) -> None:
        self.panel, self.foreseen, self.texts = panel, foreseen, panel.texts
        self.root = (int(self.texts.max()) + 1) ** 0.5
        self.score = _robust(panel.scores, foreseen.quality, panel)
        self.priced = not unpriced(panel)
        self.guess = _foreseen_usd(panel, foreseen) if self.priced else np.zeros_like(self.score)
        self.usd = _robust(panel.usd, self.guess, panel) if self.priced else self.guess
        means, costs = self.score.mean(0), self.usd.mean(0)
        self.best = int(means.argmax())
        others = [m for m in np.argsort(costs if self.priced else means, kind="stable") if m != self.best]
        self.weak, self.cheapest = int(others[0]), int(costs.argmin() if self.priced else self.best)
        usual = costs[self.best]
        lead = self.score[:, self.best] - self.score[:, self.weak]
        self.leads = panel.whole or bool(lead.mean() > _CLEAR * lead.std() / self.root)
        self.weighed = self.priced and bool(usual > 0.0)
        self.prices = [w / usual for w in WEIGHTS] if self.weighed else [0.0]
        self.fixed = [int((means - price * costs).argmax()) for price in self.prices]
        oracle = np.array([(self.score - price * self.usd).argmax(1) for price in np.logspace(-2, 7, 91)])
        self._oracle = self._of_picks(oracle) if panel.whole else None

    def _of_picks(self, picks: Matrix) -> tuple[Matrix, Matrix]:
        rows = np.arange(len(self.score))
        return np.array([self.score[rows, p] for p in picks]), np.array([self.usd[rows, p] for p in picks])

    def entries(self) -> Iterator[RoutingStrategy]:
        """The learned router first."""
        quality, usd, models = self.foreseen.quality, self.guess, self.panel.models
        span = max(float(np.ptp(usd)), 1e-12)
        every = [0.0, *(np.logspace(-4, 5, _SETTINGS) / span)] if self.priced else [0.0]
        picks, usual = ([(quality - p * usd).argmax(1) for p in prices] for prices in (every, self.prices))
        signal = quality[:, self.best] - quality[:, self.weak]
        yield RoutingStrategy("learned", "", *self._of_picks(np.array(picks)), self._of_picks(np.array(usual)), signal)
        yield self._single("best fixed", self.best)
        if self.priced:
            yield self._single("cheapest", self.cheapest)
        yield self._random(models)
        yield self._by_length()

    def _single(self, name: str, model: int) -> RoutingStrategy:
        picks = np.full((len(self.prices), len(self.score)), model)
        return RoutingStrategy(name, self.panel.models[model], None, None, self._of_picks(picks), None)

    def _random(self, models: list[str]) -> RoutingStrategy:
        scores, usd = (np.tile(m.mean(1), (len(self.prices), 1)) for m in (self.score, self.usd))
        detail = f"each of {len(models)} models alike"
        return RoutingStrategy("random", detail, scores[:1], usd[:1], (scores, usd), np.zeros(len(self.score)))

    def _by_length(self) -> RoutingStrategy:
        """The longer prompts go to the best model, the others to the weak one; the share is the best in hindsight."""
        signal = np.array([row.sketch.surface[0] for row in self.panel.rows], np.float64)
        place = np.argsort(np.argsort(-signal, kind="stable"), kind="stable") / len(signal)
        picks = np.array([np.where(place < share, self.best, self.weak) for share in curves.SHARES])
        scores, usd = self._of_picks(picks)
        worth = [scores.mean(1) - price * usd.mean(1) for price in self.prices]
        chosen = [int(w.argmax()) for w in worth]
        detail = f"longer prompts to {self.panel.models[self.best]}, others to {self.panel.models[self.weak]}"
        return RoutingStrategy("length", detail, scores, usd, (scores[chosen], usd[chosen]), signal)

    def figures(self, entry: RoutingStrategy, weights: Matrix) -> dict[str, float]:
        """By name: score and usd at the usual cost weight, apgr, cpt50, cpt80, gap, saved, gain, ece."""
        score, usd = (each @ weights for each in entry.at_weights)
        usual = WEIGHTS.index(USUAL) if self.weighed else 0
        found = {"score": float(score[usual]), "usd": float(usd[usual]) if self.priced else float("nan")}
        fixed = zip(self.prices, self.fixed, strict=True)
        bar = np.array([float(self._worth(m, price) @ weights) for price, m in fixed])
        found["gain"] = float((score - np.array(self.prices) * usd - bar).mean())
        if entry.signal is not None and self.leads:
            lead = self.score[:, self.best] - self.score[:, self.weak]
            kept = curves.pgr_curve(entry.signal, lead, weights)
            found |= {
                "apgr": curves.average_pgr(kept),
                "cpt50": curves.call_performance_threshold(kept, 0.5),
                "cpt80": curves.call_performance_threshold(kept, 0.8),
            }
        if entry.scores is not None and entry.usd is not None and self.priced:
            found |= self._on_plane(entry.scores @ weights, entry.usd @ weights, weights)
        if entry.name == "learned":
            there = ~np.isnan(self.panel.scores)
            each = np.repeat(weights, there.sum(1))
            found["ece"] = curves.miscalibration(self.foreseen.quality[there], self.panel.scores[there], each)
        return found

    def _worth(self, model: int, price: float) -> Matrix:
        return self.score[:, model] - price * self.usd[:, model]

    def _on_plane(self, score: Matrix, usd: Matrix, weights: Matrix) -> dict[str, float]:
        """Anybody may use the cheapest or the best model always, so every hull has these two."""
        single, costs = weights @ self.score, weights @ self.usd
        ends = [self.cheapest, self.best]
        own = curves.hull(np.append(usd, costs[ends]), np.append(score, single[ends]))
        saved = (
            1.0 - curves.usd_for(own, single[self.best]) / costs[self.best] if costs[self.best] > 0 else float("nan")
        )
        found = {"saved": saved}
        if self._oracle is None:
            return found
        told, paid = (each @ weights for each in self._oracle)
        oracle = curves.hull(np.append(paid, costs[ends]), np.append(told, single[ends]))
        span = (costs[self.cheapest], costs[self.best])
        areas = [curves.mean_score(corners, *span) for corners in (own, curves.hull(costs, single), oracle)]
        room = areas[2] - areas[1]
        return {**found, "gap": (areas[0] - areas[1]) / room if room > 1e-9 else float("nan")}

    def told(
        self, entries: list[RoutingStrategy], figures: Mapping[str, Mapping[str, MetricEstimate]]
    ) -> RouterComparison:
        """The whole contest."""
        learned, models = entries[0], self.panel.models
        means, costs, root = self.score.mean(0), self.usd.mean(0), self.root
        assert learned.scores is not None  # noqa: S101 - it is the one with settings
        assert learned.usd is not None  # noqa: S101 - as above
        curve = curves.hull(learned.usd.mean(1), learned.scores.mean(1))
        short = self.score[:, [self.best]] - self.score
        own = figures["learned"]
        return RouterComparison(
            self.panel, self.priced, self.weighed, models[self.best], models[self.cheapest] if self.priced else "",
            {entry.name: entry.detail for entry in entries}, figures,
            tuple(CostQualityPoint(*told) for told in zip(models, costs.tolist(), means.tolist(), strict=True)),
            tuple((self.score.std(0) / root).tolist()),
            tuple(CostQualityPoint("", usd, score) for usd, score in curves.hull(costs, means).tolist()),
            tuple(CostQualityPoint("learned", usd, score) for usd, score in curve.tolist()),
            CostQualityPoint("learned", own["usd"].value, own["score"].value),
            {m: MetricEstimate(float(s.mean()), float(s.std() / root)) for m, s in zip(models, short.T, strict=True)},
        )  # fmt: skip


def _foreseen_usd(panel: Panel, foreseen: HeldOut) -> Matrix:
    """With the mean cost of a model in a fold which holds all its costs: a NaN would be the largest of any figures."""
    return np.where(np.isnan(foreseen.usd), np.nanmean(panel.usd, 0), foreseen.usd)


def _robust(seen: Matrix, foreseen: Matrix, panel: Panel) -> Matrix:
    """What was seen; where something is missing, doubly robust."""
    there = ~np.isnan(seen)
    if there.all():
        return seen
    asked = ~np.isnan(panel.scores)
    chance = chances(panel) * (there.sum(0) / np.maximum(asked.sum(0), 1))
    return np.asarray(foreseen + np.where(there, (np.where(there, seen, 0.0) - foreseen) / chance, 0.0))
