"""The facts of calls, added up for whoever listens."""

from __future__ import annotations

import threading
from typing import Any

from capability_router import routing
from capability_router.money.spending import Spending, facts_of
from capability_router.testing import ask, scripted_router


def test_a_call_that_ends_in_the_middle_of_a_look_is_added() -> None:
    """As when the garbage collector closes a stream that nobody reads any more."""
    spending = Spending()

    class Collected(list[dict[str, Any]]):
        def __iter__(self) -> Any:
            spending.add({"cost_usd": 1.0})
            return super().__iter__()

        def copy(self) -> list[dict[str, Any]]:
            return list(self)

    spending._calls = Collected([{"cost_usd": 2.0}])
    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(spending.total_cost_usd), daemon=True)
    thread.start()
    thread.join(10)
    assert found == [3.0]


def test_it_may_be_cleared_and_begin_anew() -> None:
    spending = Spending()
    spending.add({"cost_usd": 1.0, "tags": []})
    spending.clear()
    spending.add({"cost_usd": 2.0, "tags": []})
    assert (len(spending.calls), spending.total_cost_usd) == (1, 2.0)


def test_a_task_that_was_recognised_is_the_one_that_the_ledger_has() -> None:
    router, spending = scripted_router({"a": ["yes"] * 2}), Spending()
    router.on_outcome(lambda request, outcome: spending.add(facts_of(outcome, request.routing)))
    ask(router, "Translate to French: hello")
    with routing(task="mine"):
        ask(router, "Translate to French: hello")
    assert [call.task for call in router.ledger.calls()] == ["translate", "mine"]
    assert set(spending.by("task")) == {"translate", "mine"}


def test_sums_are_by_a_fact_or_of_one_tag() -> None:
    spending = Spending()
    for cost, tags, tenant in ((1.0, ["nightly", "eu"], "acme"), (2.0, ["eu"], ""), (None, [], "")):
        spending.add({"cost_usd": cost, "tags": tags, "tenant": tenant})
    assert spending.by("tenant") == {"acme": 1.0, "": 2.0}
    assert spending.by("tag") == spending.by("tags") == {"nightly": 1.0, "eu": 3.0}
    assert spending.by("nightly") == {"nightly": 1.0}
    assert spending.by("canary") == {"": 3.0}
    assert Spending().by("nightly") == {}
