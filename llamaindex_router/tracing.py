"""One span per routed call, the attempts as its children, and a tap for answers the core can't see otherwise.

The router's own methods carry no span of the kind LLM: tracers would count its tokens beside the
candidate's. Instead a plain helper object's spanned method is entered, and what the candidates emit
while it is open becomes its children.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from inspect import signature
from typing import Any, TypeVar

from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.base import BaseEvent
from llama_index_instrumentation.dispatcher import active_instrument_tags
from llama_index_instrumentation.event_handlers import BaseEventHandler

from capability_router.concurrency.latch import Latch
from capability_router.execution.effects import Launch
from llamaindex_router.messages.structured_replies import CapturedResponses

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__dispatcher_span_decorated__"
dispatcher = get_dispatcher(__name__)


def without_span(method: F) -> F:
    """Mark a method as seen to, so that LlamaIndex doesn't wrap it in a span of its own."""
    setattr(method, _MARK, True)
    return method


def read_once(method: F) -> F:
    """With the parameters that a span reads from it for each call, which takes longer than all else of the span."""
    method.__signature__ = signature(method)  # type: ignore[attr-defined]  # what `inspect` looks for first
    return method


class RouterCall:
    """The span of one routed call. Its method's name and argument are what a tracer shows.

    A stream is opened up to its first chunk inside the span, so that what the attempts emit until then
    becomes its children, whichever thread drains it afterwards.
    """

    def __init__(self, perform: Callable[[], Any]) -> None:
        self._perform = perform

    @dispatcher.span
    @read_once
    def call(self, prompt: Any) -> Any:
        """A call with one answer."""
        return self._perform()

    @dispatcher.span
    @read_once
    def stream(self, prompt: Any) -> Any:
        """A stream."""
        return self._perform()

    @dispatcher.span
    @read_once
    async def acall(self, prompt: Any) -> Any:
        """A call with one answer, asynchronously."""
        return await self._perform()

    @dispatcher.span
    @read_once
    async def astream(self, prompt: Any) -> Any:
        """A stream, asynchronously."""
        return await self._perform()


def tags_of(launch: Launch) -> Mapping[str, str | int]:
    """What the spans and events of an attempt are tagged with."""
    reason = f"after {launch.after}" if launch.after else "first choice"
    return {"router.attempt": launch.attempt, "router.candidate": launch.candidate.id, "router.reason": reason}


def tagged(tags: Mapping[str, Any]) -> Token[dict[str, Any]]:
    """Tag spans and events from here on, beside the caller's own tags, until `untagged`."""
    return active_instrument_tags.set({**active_instrument_tags.get(), **tags})


def untagged(before: Token[dict[str, Any]]) -> None:
    """As before that `tagged`."""
    active_instrument_tags.reset(before)


_tapped: ContextVar[CapturedResponses | None] = ContextVar("llamaindex_router_tapped", default=None)


class _ResponseTap(BaseEventHandler):
    @classmethod
    def class_name(cls) -> str:
        return "RouterTap"

    def handle(self, event: BaseEvent, **_: Any) -> None:
        sink = _tapped.get()
        if sink is not None:
            sink.hear(event)


_attached = Latch()


def tapped(sink: CapturedResponses) -> Token[CapturedResponses | None]:
    """Hear the LLM calls from here on, until `untapped`: a structured call returns an object alone."""
    _attach()
    return _tapped.set(sink)


def untapped(before: Token[CapturedResponses | None]) -> None:
    """As before that `tapped`."""
    _tapped.reset(before)


def _attach() -> None:
    source = get_dispatcher("llama_index.core.llms.callbacks")
    if any(isinstance(h, _ResponseTap) for h in source.event_handlers):
        return
    with _attached:
        if not any(isinstance(h, _ResponseTap) for h in source.event_handlers):
            source.add_event_handler(_ResponseTap())
