"""Adds up what calls cost. The callback handlers of both frameworks use it."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from capability_router.request import Outcome
from capability_router.routing import Routing

_ASKED = ("tenant", "chain", "session")
_AT_TIMES = ("resumed", "canary", "screen")  # facts that only some calls have


def facts_of(outcome: Outcome, routing: Routing) -> dict[str, Any]:
    """A call that is over, flat and JSON-safe: its annotation, its tokens, and who asked. No prompt, no answer."""
    asked = {name: getattr(routing, name) for name in _ASKED} | {"task": outcome.task or routing.task}
    tokens = {"input_tokens": outcome.usage.input_tokens, "output_tokens": outcome.usage.output_tokens}
    return {**outcome.annotation(), **tokens, **asked, "tags": list(routing.tags), "ok": outcome.ok}


class Spending:
    """The facts of calls (`facts_of`) and the sums of their costs, unknown ones as 0.

    Thread-safe without a lock: the garbage collector may end a call in the middle of another's, and adds it here.
    """

    def __init__(self) -> None:
        self._calls: list[dict[str, Any]] = []

    def add(self, facts: dict[str, Any]) -> None:
        """Add a call."""
        self._calls.append(facts)

    def clear(self) -> None:
        """Forget the calls so far."""
        self._calls.clear()

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls so far."""
        return self._calls.copy()  # one step of the interpreter

    @property
    def total_cost_usd(self) -> float:
        """The sum in USD, failed attempts included."""
        return math.fsum(call["cost_usd"] or 0.0 for call in self.calls)

    def by(self, fact: str) -> dict[str, float]:
        """USD by the values of a fact; a call with several of them ("tags") counts under each, without one under "".

        "tag" is "tags", as the ledger has it. What is no fact is a tag itself: USD of the calls that carry it.
        """
        calls, name = self.calls, "tags" if fact == "tag" else fact
        if calls and name not in (*calls[0], *_AT_TIMES):
            return {fact: math.fsum(call["cost_usd"] or 0.0 for call in calls if fact in call["tags"])}
        sums: defaultdict[str, float] = defaultdict(float)
        for call in calls:
            value = call.get(name)
            for each in value if isinstance(value, (list, tuple)) else (value,):
                sums["" if each is None else str(each)] += call["cost_usd"] or 0.0
        return dict(sums)


class SpendingMixin:
    """What the callback handlers of both frameworks show of the calls that they have added up.

    Each call is kept, about a kB, until `clear()`: one for a whole process is cleared now and then.
    """

    _spending: Spending

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The calls so far: of each the annotation of its answer ("router"), with tokens and routing terms."""
        return self._spending.calls

    def clear(self) -> None:
        """Forget the calls so far, and begin to add up anew."""
        self._spending.clear()

    @property
    def total_cost_usd(self) -> float:
        """The sum of the known costs in USD, failed attempts included."""
        return self._spending.total_cost_usd

    def by(self, tag: str) -> dict[str, float]:
        """USD by the values of a fact ('tenant', 'task', 'chain', 'model', 'provider', ..., 'tag'), or of one tag."""
        return self._spending.by(tag)
