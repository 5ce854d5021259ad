"""One request as its decision record tells it: who asked, what was known of each model then, what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from capability_router.eligibility import Refusal
from capability_router.features import Features
from capability_router.request import Request
from capability_router.routing import Routing


class LoggedCandidate(NamedTuple):
    """A candidate as it was seen then. Picodollars, seconds, quality 0 to 1; None = unknown.

    `cost_pico` includes `fallback_pico`, for others in case this one fails.
    """

    id: str
    provider: str
    model: str
    quality: float | None
    cost_pico: int | None
    latency_s: float | None
    queue_s: float
    held: str
    fallback_pico: int = 0


class LoggedAttempt(NamedTuple):
    """One launch, ended; `fault` is "" for the one that answered."""

    model: str
    fault: str
    elapsed_s: float
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    estimated: bool
    finish: str
    cost_pico: int | None


class LoggedRequest(NamedTuple):
    """A decision record, checked.

    `at`: Unix seconds of its end. `chosen`: the model that the plan had first, "" = none was eligible; `model`: the one
    that answered, "" = none. `chances`: of each model that could have been first; `stated` = the record lists them all.
    `terms_recorded`: it says what the caller's terms asked; else only the refusals tell. `traits`: hashed words, if
    recorded. `cards`: a mark of the models' cards.
    """

    id: str
    at: float
    elapsed_s: float
    router: str
    request: Request
    features: Features
    terms_recorded: bool
    candidates: tuple[LoggedCandidate, ...]
    refusals: tuple[Refusal, ...]
    chosen: str
    chances: Mapping[str, float]
    stated: bool
    model: str
    cost_pico: int | None
    attempts: tuple[LoggedAttempt, ...]
    traits: Mapping[str, Any] | None = None
    cards: str = ""

    @property
    def began(self) -> float:
        """Unix seconds."""
        return self.at - self.elapsed_s

    @property
    def trial(self) -> bool:
        """Whether its model was tried out, not picked; the pick has the first of the chances."""
        return self.stated and self.chosen != next(iter(self.chances), self.chosen)

    @property
    def terms(self) -> Routing:
        """Who asked, and on which terms."""
        return self.request.routing

    def seen(self, id: str) -> LoggedCandidate | None:
        """The candidate of this id."""
        return next((each for each in self.candidates if each.id == id), None)

    def answer(self) -> LoggedAttempt | None:
        """The attempt that answered."""
        return next((each for each in self.attempts if each.model == self.model and not each.fault), None)
