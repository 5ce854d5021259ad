"""What calls cost: one LlamaIndex event per routed call, and a handler that adds them up.

    from llama_index.core.instrumentation import get_dispatcher
    costs = RouterEventHandler()
    get_dispatcher().add_event_handler(costs)

Tracers warn about unknown events, so these events are sent only on a separate dispatcher and to RouterEventHandlers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.base import BaseEvent
from llama_index_instrumentation.event_handlers import BaseEventHandler
from pydantic import Field, PrivateAttr

from capability_router.money.spending import Spending, SpendingMixin, facts_of
from capability_router.request import Outcome, Request

dispatcher = get_dispatcher(__name__)
dispatcher.propagate = False


class RouterCallEvent(BaseEvent):
    """One routed call, over. `facts` is flat and JSON-safe; it holds no prompt and no answer."""

    facts: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def class_name(cls) -> str:
        """The event's name."""
        return "RouterCallEvent"


class RouterEventHandler(SpendingMixin, BaseEventHandler):
    """Adds up what the routed calls cost. Unknown costs count as 0 and show as None in `calls`."""

    _spending: Spending = PrivateAttr(default_factory=Spending)

    @classmethod
    def class_name(cls) -> str:
        """The handler's name."""
        return "RouterEventHandler"

    def handle(self, event: BaseEvent, **_: Any) -> None:
        """Add a routed call; other events are ignored."""
        if isinstance(event, RouterCallEvent):
            self._spending.add(event.facts)


def announce(request: Request, outcome: Outcome) -> None:
    """Send the event to the handlers, if there are any."""
    roots: Sequence[Any] = dispatcher.root.event_handlers
    listeners = [h for h in roots if isinstance(h, RouterEventHandler)]
    if not listeners and not dispatcher.event_handlers:
        return
    event = RouterCallEvent(facts=facts_of(outcome, request.routing))
    dispatcher.event(event)
    for handler in listeners:
        handler.handle(event)
