"""The result of one run: a row for each request, and the models' states over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from capability_router.rehearsal.traffic.shape import RequestShape

WHYS = {
    "refused": "no model could take it", "budget": "a budget left no room", "busy": "no model was free in time",
    "failed": "every attempt failed", "interrupted": "the stream broke off",
}  # fmt: skip
"""Why a request has no whole answer."""


class AttemptResult(NamedTuple):
    """One attempt. Seconds of the run; `fault` "" = it answered."""

    model: str
    start_s: float
    end_s: float
    fault: str


class RequestResult(NamedTuple):
    """One request. `model` "" = none answered, and `why` is a key of WHYS; `cost_pico` None = unknown.

    `able`: the models that could take it, held ones included; `rules`: model -> the rule by which another could not.
    `detail`: of why; holds no text. `held_by`: of models that were held when it was over without an answer what held
    them, as errors say it.
    """

    shape: RequestShape
    model: str
    elapsed_s: float
    cost_pico: int | None
    tries: tuple[AttemptResult, ...]
    able: tuple[str, ...] = ()
    rules: Mapping[str, str] = {}
    why: str = ""
    detail: str = ""
    held_by: Mapping[str, str] = {}

    @property
    def at(self) -> float:
        """When it arrived."""
        return self.shape.at

    @property
    def end_s(self) -> float:
        """When it was over."""
        return self.shape.at + self.elapsed_s

    @property
    def fallback(self) -> bool:
        """Whether another model answered than was tried first."""
        return bool(self.model) and self.tries[0].model != self.model


class HealthTransition(NamedTuple):
    """A model's health changed: `kind` is HealthEvent's."""

    at: float
    model: str
    kind: str
    detail: str


class HealthSample(NamedTuple):
    """How a model stood at a moment: "", "open", "half", "off", "limited" (by rate), "full" (at once) or "doubted"."""

    at: float
    model: str
    state: str


class BudgetAlert(NamedTuple):
    """A budget refused or passed a threshold: `kind` is BudgetEvent's, `told` in words."""

    at: float
    kind: str
    told: str


@dataclass(slots=True)
class RunRecord:
    """A whole run."""

    seconds: float
    rows: list[RequestResult] = field(default_factory=list)
    changes: list[HealthTransition] = field(default_factory=list)
    looks: list[HealthSample] = field(default_factory=list)
    caps: list[BudgetAlert] = field(default_factory=list)

    def tries(self) -> Sequence[AttemptResult]:
        """All attempts, in the order of their beginning."""
        return sorted((t for row in self.rows for t in row.tries), key=lambda t: t.start_s)
