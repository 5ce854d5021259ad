"""What is predicted of the models for a logged request: what was predicted then, or what a learned state says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from capability_router.learning.guard import Guard, PlanPrediction
from capability_router.learning.sharing.lesson import Lesson
from capability_router.learning.signs import Counted
from capability_router.replay.log.logged import Logged, Seen
from capability_router.request import Request


class Predicted(NamedTuple):
    """Of one model; `tokens` of its answer are left to what answers in the log took."""

    quality: float
    error: float = 0.0
    hope: float = 0.0
    tokens: int | None = None


class State(Protocol):
    """A learned state that is asked and not taught."""

    def judge(
        self, logged: Logged, believed: Sequence[tuple[str, float]], worth: Sequence[float]
    ) -> Sequence[float] | None:
        """Per model its quality; None where the record does not hold what the state goes by."""
        ...


class ReplayKnowledge:
    """Knowledge for the planner, turned to one request after the other; nothing teaches it.

    A model of which nothing else is known is believed by its card. `state`: None = what the log predicted counts.
    `sources`: where each model's quality is from, of the last request. `wordless`: requests that the state could not
    judge.
    """

    def __init__(self, state: State | None) -> None:
        self._state = state
        self._then: Mapping[str, Seen] = {}
        self._logged: Callable[[str], str] = str
        self._request: Logged | None = None
        self.sources: dict[str, str] = {}
        self.wordless = 0

    def turn_to(self, request: Logged, logged: Callable[[str], str]) -> None:
        """From now on it is about this request; `logged` as in Moment."""
        self._request, self._logged = request, logged
        self._then = {each.id: each for each in request.candidates}
        self.sources = {}

    def judge(
        self, request: Request, believed: Sequence[tuple[str, float]], worth: Sequence[float]
    ) -> list[Predicted]:  # fmt: skip
        """Of each model (own id, quality by its card)."""
        if self._state is not None and self._request is not None:
            found = self._state.judge(self._request, believed, worth)
            if found is not None:
                self.sources = dict.fromkeys((id for id, _ in believed), "state")
                return [Predicted(quality) for quality in found]
            self.wordless += 1
        return [self._as_logged(id, alone) for id, alone in believed]

    def _as_logged(self, id: str, alone: float) -> Predicted:
        then = self._then.get(self._logged(id))
        told = then is not None and then.quality is not None
        self.sources[id] = "log" if told else "card"
        return Predicted(then.quality if then is not None and then.quality is not None else alone)

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
    def signs(self) -> Mapping[str, Counted]:
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

    def tell(self, guard: Guard) -> None:
        """There is no guard in a replay."""

    def hears(self, listener: Callable[[Lesson], None]) -> None:
        """No other process is heard."""

    def runs(self, errand: Callable[[bool], None]) -> None:
        """Nothing runs beside a replay."""
