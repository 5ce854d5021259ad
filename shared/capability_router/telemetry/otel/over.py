"""What OpenTelemetry is told of a request that is over. No text, but where content is captured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, get_current_span, set_span_in_context

from capability_router.request import AttemptRecord, Outcome
from capability_router.routing import Routing
from capability_router.telemetry.otel import names
from capability_router.telemetry.otel.instrumentors import of_an_instrumentor


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


class Caller:
    """Where a request comes from. `seen`: somebody else makes the spans of its attempts.

    `router_span`: the router's own span by them, if there is one; `below` is the context below it.
    """

    __slots__ = ("_id", "below", "context", "router_span", "seen")

    def __init__(self, context: Context, seen: bool = False) -> None:
        self.context, self.seen = context, seen
        self.router_span: Span | None = None
        self.below = context

    def entered(self) -> None:
        """What is open now, and was not at first, is the router's."""
        if not self.seen:
            return
        span = get_current_span()
        if span is not get_current_span(self.context) and of_an_instrumentor(span):
            self.router_span, self._id = span, span.get_span_context()
            self.below = set_span_in_context(NonRecordingSpan(self._id), self.context)

    @property
    def open_span(self) -> Span | None:
        """The router's own, while more can be written on it. OpenInference's is a stand-in: of a stream's it lets go

        at the first chunk, and is another span from then on.
        """
        span = self.router_span
        return span if span is not None and span.is_recording() and span.get_span_context() == self._id else None


class Content(NamedTuple):
    """The text of a request (who says what) and of its answer."""

    roles: tuple[str, ...]
    texts: tuple[str, ...]
    answer: str


class Over(NamedTuple):
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
