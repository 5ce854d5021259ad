"""A callback handler that adds up what routed calls cost, for any chain: `config={"callbacks": [handler]}`."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from capability_router.request import Outcome, Usage
from capability_router.routing import Routing

_ATTRIBUTES = ("tenant", "task", "chain", "session")


class RouterCallbackHandler(BaseCallbackHandler):
    """Adds up what the routed calls below the run that it is given to cost. Thread-safe.

    The router itself tells it of each request, once, so nothing is counted twice in nested chains. Of a
    router within a router the inner one tells; the outer one adds only what it sent to other models.
    Unknown costs count as 0 and show as None in `calls`.
    """

    run_inline = True

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[dict[str, Any]] = []

    def on_routed(self, outcome: Outcome, routing: Routing) -> None:
        """The router tells of a request that is over."""
        asked = {name: getattr(routing, name) for name in _ATTRIBUTES}
        tokens = {"input_tokens": outcome.usage.input_tokens, "output_tokens": outcome.usage.output_tokens}
        facts = {**outcome.annotation(), **tokens, **asked, "tags": list(routing.tags), "ok": outcome.ok}
        with self._lock:
            self._calls.append(facts)

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls so far, each as in `response_metadata["router"]` with tokens and who asked."""
        with self._lock:
            return list(self._calls)

    @property
    def total_cost_usd(self) -> float:
        """The sum of the known costs in USD, failed attempts included."""
        return math.fsum(call["cost_usd"] or 0.0 for call in self.calls)

    def by(self, tag: str) -> dict[str, float]:
        """USD by the values of a fact ('tenant', 'task', 'chain', 'model', 'provider', ...) or by each of 'tags'."""
        sums: defaultdict[str, float] = defaultdict(float)
        for call in self.calls:
            value = call.get(tag)
            for name in value if isinstance(value, list) else (value,):
                sums["" if name is None else str(name)] += call["cost_usd"] or 0.0
        return dict(sums)

    def __repr__(self) -> str:
        return f"<RouterCallbackHandler {len(self.calls)} calls, ${self.total_cost_usd:f}>"


def without_routers(outcome: Outcome, routers: Collection[str]) -> Outcome | None:
    """The outcome without the attempts on candidates that are routers, which tell of them; None = nothing is left."""
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
    token = _current.set(handler)
    try:
        yield handler
    finally:
        _current.reset(token)
