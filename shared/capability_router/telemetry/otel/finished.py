"""What OpenTelemetry is told of a request that is over. No text, but where content is captured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from capability_router.request import AttemptRecord, Outcome
from capability_router.routing import Routing
from capability_router.telemetry.otel import names
from capability_router.telemetry.otel.caller import Caller


class Served(NamedTuple):
    """A candidate as OpenTelemetry names it. `provider`: by the conventions' name. `host`: "" = not known.

    `router`: where it is, if it is a router.
    """

    provider: str
    model: str
    host: str = ""
    port: int | None = None
    router: str = ""

    @classmethod
    def at(cls, provider: str, model: str, base_url: str) -> Served:
        """With the host of its address; an SDK's own name for its endpoint has none."""
        if base_url.startswith("router:"):
            return cls(provider, model, router=base_url)
        try:
            parts = urlsplit(base_url)
            return cls(provider, model, parts.hostname or "", parts.port or _PORTS.get(parts.scheme))
        except ValueError:  # no URL
            return cls(provider, model)


_PORTS = {"http": 80, "https": 443}


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


class Content(NamedTuple):
    """The text of a request (who says what) and of its answer."""

    roles: tuple[str, ...]
    texts: tuple[str, ...]
    answer: str


class FinishedRequest(NamedTuple):
    """One request, or a shadow's call made beside the one of the id `shadow_of`. `at`: Unix seconds of its end.

    `nobody`: no model was eligible. `asked`: the name that the caller asks each provider for in the candidate's
    place. `told`: the model that answered, by its provider's word. `traced`: whether attempts get spans.
    `tracing`: where the routers are that tell of their own calls.
    """

    router: str
    at: float
    outcome: Outcome
    caller: Caller
    served: Mapping[str, Served]
    routing: Routing
    traced: bool = True
    stream: bool = False
    refusals: int = 0
    nobody: bool = False
    asked: str = ""
    told: str = ""
    content: Content | None = None
    shadow_of: str = ""
    tracing: frozenset[str] = frozenset()

    def ns(self, after_s: float) -> int:
        """Unix nanoseconds of a moment so many seconds after its beginning."""
        return _ns(self.at) - _ns(self.outcome.elapsed_s) + _ns(after_s)

    @property
    def ended_as(self) -> str:
        """In one word: answered, fallback, cancelled, refused (no model could take it) or failed."""
        outcome = self.outcome
        if outcome.ok:
            return "fallback" if outcome.fallback else "answered"
        if outcome.attempts and outcome.attempts[-1].fault == "cancelled":
            return "cancelled"
        return "refused" if self.nobody else "failed"

    def serves(self, attempt: AttemptRecord) -> Served:
        """Whom this attempt asked."""
        served = self.served.get(attempt.model) or Served(attempt.provider or names.UNKNOWN, attempt.model)
        return served._replace(model=self.asked) if self.asked else served

    def told_by_itself(self, attempt: AttemptRecord) -> bool:
        """Whether it asked a router that tells of its calls: their tokens and dollars are not to be counted twice."""
        return self.serves(attempt).router in self.tracing

    def answering(self, attempt: AttemptRecord) -> bool:
        """Whether the answer is, or ends with, this attempt's."""
        outcome = self.outcome
        return outcome.ok and attempt.fault is None and attempt.model == outcome.model
