"""The data of an ended request from which spans and metrics are made. It holds text only if content is captured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from capability_router.request import AttemptRecord, Outcome
from capability_router.routing import Routing
from capability_router.telemetry.otel import names
from capability_router.telemetry.otel.trace_context import TraceContext


class ServedCandidate(NamedTuple):
    """A candidate as OpenTelemetry names it. `provider`: the conventions' name. `host`: "" = unknown.

    `router`: its address, if it is itself a router.
    """

    provider: str
    model: str
    host: str = ""
    port: int | None = None
    router: str = ""

    @classmethod
    def at(cls, provider: str, model: str, base_url: str) -> ServedCandidate:
        """Made from a base URL. Some SDKs have only a name for their endpoint, which has no host."""
        if base_url.startswith("router:"):
            return cls(provider, model, router=base_url)
        try:
            parts = urlsplit(base_url)
            return cls(provider, model, parts.hostname or "", parts.port or _PORTS.get(parts.scheme))
        except ValueError:  # not a URL
            return cls(provider, model)


_PORTS = {"http": 80, "https": 443}


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


class Content(NamedTuple):
    """The text of a request (roles and texts of the messages) and of its answer."""

    roles: tuple[str, ...]
    texts: tuple[str, ...]
    answer: str


class FinishedRequest(NamedTuple):
    """One request, or a shadow call for the request with the id `shadow_of`. `at`: Unix seconds of its end.

    `nobody`: no model was eligible. `asked`: the model name in the call, which replaces the candidates'. `told`: the
    model that answered, as its provider reports it. `traced`: whether attempts get spans. `tracing`: the addresses of
    the routers that report their own calls.
    """

    router: str
    at: float
    outcome: Outcome
    caller: TraceContext
    served: Mapping[str, ServedCandidate]
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
        """Unix nanoseconds of the time `after_s` seconds after its beginning."""
        return _ns(self.at) - _ns(self.outcome.elapsed_s) + _ns(after_s)

    @property
    def result_status(self) -> str:
        """The result in one word: answered, fallback, cancelled, refused (no model could take it) or failed."""
        outcome = self.outcome
        if outcome.ok:
            return "fallback" if outcome.fallback else "answered"
        if outcome.attempts and outcome.attempts[-1].fault == "cancelled":
            return "cancelled"
        return "refused" if self.nobody else "failed"

    def serves(self, attempt: AttemptRecord) -> ServedCandidate:
        """The candidate that this attempt called."""
        served = self.served.get(attempt.model) or ServedCandidate(attempt.provider or names.UNKNOWN, attempt.model)
        return served._replace(model=self.asked) if self.asked else served

    def reports_itself(self, attempt: AttemptRecord) -> bool:
        """Whether it called a router that reports its own calls, so that tokens and cost must not be counted twice."""
        return self.serves(attempt).router in self.tracing

    def answering(self, attempt: AttemptRecord) -> bool:
        """Whether this attempt gave the answer or its last part."""
        outcome = self.outcome
        return outcome.ok and attempt.fault is None and attempt.model == outcome.model
