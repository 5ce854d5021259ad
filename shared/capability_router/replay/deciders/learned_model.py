"""The models' predicted quality for a logged request: the prediction in the log, or a learned state's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from capability_router.learning.guard import BaselineGuard, PlanPrediction
from capability_router.learning.implicit_signs import SignCounts
from capability_router.learning.sharing.lesson import Lesson
from capability_router.replay.log.logged_request import LoggedCandidate, LoggedRequest
from capability_router.request import Request


class ReplayPrediction(NamedTuple):
    """Of one model; `tokens` of its answer are left to what answers in the log took."""

    quality: float
    error: float = 0.0
    bonus: float = 0.0
    tokens: int | None = None


class QualityPredictor(Protocol):
    """A learned state, read only."""

    def judge(
        self, logged: LoggedRequest, believed: Sequence[tuple[str, float]], worth: Sequence[float]
    ) -> Sequence[float] | None:
        """The quality per model; None if the record does not contain the words that the state needs."""
        ...


class ReplayLearnedModel:
    """The planner's Knowledge for one request at a time. It learns nothing.

    A model without a prediction has its card's quality. `state`: None = use the log's predictions. `sources`: for the
    last request, where each model's quality comes from. `wordless`: the requests that the state could not judge.
    """

    def __init__(self, state: QualityPredictor | None) -> None:
        self._state = state
        self._then: Mapping[str, LoggedCandidate] = {}
        self._logged: Callable[[str], str] = str
        self._request: LoggedRequest | None = None
        self.sources: dict[str, str] = {}
        self.wordless = 0

    def set_request(self, request: LoggedRequest, logged: Callable[[str], str]) -> None:
        """Set the current request; `logged` as in Moment."""
        self._request, self._logged = request, logged
        self._then = {each.id: each for each in request.candidates}
        self.sources = {}

    def judge(
        self, request: Request, believed: Sequence[tuple[str, float]], worth: Sequence[float]
    ) -> list[ReplayPrediction]:  # fmt: skip
        """Of each model (own id, quality by its card)."""
        if self._state is not None and self._request is not None:
            found = self._state.judge(self._request, believed, worth)
            if found is not None:
                self.sources = dict.fromkeys((id for id, _ in believed), "state")
                return [ReplayPrediction(quality) for quality in found]
            self.wordless += 1
        return [self._as_logged(id, alone) for id, alone in believed]

    def _as_logged(self, id: str, alone: float) -> ReplayPrediction:
        then = self._then.get(self._logged(id))
        told = then is not None and then.quality is not None
        self.sources[id] = "log" if told else "card"
        return ReplayPrediction(then.quality if then is not None and then.quality is not None else alone)

    def others(self, tenant: str) -> bool:
        """A replay's price of quality is that of all requests."""
        return False

    def has_scored(self, tenant: str) -> bool:
        """A replay has no guard."""
        return False

    def registered(self, models: Sequence[str]) -> None:
        """Nothing to do."""

    def sketch(self, request: Request) -> None:
        """Nothing is kept of a request."""

    def scored(
        self, request_id: str, seen: Any, model: str, score: float, tokens: int | None, tenant: str,
        foreseen: PlanPrediction | None, source: str, version: str = "",
    ) -> None:  # fmt: skip
        """Nothing is learned."""

    @property
    def signs(self) -> Mapping[str, SignCounts]:
        """None are counted."""
        return {}

    def remembers(self, request_id: str, model: str) -> bool:
        """Nothing is remembered."""
        return False

    def answered(self, lesson: Lesson) -> None:
        """Nothing is learned."""

    def scored_elsewhere(self, request_id: str, score: float) -> None:
        """No other process is asked."""

    def close(self) -> None:
        """Nothing is written."""

    def tell(self, guard: BaselineGuard) -> None:
        """There is no guard in a replay."""

    def hears(self, listener: Callable[[Lesson], None]) -> None:
        """No other process is heard."""

    def runs(self, errand: Callable[[bool], None]) -> None:
        """Nothing runs beside a replay."""
