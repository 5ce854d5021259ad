"""What the calls cost, for whoever listens: one event per routed call, and a handler that adds them up.

    from llama_index.core.instrumentation import get_dispatcher
    costs = RouterEventHandler()
    get_dispatcher().add_event_handler(costs)

Tracers warn about events they don't know, so ours travel on a dispatcher of their own and, besides
that, only to RouterEventHandlers.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.base import BaseEvent
from llama_index_instrumentation.event_handlers import BaseEventHandler
from pydantic import Field, PrivateAttr

from capability_router.request import Outcome, Request

_ATTRIBUTES = ("tenant", "task", "chain", "session")
dispatcher = get_dispatcher(__name__)
dispatcher.propagate = False


class RouterCallEvent(BaseEvent):
    """One routed call, over. `facts` is flat and JSON-safe; it holds no prompt and no answer."""

    facts: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def class_name(cls) -> str:
        """The event's name."""
        return "RouterCallEvent"


class RouterEventHandler(BaseEventHandler):
    """Adds up what the routed calls cost. Unknown costs count as 0 and show as None in `calls`."""

    _calls: list[dict[str, Any]] = PrivateAttr(default_factory=list)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def class_name(cls) -> str:
        """The handler's name."""
        return "RouterEventHandler"

    def handle(self, event: BaseEvent, **_: Any) -> None:
        """Note a routed call; other events are none of ours."""
        if isinstance(event, RouterCallEvent):
            with self._lock:
                self._calls.append(event.facts)

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls so far, each as in `additional_kwargs["router"]` with tokens and who asked."""
        with self._lock:
            return list(self._calls)

    @property
    def total_cost_usd(self) -> float:
        """The sum of the known costs in USD."""
        return sum(call["cost_usd"] or 0.0 for call in self.calls)

    def by(self, tag: str) -> dict[str, float]:
        """USD by the values of a fact ('tenant', 'task', 'chain', 'model', 'provider', ...) or by each of 'tags'."""
        sums: defaultdict[str, float] = defaultdict(float)
        for call in self.calls:
            value = call.get(tag)
            for name in value if isinstance(value, (list, tuple)) else (value,):
                sums["" if name is None else str(name)] += call["cost_usd"] or 0.0
        return dict(sums)


def announce(request: Request, outcome: Outcome) -> None:
    """Tell the handlers that listen; costs nothing when none does."""
    roots: Sequence[Any] = dispatcher.root.event_handlers
    listeners = [h for h in roots if isinstance(h, RouterEventHandler)]
    if not listeners and not dispatcher.event_handlers:
        return
    event = RouterCallEvent(facts=_facts(request, outcome))
    dispatcher.event(event)
    for handler in listeners:
        handler.handle(event)


def _facts(request: Request, outcome: Outcome) -> dict[str, Any]:
    asked = {name: getattr(request.routing, name) for name in _ATTRIBUTES}
    tokens = {"input_tokens": outcome.usage.input_tokens, "output_tokens": outcome.usage.output_tokens}
    return {**outcome.annotation(), **tokens, **asked, "tags": list(request.routing.tags), "ok": outcome.ok}
