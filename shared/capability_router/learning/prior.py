"""What is believed of a model's quality: its card, else its price, corrected by scored outcomes.

A hard request widens the gap between strong and weak models: q = level - 2 * hardness * (1 - strength). An easy one
narrows the gap without reversing it: q = level + easiness * (best level - level), up to two thirds of the way.
`strength` is the model's rank among the registered ones, by stated quality, else by price (expensive models are
stronger more often than not). The level starts at the card's and moves with feedback as if the card were worth 20
scored outcomes; old outcomes fade.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from capability_router.concurrency.latch import Latch
from capability_router.features import MOST_HARDNESS
from capability_router.frozen_value import fast_frozen

UNSTATED = 0.6
CARD_WEIGHT = 20.0  # a card counts as this many scored outcomes
PRICE_WEIGHT = 5.0  # and a guess from the price as this many, for the learned model
_TASKS_KEPT = 1_000
FADE = 0.995  # per outcome of the same model and task: half-life about 140 outcomes
_GUESSED = 0.01, 0.99  # the limits of what the hardness moves a level to
_NARROWED = 2 / 3  # of the gap to the best model, at the easiest
_WIDENED = 2.0  # times the hardness, for the weakest model
_SPREAD = 0.3  # from the cheapest to the dearest model when only prices are known


class StatedQuality(NamedTuple):
    """What a card states: quality by task ("default" for the rest), picodollars for a typical call."""

    id: str
    quality: Mapping[str, float]
    typical_cost: int | None


@fast_frozen
@dataclass(frozen=True, slots=True)
class Belief:
    """Predicted chance of success = level + slope * hardness; the slope depends on the sign of the hardness."""

    level: float
    slope_easy: float
    slope_hard: float

    def of(self, hardness: float) -> float:
        """The belief for a request of this hardness, which moves no level beyond 0.01 and 0.99: it is a guess.

        A level that is beyond stays so, else two models that are nearly always right would be equal.
        """
        quality = self.level + hardness * (self.slope_easy if hardness < 0.0 else self.slope_hard)
        least, most = min(max(self.level, 0.0), _GUESSED[0]), max(min(self.level, 1.0), _GUESSED[1])
        return min(max(quality, least), most)


class Prior:
    """Levels and strengths of the registered models; thread-safe. Scores are kept for 1,000 tasks."""

    def __init__(self, models: Sequence[StatedQuality]) -> None:
        self._strength = _strengths(models)
        self._quality = {m.id: dict(m.quality) for m in models}
        self._default = {m.id: self._level(m) for m in models}
        self._on: dict[str, dict[str, Belief]] = {}
        self._scored: dict[str, dict[str, tuple[float, float]]] = {}  # task -> model -> sum, count
        self._lock = Latch()

    def on(self, task: str) -> Mapping[str, Belief]:
        """The belief for each model on this task."""
        known = self._on.get(task)
        return self._look(task) if known is None else known

    def _look(self, task: str) -> Mapping[str, Belief]:
        with self._lock:
            levels = {model: self._learned(model, task) for model in self._strength}
            best = max(levels.values(), default=0.0)
            known = {
                m: Belief(level, -_NARROWED * (best - level) / MOST_HARDNESS, -_WIDENED * (1.0 - self._strength[m]))
                for m, level in levels.items()
            }
            self._on[task] = known
            if len(self._on) > _TASKS_KEPT:
                del self._on[next(iter(self._on))]
        return known

    def _learned(self, model: str, task: str) -> float:
        level = self._quality[model].get(task, self._default[model])
        total, count = self._scored.get(task, {}).get(model, (0.0, 0.0))
        return (CARD_WEIGHT * level + total) / (CARD_WEIGHT + count)

    def learn(self, model: str, task: str, score: float, before: float | None = None) -> None:
        """An answer of this model on this task got `score` (0 to 1); `before` was its earlier score."""
        with self._lock:
            scored = self._scored.setdefault(task, {})
            total, count = scored.get(model, (0.0, 0.0))
            if before is None:
                scored[model] = (FADE * total + score, FADE * count + 1.0)
            else:
                scored[model] = (min(max(total + score - before, 0.0), count), count)
            if len(self._scored) > _TASKS_KEPT:
                forgotten = next(iter(self._scored))
                del self._scored[forgotten]
                self._on.pop(forgotten, None)
            self._on.pop(task, None)

    def _level(self, stated: StatedQuality) -> float:
        if "default" in stated.quality:
            return stated.quality["default"]
        if stated.quality:
            return sum(stated.quality.values()) / len(stated.quality)
        return UNSTATED + _SPREAD * (self._strength[stated.id] - 0.5)


def _strengths(models: Sequence[StatedQuality]) -> dict[str, float]:
    """0 for the weakest to 1 for the strongest; equals share the middle of their ranks."""
    keys = sorted(_rank_key(m) for m in models)
    last = len(keys) - 1
    if not last or keys[0] == keys[-1]:
        return {m.id: 0.5 for m in models}
    middle = {key: (bisect_left(keys, key) + bisect_right(keys, key) - 1) / 2 for key in keys}
    return {m.id: middle[_rank_key(m)] / last for m in models}


def _rank_key(stated: StatedQuality) -> tuple[float, int]:
    """A stated quality ranks by itself. Prices rank only models without one."""
    known = stated.quality.values()
    if not known:
        return (UNSTATED, stated.typical_cost or 0)
    return (stated.quality.get("default", sum(known) / len(known)), 0)
