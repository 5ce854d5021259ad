"""Connects a router to OpenTelemetry: keeps the caller's context and reports ended requests, in its own thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from opentelemetry.context import Context, get_current

from capability_router.address import joint
from capability_router.request import Outcome, Reply, Request
from capability_router.routing import Routing
from capability_router.telemetry.otel.finished_request import Content, FinishedRequest, ServedCandidate
from capability_router.telemetry.otel.instrumentors import watched
from capability_router.telemetry.otel.meters import MeasuredRouter, RouterMetrics, meters
from capability_router.telemetry.otel.names import provider_name
from capability_router.telemetry.otel.spans import SpanEmitter
from capability_router.telemetry.otel.trace_context import TraceContext
from capability_router.telemetry.sink_thread import Record, SinkThread
from capability_router.telemetry.sinks import Sinks


class Sourced(Protocol):
    """A registered model: its `card` and its `address`."""

    @property
    def card(self) -> Any: ...
    @property
    def address(self) -> Any: ...


class TracedPlan(Protocol):
    """A plan."""

    @property
    def candidates(self) -> tuple[Any, ...]: ...
    @property
    def refusals(self) -> tuple[Any, ...]: ...


class OtelSink:
    """Makes spans and metrics. It runs in a SinkThread, so that a slow or failing exporter does not affect calls."""

    def __init__(self, spans: SpanEmitter, measured: RouterMetrics) -> None:
        self._spans, self._meters = spans, measured

    def write(self, record: Record) -> None:
        """Report one ended request."""
        over: FinishedRequest = record["over"]._replace(tracing=self._meters.places())
        self._meters.count(over)
        self._spans.tell(over)

    def close(self) -> None:
        """Nothing to close: the tracer and meter providers belong to the application."""

    def __repr__(self) -> str:
        return "OpenTelemetry"


class Tracing:
    """Spans and metrics of a router.

    `attempts`: whether the router makes spans of attempts: "always", "never", or "auto" (unless an instrumentor makes
    them). `folded`: from a provider's name to its canonical one. `content`: whether spans contain the texts of messages
    and answers.
    """

    def __init__(
        self, router: MeasuredRouter, entries: Iterable[Sourced], sinks: Sinks, *, attempts: str, content: bool,
        folded: Callable[[str], str],
    ) -> None:  # fmt: skip
        self._name, self._attempts, self._content = router.name, attempts, content
        self._served = dict(_served(entries, folded))
        made = _version()
        measured = meters(made)
        measured.watch(router, joint(entry.address for entry in entries).base_url)
        self._last = TraceContext(Context())
        self._sink_thread = SinkThread(OtelSink(SpanEmitter(made), measured))
        sinks.beside(self._sink_thread)

    def caller(self, request: Request) -> TraceContext:
        """The context of the request that begins now."""
        watch = watched(request.routing.framework) if self._attempts == "auto" else None
        self._last = TraceContext(get_current(), watch)
        return self._last

    def over(
        self, request: Request, plan: TracedPlan, outcome: Outcome, reply: Reply, at: float, caller: TraceContext | None
    ) -> None:
        """Report one ended request. `caller`: its context from the beginning; None = it begins and ends now."""
        told = self._told(outcome, at, caller or self.caller(request), request.routing)
        content = Content(request.roles, request.texts, reply.text) if self._content else None
        self._hand_on(told._replace(
            stream=request.stream, refusals=len(plan.refusals), nobody=not plan.candidates, asked=request.model,
            told=reply.model, content=content,
        ))  # fmt: skip

    def shadowed(self, request_id: str, outcome: Outcome, at: float) -> None:
        """Report an ended shadow call. It gets its own trace, because no request waits for it."""
        caller = TraceContext(Context())
        caller.elsewhere = self._last.elsewhere
        self._hand_on(self._told(outcome, at, caller, Routing())._replace(shadow_of=request_id))

    def _told(self, outcome: Outcome, at: float, caller: TraceContext, routing: Routing) -> FinishedRequest:
        return FinishedRequest(self._name, at, outcome, caller, self._served, routing, traced=self._attempts != "never")

    def _hand_on(self, over: FinishedRequest) -> None:
        self._sink_thread.write({"over": over})


def _served(entries: Iterable[Sourced], folded: Callable[[str], str]) -> Iterable[tuple[str, ServedCandidate]]:
    for entry in entries:
        card = entry.card
        provider = provider_name(card.provider, folded(card.provider))
        yield card.id, ServedCandidate.at(provider, card.model or card.id, entry.address.base_url)


def _version() -> str:
    try:
        return version("capability-router")
    except PackageNotFoundError:  # not installed: a source folder on the path
        return ""
