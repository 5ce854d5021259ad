"""A replayed decision: the models in their new order, the refusals, and the reason."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from capability_router.eligibility import Refusal
from capability_router.replay.log.logged_request import LoggedCandidate, LoggedRequest


class ReplayedChoice(NamedTuple):
    """`ranked`: the models that may be tried, best first, with the decider's ids; () = none is eligible.

    `source`: where the predicted quality of the first one comes from: "log", "state" or "card".
    """

    ranked: tuple[LoggedCandidate, ...]
    refusals: tuple[Refusal, ...]
    reason: str
    source: str = "log"

    @property
    def model(self) -> str:
        """The first one's id; "" = none."""
        return self.ranked[0].id if self.ranked else ""

    def seen(self, id: str) -> LoggedCandidate | None:
        """The candidate of this id."""
        return next((each for each in self.ranked if each.id == id), None)


class Decider(Protocol):
    """Another policy, with its models. It gets the requests in the order in which they began."""

    name: str
    """Of its policy."""

    def decide(self, logged: LoggedRequest) -> ReplayedChoice:
        """Its decision for the request."""
        ...

    def own(self, logged: str) -> str:
        """Its id of a model that has this one in the log; "" = it has none such."""
        ...

    def logged(self, own: str) -> str:
        """The log's id of a model that has this one here; "" = the log has not met it."""
        ...

    def price(self, id: str, logged: LoggedRequest, tokens: tuple[int, int]) -> int | None:
        """Picodollars of an answer of this model (its own id) with these tokens in and out; None = unknown."""
        ...

    def carried_out(self, cost_pico: int | None, elapsed_s: float | None) -> None:
        """The cost and duration of the last request under this decider; None = unknown."""
        ...

    def told(self) -> list[str]:
        """Remarks on its decisions, as sentences."""
        ...
