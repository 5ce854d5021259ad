"""The interface of policies: rows in, scores out. Ranking and explaining are done elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from capability_router.catalog.card import ModelCard
from capability_router.features import Features
from capability_router.learning.guard import BaselineGuard, PlanPrediction
from capability_router.learning.implicit_signs import SignCounts
from capability_router.learning.sharing.lesson import Lesson
from capability_router.plan import Candidate
from capability_router.request import Outcome, Request

Terms = tuple[tuple[str, float], ...]
BELOW = "below_min_quality"
"""The term of a model below the floor, if another model reaches it."""


@dataclass(slots=True)
class EligibleModel:
    """One eligible model with the predictions for this request. Never changed.

    `cost_pico` in picodollars, `fallback_pico` of it for another model in case this one fails, `latency_s` and
    `queue_s` in seconds, None = unknown. `load` is the calls in flight, `pressure_s` the recent peak of waits
    times the calls that would share it. `held` = why it can't be used just now, "" = it can. `stays` = the
    conversation is with it. `believed`: its quality without what was learned of requests, None = nothing was learned.
    `error`: the standard error of a learned `quality`. `answers`: how many answers are asked for at once. `bonus`: by
    how much the true quality may be higher.
    """

    card: ModelCard
    quality: float
    cost_pico: int | None
    latency_s: float | None
    queue_s: float
    load: int
    held: str
    stays: bool = False
    pressure_s: float = 0.0
    fallback_pico: int = 0
    believed: float | None = None
    error: float = 0.0
    answers: int = 1
    bonus: float = 0.0

    def dearer(self, extra_pico: int) -> EligibleModel:
        """The prospect with part of another model's cost added; its own cost is known."""
        cost = (self.cost_pico or 0) + extra_pico
        return EligibleModel(
            self.card, self.quality, cost, self.latency_s, self.queue_s, self.load, self.held, self.stays,
            self.pressure_s, extra_pico, self.believed, self.error, self.answers, self.bonus,
        )  # fmt: skip


@dataclass(slots=True)
class PolicyContext:
    """One request and the models that may serve it, in registry order.

    `apart`: other tenants than its own have given scores that count for all.
    """

    request: Request
    features: Features
    rows: Sequence[EligibleModel]
    apart: bool = False


Scored = tuple[float, EligibleModel]
"""A score, and its row."""


def no_terms(at: int) -> Terms:
    """For a score without summands."""
    return ()


@dataclass(slots=True)
class PolicyScores:
    """The scores of a scene's rows; `settings` are the policy's own numbers, kept in the plan.

    `second`: by how much each second of waiting lowers a score, 0 = waits are not weighed. `terms`: gives the summands
    of the score at an index; computed on demand, because most are never read. `chances`: by model, with which it is
    first, None or empty where the policy leaves nothing to chance.
    """

    scores: Sequence[float]
    settings: Sequence[tuple[str, float]] = ()
    second: float = 0.0
    terms: Callable[[int], Terms] = no_terms
    chances: Mapping[str, float] | None = None


class QualityEstimate(Protocol):
    """What was learned of a model for one request. `tokens`: of its answer, None = unknown; `error`: of the quality.

    `bonus`: by how much the true quality may be higher.
    """

    @property
    def quality(self) -> float: ...
    @property
    def error(self) -> float: ...
    @property
    def bonus(self) -> float: ...
    @property
    def tokens(self) -> int | None: ...


class LearnedModel(Protocol):
    """The interface of the learned model that requests and scores use."""

    @property
    def signs(self) -> Mapping[str, SignCounts]: ...
    def judge(
        self, request: Request, believed: Sequence[tuple[str, float]], worth: Sequence[float]
    ) -> Sequence[QualityEstimate]: ...
    def others(self, tenant: str) -> bool: ...
    def has_scored(self, tenant: str) -> bool: ...
    def registered(self, models: Sequence[str]) -> None: ...
    def sketch(self, request: Request) -> Any: ...
    def scored(
        self, request_id: str, seen: Any, model: str, score: float, tokens: int | None, tenant: str,
        foreseen: PlanPrediction | None, source: str, version: str = "",
    ) -> None: ...  # fmt: skip
    def remembers(self, request_id: str, model: str) -> bool: ...
    def answered(self, lesson: Lesson) -> None: ...
    def scored_elsewhere(self, request_id: str, score: float) -> Lesson | None: ...
    def close(self) -> None: ...
    def tell(self, guard: BaselineGuard) -> None: ...
    def hears(self, listener: Callable[[Lesson], None]) -> None: ...
    def runs(self, errand: Callable[[bool], None]) -> None: ...


class Policy(Protocol):
    """Scores eligible models; it can reorder them, never add one. The highest score is tried first."""

    name: str
    ordered: bool
    """Whether the user gave the order, so that interchangeable models are not balanced."""
    weighs_waits: bool
    """Whether a full model competes, with its wait in its score; else it ranks behind all that are not full."""

    def judge(self, scene: PolicyContext) -> PolicyScores:
        """One score per row, in order, with its terms and the numbers that decided."""
        ...

    def reason(self, scene: PolicyContext, best: EligibleModel) -> str:
        """Why the best row is the best: a clause with numbers."""
        ...

    def observe(self, scene: PolicyContext, chosen: str = "") -> None:
        """Called for each request that is carried out, not for a dry run. `chosen` is asked first ("" = the pick)."""
        ...

    def settled(self, chosen: Candidate, outcome: Outcome) -> None:
        """Called when a request has ended; the chosen model was tried first."""
        ...


class StatelessPolicy:
    """A policy that learns nothing from traffic."""

    ordered = False
    weighs_waits = False

    def observe(self, scene: PolicyContext, chosen: str = "") -> None:
        """Nothing to learn."""

    def settled(self, chosen: Candidate, outcome: Outcome) -> None:
        """Nothing to learn."""


def rounded(value: float, places: int) -> float:
    """As `round`, except for exact halves, in a fifth of the time: each decision rounds a few numbers."""
    scale = _SCALES[places]
    return int(value * scale + 0.5) / scale if 0.0 <= value < _MOST_ROUNDED else round(value, places)


_SCALES = {6: 1e6, 9: 1e9}
_MOST_ROUNDED = 1e6  # times 10^9 it is a whole number still, without a loss


def cost_text(row: EligibleModel) -> str:
    """'$0.00012' or 'unknown cost'."""
    return "unknown cost" if row.cost_pico is None else f"${row.cost_pico / 1e12:.6f}"
