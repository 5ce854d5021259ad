"""Off-policy estimates of the mean score of other choices, from the scores of random choices.

A log with exploration has the probability of each model to be first. If the new choice of a request is the one that was
made, the request has the weight 1 / probability, else 0. So the weighted mean estimates the mean score of the new
choices:

    IPS              mean of weight * score
    self-normalised  the same over the mean weight; less scattered, and slightly off in small logs
    doubly robust    mean of predicted quality + weight * (score - predicted quality): right if the chances are, and
                     less scattered the better the predictions were, which were made before the score was there

A request whose new choice had the probability 0 is left out. Requests of a session count as one observation
(stats/interval.py). The degrees of freedom are the effective number of changed requests whose new choice was made,
because these cause the variance. Intervals are widened by one success and one failure of usual weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from capability_router.stats.interval import mean, quantile

LEAST, LEAST_MET = 20, 10
"""The least effective number of sessions for an interval: in all, and with a changed choice that was made."""
FEW_MOVED = 0.2
"""Up to this share of changed requests, bounds are given if too few changed choices were made."""


ESTIMATED = ("IPS", "self-normalised", "doubly robust", "difference")
"""The names of the estimates; "logged" is the mean score in the log."""


class ScoredChoice(NamedTuple):
    """A scored request. `weight`: 0 = the new choice is another than was made. `moved`: it is not the log's own pick.

    `new`, `old`: predicted quality of the new choice and of the one that was made; None = none was.
    """

    session: str
    score: float
    weight: float
    moved: bool
    new: float | None
    old: float | None


class Estimate(NamedTuple):
    """`low` to `high` holds the true value with 95 % confidence; None = too few to say."""

    name: str
    value: float
    low: float | None
    high: float | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        return {"name": self.name, "value": self.value, "interval": None if self.low is None else [self.low, self.high]}


class Estimates(NamedTuple):
    """Scores of 0 to 1. `scored`: requests with a score; of them `supported`: whose new choice had a chance.

    `met`: supported ones whose choice changed and was made, by lot; `effective`: how many sessions of equal weight all
    of the weights are worth, `effective_met` those of the met. `why`: what the log does not support, "" = it does.
    `bounded`: too few were met, and the intervals allow for changed requests to be worth anything from 0 to 1.
    """

    scored: int
    supported: int
    moved: int
    met: int
    effective: float
    effective_met: float
    most_weight: float
    lines: tuple[Estimate, ...]
    why: str
    bounded: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        told = self._asdict()
        return {**told, "lines": [line.to_dict() for line in self.lines], "supported_by_log": not self.why}


def estimates(samples: Sequence[ScoredChoice | None]) -> Estimates:
    """Of scored requests; None = the new choice had no chance, or there is none."""
    known = [each for each in samples if each is not None]
    moved = [each for each in known if each.moved]
    effective, effective_met = _effective(known), _effective(moved)
    bounded = 0 < len(moved) <= FEW_MOVED * len(known) and effective_met < LEAST_MET
    stayed = [each for each in known if not each.moved]
    bounded = bounded and _effective(stayed) >= LEAST
    why = "" if bounded else _unsupported(samples, known, moved, effective, effective_met)
    made = _bounded(known, _effective(stayed)) if bounded else _told(known, effective, effective_met, why)
    return Estimates(
        len(samples), len(known), len(moved), sum(each.weight > 0.0 for each in moved), effective, effective_met,
        max((each.weight for each in known), default=0.0), tuple(made), why, bounded,
    )  # fmt: skip


def _told(known: Sequence[ScoredChoice], effective: float, met: float, why: str) -> list[Estimate]:
    moved = any(each.moved for each in known)
    sure = (not why or not moved) and effective >= LEAST
    freedom = (met if moved else effective) - 1.0
    return _lines(known, freedom, sure=sure) if any(each.weight for each in known) else []


def _unsupported(
    samples: Sequence[ScoredChoice | None],
    known: Sequence[ScoredChoice],
    moved: Sequence[ScoredChoice],
    effective: float,
    met: float,
) -> str:
    if not samples:
        return "no request in the log has a score (feedback or an evaluator's)"
    if not known:
        return "the log gave none of the new choices a chance: it explored nothing that could be met"
    if not moved:
        if len(known) < len(samples):
            return "where the choice changed, the log gave the new one no chance: it did not explore, or not there"
        return (
            "no scored request changes its model" if effective >= LEAST else _few(effective, LEAST, "scored sessions")
        )
    if met < LEAST_MET:
        return _few(met, LEAST_MET, "changed choices that the log made by lot and that were scored")
    return _few(effective, LEAST, "scored sessions") if effective < LEAST else ""


def _few(found: float, wanted: int, of: str) -> str:
    return f"too few {of}: worth {found:.1f}, at least {wanted} are needed for an interval"


def _effective(samples: Iterable[ScoredChoice]) -> float:
    """How many sessions of equal weight these are worth (Kish)."""
    weights: dict[str, float] = {}
    for each in samples:
        weights[each.session] = weights.get(each.session, 0.0) + each.weight
    squares = math.fsum(weight * weight for weight in weights.values())
    return math.fsum(weights.values()) ** 2 / squares if squares else 0.0


Figure = Callable[[ScoredChoice], float]


def _lines(samples: Sequence[ScoredChoice], freedom: float, *, sure: bool) -> list[Estimate]:
    made = _Made(samples, sure=sure)
    total = math.fsum(each.weight for each in samples)
    logged = made.line("logged", lambda each: each.score, made.sessions - 1.0, widened=0.0)
    lines = [logged, made.line("IPS", lambda each: each.weight * each.score, freedom, widened=0.0)]
    common = math.fsum(each.weight * each.score for each in samples) / total
    usual = total / len(samples)
    apart = made.line(
        "self-normalised", lambda each: each.weight * (each.score - common) / usual, freedom,
        widened=made.typical / usual, about=common,
    )  # fmt: skip
    lines.append(apart)
    if all(each.new is not None and each.old is not None for each in samples):
        lines.append(made.line("doubly robust", _robust, freedom, widened=made.typical))
        lines.append(
            made.line("difference", lambda each: _robust(each) - each.score, freedom, widened=made.typical, within=-1.0)
        )
    return lines


def _bounded(samples: Sequence[ScoredChoice], stayed: float) -> list[Estimate]:
    """The self-normalised one has no such bounds that are simple, and is left out."""
    made = _Made(samples, sure=True)
    widened = _Made([each for each in samples if not each.moved], sure=True).typical
    lines = [made.line("logged", lambda each: each.score, made.sessions - 1.0, widened=0.0)]
    figures: list[tuple[str, Figure, float]] = [("IPS", lambda each: each.weight * each.score, 0.0)]
    if all(each.new is not None and each.old is not None for each in samples):
        figures.append(("doubly robust", _robust, widened))
    for name, figure, extra in figures:
        lines.append(made.between(name, figure, stayed - 1.0, extra, lambda _: 0.0))
    if len(figures) > 1:
        apart = made.between(
            "difference", lambda each: _robust(each) - each.score, stayed - 1.0, widened, lambda each: -each.score
        )  # fmt: skip
        lines.append(apart)
    return lines


def _robust(each: ScoredChoice) -> float:
    return (each.new or 0.0) + each.weight * (each.score - (each.old or 0.0))


class _Made:
    """Lines of one set of samples. `typical`: the weight that the average of what is weighted has."""

    def __init__(self, samples: Sequence[ScoredChoice], *, sure: bool) -> None:
        self._samples, self._sure = samples, sure
        total = math.fsum(each.weight for each in samples)
        self.typical = math.fsum(each.weight**2 for each in samples) / total
        self.sessions = len({each.session for each in samples})
        self._score = math.fsum(each.weight * each.score for each in samples) / total

    def line(
        self, name: str, figure: Figure, freedom: float, *, widened: float, about: float = 0.0,
        within: float = 0.0,
    ) -> Estimate:  # fmt: skip
        """The mean of a figure, `about` added; `widened`: by a success and a failure of this weight."""
        values = [(each.session, figure(each)) for each in self._samples]
        plain = mean(values)
        assert plain is not None  # noqa: S101 - there are samples
        each, share = widened * self.sessions / len(values), min(max(self._score, 0.0), 1.0)
        extra = (plain.value + each * (1.0 - share), plain.value - each * share) if widened else ()
        found, value = mean(values, extra) or plain, plain.value + about
        if not self._sure:
            return Estimate(name, value, None, None)
        reach = quantile(max(freedom, 1.0)) * found.error
        return Estimate(name, value, max(value - reach, within), min(value + reach, 1.0))

    def between(self, name: str, figure: Figure, freedom: float, widened: float, least: Figure) -> Estimate:
        """The same, where the figure of a changed request is anything from its least to 1 more."""
        whole = self.line(name, figure, freedom, widened=widened, within=-1.0)
        low, high = (
            self.line(name, _with(figure, least, more), freedom, widened=widened, within=-1.0) for more in (0.0, 1.0)
        )
        bottom = low.low if low.low is None or name == "difference" else max(low.low, 0.0)
        value = min(max(whole.value, low.value), high.value)
        return Estimate(name, value, bottom, high.high)


def _with(figure: Figure, least: Figure, more: float) -> Figure:
    return lambda each: least(each) + more if each.moved else figure(each)
