"""Makes the spans of a request when it is over, with the original times."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from capability_router.request import AttemptRecord
from capability_router.telemetry.otel import attributes, names
from capability_router.telemetry.otel.finished_request import FinishedRequest

ATTEMPT = f"{names.OWN}.attempt"
"""The event for an attempt on an instrumentor's span."""


class SpanEmitter:
    """Makes spans in the application's tracer provider, which may be set later."""

    def __init__(self, version: str) -> None:
        self._tracer = trace.get_tracer(names.SCOPE, version, schema_url=names.SCHEMA_URL)

    def tell(self, over: FinishedRequest) -> None:
        """Make the router's span under the caller's, and its attempts'; add what is missing to spans made by others."""
        caller = over.caller
        if not caller.seen:
            self._route(over, caller.context, attempts=over.traced)
        elif (theirs := caller.open_span) is not None:
            theirs.set_attributes(attributes.of_request(over))
            for attempt in over.outcome.attempts:
                _event(theirs, over, attempt)
        elif not caller.told:
            self._route(over, caller.below, attempts=False)

    def _route(self, over: FinishedRequest, context: Context, *, attempts: bool) -> None:
        span = self._tracer.start_span(
            f"route {over.router}", context=context, kind=SpanKind.INTERNAL,
            attributes={**attributes.of_workflow(over), **attributes.of_request(over)}, start_time=over.ns(0.0),
        )  # fmt: skip
        within = trace.set_span_in_context(span, context)
        for attempt in over.outcome.attempts:
            if attempts and attempt.model not in over.caller.elsewhere:
                self._attempt(over, attempt, within)
            else:
                _event(span, over, attempt)
        _judged(span, attributes.error_of(over), over.outcome.reason)
        span.end(over.ns(over.outcome.elapsed_s))

    def _attempt(self, over: FinishedRequest, attempt: AttemptRecord, within: Context) -> None:
        error = attempt.fault if attributes.is_error(attempt) else None
        if over.reports_itself(attempt):
            name, kind, told = f"attempt {attempt.model}", SpanKind.INTERNAL, attributes.own(attempt)
        else:
            name, kind = f"{names.CHAT} {over.serves(attempt).model}", SpanKind.CLIENT
            told = attributes.of_attempt(over, attempt)
        began = over.ns(attempt.started_s)
        span = self._tracer.start_span(name, context=within, kind=kind, attributes=told, start_time=began)
        _judged(span, error, attempt.detail)
        span.end(over.ns(attempt.started_s + attempt.elapsed_s))


def _event(span: Span, over: FinishedRequest, attempt: AttemptRecord) -> None:
    span.add_event(ATTEMPT, attributes.own(attempt), over.ns(attempt.started_s + attempt.elapsed_s))


def _judged(span: Span, error: str | None, why: str) -> None:
    if error is not None:
        span.set_status(Status(StatusCode.ERROR, why or error))
