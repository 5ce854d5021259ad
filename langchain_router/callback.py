"""A callback handler that adds up what routed calls cost, for any chain: `config={"callbacks": [handler]}`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from capability_router.money.spending import Spending, SpendingMixin, facts_of
from capability_router.request import Outcome, Usage
from capability_router.routing import Routing, within


class RouterCallbackHandler(SpendingMixin, BaseCallbackHandler):
    """Adds up the cost of all routed calls below the run that it is attached to. Thread-safe.

    The router reports each request to it once, so nested chains count nothing twice. For a router within a router the
    inner one reports, and the outer one adds only what it sent to other models.
    Unknown costs count as 0 and show as None in `calls`.
    """

    run_inline = True

    def __init__(self) -> None:
        self._spending = Spending()

    def on_routed(self, outcome: Outcome, routing: Routing) -> None:
        """Called by the router after each request."""
        self._spending.add(facts_of(outcome, routing))

    def __repr__(self) -> str:
        return f"<RouterCallbackHandler {len(self.calls)} calls, ${self.total_cost_usd:f}>"


def without_routers(outcome: Outcome, routers: Collection[str]) -> Outcome | None:
    """The outcome without attempts on nested routers, which report those; None = nothing is left."""
    own = tuple(attempt for attempt in outcome.attempts if attempt.model not in routers)
    if len(own) == len(outcome.attempts):
        return outcome
    costs = [attempt.cost_pico for attempt in own]
    known = [cost for cost in costs if cost is not None]
    cost = sum(known) if len(known) == len(costs) else None
    usage = Usage() if outcome.model in routers else outcome.usage
    return replace(outcome, attempts=own, cost_pico=cost, usage=usage) if own else None


_current: ContextVar[RouterCallbackHandler | None] = ContextVar("langchain_router_costs", default=None)
register_configure_hook(_current, inheritable=True)


@contextmanager
def router_costs() -> Iterator[RouterCallbackHandler]:
    """A handler for every chain called inside the block, in this thread or task and its copies."""
    handler = RouterCallbackHandler()
    with within(_current, handler):
        yield handler
