"""Where a request comes from, and who else makes spans of it."""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, get_current_span, set_span_in_context

from capability_router.telemetry.otel.handlers import context_below, listening
from capability_router.telemetry.otel.instrumentors import Watch, of_an_instrumentor
from capability_router.telemetry.otel.sdks import seen_by_sdks

_NOBODY = Watch()


class Caller:
    """`watch`: who else makes spans of its framework's calls; None = it is no matter.

    `router_span`: the router's own span by them, if there is one; `below` is the context below it. `elsewhere`: the
    candidates of whose calls the instrumentor of an SDK makes spans.
    """

    __slots__ = ("_id", "_looks", "_watch", "below", "context", "elsewhere", "router_span")

    def __init__(self, context: Context, watch: Watch | None = None) -> None:
        self.context, self._watch, self._looks = context, watch or _NOBODY, watch is not None
        self.router_span: Span | None = None
        self.elsewhere: frozenset[str] = frozenset()
        self.below = context

    @property
    def seen(self) -> bool:
        """Whether another instrumentor makes the spans of its attempts."""
        return self._watch.seen

    @property
    def told(self) -> bool:
        """Whether the decision is already on another instrumentor's span."""
        return self._watch.told

    def asks(
        self, models: Iterable[tuple[str, object]], handlers: Iterable[object] = (), run_id: object = None
    ) -> None:
        """Whom it may ask, as (id, model), and in LangChain who hears of it, as which run."""
        if not self._looks:
            return
        heard = listening(handlers)
        if heard.seen:
            self._watch = self._watch.and_also(heard)
        if self.seen and not self.told:
            self.below = context_below(handlers, run_id) or self.context
        elif not self.seen:
            self.elsewhere = seen_by_sdks(models)

    def entered(self) -> None:
        """What is open now, and was not at first, is the router's; who made it makes the spans of its attempts."""
        span = get_current_span()
        if self._looks and span is not get_current_span(self.context) and of_an_instrumentor(span):
            self._watch = self._watch.and_also(Watch(seen=True))
            self.router_span, self._id = span, span.get_span_context()
            self.below = set_span_in_context(NonRecordingSpan(self._id), self.context)

    @property
    def open_span(self) -> Span | None:
        """The router's own, while more can be written on it.

        OpenInference's is a stand-in: of a stream's it lets go at the first chunk, and is another span from then on.
        """
        span = self.router_span
        return span if span is not None and span.is_recording() and span.get_span_context() == self._id else None
