"""The health of the models at the time of a logged request, from its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from capability_router.eligibility import OF_THE_MOMENT, OF_THE_REQUEST
from capability_router.health.condition import CandidateCondition
from capability_router.replay.log.latencies import Latencies
from capability_router.replay.log.logged_request import LoggedRequest

_BY_TERMS = OF_THE_REQUEST | {"tenant"}  # the record has neither who set them nor for which tenant
_UNTOLD = "the record does not tell what the caller's terms asked, and they refused models"


class _Bar(NamedTuple):
    """Why a model was out of use then."""

    what: str
    detail: str

    def told(self, id: str, now: float) -> str:
        """The same for every request."""
        return self.detail


class HealthSnapshot:
    """The health data for planning: from the record for models in the log, initial values for others.

    `fresh`: the initial health by a model's id, from its card alone.
    """

    def __init__(
        self, fresh: Callable[[str, float], CandidateCondition], latencies: Latencies, models: tuple[str, ...]
    ) -> None:
        self._fresh, self._latencies, self._models = fresh, latencies, models
        self._conditions: dict[str, CandidateCondition] = {}
        self._barred: Mapping[str, _Bar] = {}
        self._logged: Callable[[str], str] = str

    def set_request(self, request: LoggedRequest, logged: Callable[[str], str]) -> None:
        """Set the current request. `logged`: from own ids to those in the log, "" = none."""
        self._logged = logged
        self._conditions = {each.id: _standing(each.latency_s, each.held, each.queue_s) for each in request.candidates}
        said = {each.model: each for each in request.refusals}
        rules = OF_THE_MOMENT if request.terms_recorded else OF_THE_MOMENT | _BY_TERMS
        bound = not request.terms_recorded and any(each.rule in _BY_TERMS for each in request.refusals)
        known = self._conditions.keys() | said.keys()
        barred: dict[str, _Bar] = {}
        for own in self._models:
            refusal = said.get(logged(own))
            if refusal is not None and refusal.rule in rules:
                barred[own] = _Bar(refusal.rule, refusal.detail)
            elif bound and logged(own) not in known:
                barred[own] = _Bar("terms", _UNTOLD)
        self._barred = barred

    def conditions(self, ids: Sequence[str], now: float) -> list[CandidateCondition]:
        """The conditions of these models, in their order."""
        return [self._condition(id, now) for id in ids]

    def _condition(self, id: str, now: float) -> CandidateCondition:
        """Its condition. If it was no candidate, its latency is that of its answers in the log, else its card's."""
        there = self._conditions.get(self._logged(id))
        if there is not None:
            return there
        usual = self._latencies.usual(self._logged(id))
        return self._fresh(id, now) if usual is None else _standing(usual, "", 0.0)

    def barred(self, now: float) -> Mapping[str, _Bar]:
        """The models that were out of use then."""
        return self._barred

    def failing(self, now: float) -> Mapping[str, float]:
        """None: a record doesn't say."""
        return {}


def _standing(latency_s: float | None, held: str, queue_s: float) -> CandidateCondition:
    """A condition in which the predicted time of the whole answer is used as the wait for the first token."""
    made = CandidateCondition(latency_s, 0.0)
    made.held, made.queue_s = held, queue_s
    return made
