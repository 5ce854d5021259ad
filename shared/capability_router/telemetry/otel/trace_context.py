"""The trace context of a request, and whether other instrumentation makes spans of it."""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, get_current_span, set_span_in_context

from capability_router.telemetry.otel.handlers import context_below, listening
from capability_router.telemetry.otel.instrumentors import InstrumentorStatus, is_instrumentor_span
from capability_router.telemetry.otel.sdks import sdk_traced_models

_NOBODY = InstrumentorStatus()


class TraceContext:
    """The context of one request.

    `watch`: whether an instrumentor makes spans of its framework's calls; None = do not check. `router_span`: the span
    that it made for the router, if any; `below`: the context with that span as parent. `elsewhere`: the candidates
    whose SDK makes spans of its own calls, or has an instrumentor that does.
    """

    __slots__ = ("_id", "_looks", "_watch", "below", "context", "elsewhere", "router_span")

    def __init__(self, context: Context, watch: InstrumentorStatus | None = None) -> None:
        self.context, self._watch, self._looks = context, watch or _NOBODY, watch is not None
        self.router_span: Span | None = None
        self.elsewhere: frozenset[str] = frozenset()
        self.below = context

    @property
    def seen(self) -> bool:
        """Whether an instrumentor makes the spans of the attempts."""
        return self._watch.seen

    @property
    def told(self) -> bool:
        """Whether the decision is already on an instrumentor's span."""
        return self._watch.told

    def asks(
        self, models: Iterable[tuple[str, object]], handlers: Iterable[object] = (), run_id: object = None
    ) -> None:
        """Set the models that may be called, as (id, model), and in LangChain the callback handlers and run id."""
        if not self._looks:
            return
        heard = listening(handlers)
        if heard.seen:
            self._watch = self._watch.combined_with(heard)
        if self.seen and not self.told:
            self.below = context_below(handlers, run_id) or self.context
        elif not self.seen:
            self.elsewhere = sdk_traced_models(models)

    def entered(self) -> None:
        """The run begins. A span opened by an instrumentor since `__init__` is the router's.

        That instrumentor then makes the spans of the attempts too.
        """
        span = get_current_span()
        if self._looks and span is not get_current_span(self.context) and is_instrumentor_span(span):
            self._watch = self._watch.combined_with(InstrumentorStatus(seen=True))
            self.router_span, self._id = span, span.get_span_context()
            self.below = set_span_in_context(NonRecordingSpan(self._id), self.context)

    @property
    def open_span(self) -> Span | None:
        """The router's span while it can still be written to; else None.

        OpenInference gives a proxy, which stands for another span after a stream's first chunk.
        """
        span = self.router_span
        return span if span is not None and span.is_recording() and span.get_span_context() == self._id else None
