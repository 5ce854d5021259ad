"""A callback handler that adds up what routed calls cost, for any chain: `config={"callbacks": [handler]}`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from capability_router.money.price import usd
from capability_router.request import Outcome
from capability_router.routing import Routing


@dataclass(frozen=True, slots=True)
class RoutedCost:
    """What one request cost, failed attempts included. `cost_usd` None = unknown."""

    request_id: str
    model: str | None
    provider: str
    cost_usd: Decimal | None
    input_tokens: int
    output_tokens: int
    attempts: int
    tenant: str
    chain: str
    tags: tuple[str, ...]


class RouterCallbackHandler(BaseCallbackHandler):
    """Collects the cost of each routed call below the run that it is given to. Thread-safe.

    Each request is told of once, by the router itself, so nothing is counted twice in nested chains.
    """

    run_inline = True

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[RoutedCost] = []

    def on_routed(self, outcome: Outcome, routing: Routing) -> None:
        """The router tells of a request that is over."""
        pico, attempts = outcome.cost_pico, outcome.attempts
        cost = RoutedCost(
            outcome.request_id, outcome.model, outcome.provider, None if pico is None else usd(pico),
            sum(a.usage.input_tokens for a in attempts), sum(a.usage.output_tokens for a in attempts),
            len(attempts), routing.tenant, routing.chain, routing.tags,
        )  # fmt: skip
        with self._lock:
            self._calls.append(cost)

    @property
    def calls(self) -> list[RoutedCost]:
        """One record per request, in the order in which they ended."""
        with self._lock:
            return list(self._calls)

    @property
    def total_cost_usd(self) -> Decimal:
        """The sum of the known costs, exact."""
        return _sum(self.calls)

    def by(self, tag: str) -> Decimal:
        """The sum of the known costs of the calls with this tag."""
        return _sum([call for call in self.calls if tag in call.tags])

    def __repr__(self) -> str:
        return f"<RouterCallbackHandler {len(self.calls)} calls, ${self.total_cost_usd:f}>"


def _sum(calls: list[RoutedCost]) -> Decimal:
    return sum((call.cost_usd for call in calls if call.cost_usd is not None), Decimal(0))


_current: ContextVar[RouterCallbackHandler | None] = ContextVar("langchain_router_costs", default=None)
register_configure_hook(_current, inheritable=True)


@contextmanager
def router_costs() -> Iterator[RouterCallbackHandler]:
    """A handler for every chain called inside the block, in this thread or task and its copies."""
    handler = RouterCallbackHandler()
    token = _current.set(handler)
    try:
        yield handler
    finally:
        _current.reset(token)
