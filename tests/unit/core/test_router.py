"""The router as a whole: what its copies share, and how caps and terms reach its models."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from capability_router import BudgetEvent, BudgetExceeded, Request, routing
from capability_router.money.ledger.call import LaunchKey
from capability_router.request import Reply
from capability_router.router import Router
from capability_router.testing import ask, assert_books_balanced, scripted_router


def test_every_copy_is_the_router_itself() -> None:
    router = scripted_router({"a": ["ok"]})
    assert copy.copy(router) is copy.deepcopy(router) is router


def test_a_cap_may_name_its_model_as_provider_and_model() -> None:
    cards = {"a": {"provider": "openai"}}
    router = scripted_router({"a": ["ok"]}, cards=cards, budgets=[{"scope": "model:openai:a", "limit_usd": 0.0}])
    with pytest.raises(BudgetExceeded):
        ask(router)


def ranked(router: Router, **fields: Any) -> list[str]:
    return [candidate.id for candidate in router.explain(Request(("hi",), **fields)).candidates]


def test_a_denied_or_foreign_pin_leaves_nothing() -> None:
    cards = {"a": {"provider": "p"}, "b": {"tenants": ["acme"]}}
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, cards=cards)
    with routing(pin="p:a"):
        assert ranked(router) == ["a"]
    with routing(pin="p:a", deny=["a"]):
        assert ranked(router) == []
    with routing(pin="b"):
        assert ranked(router) == []
    with routing(pin="b", tenant="acme"):
        assert ranked(router) == ["b"]


def test_a_name_that_is_not_registered_is_told_where_it_is_pinned_or_denied() -> None:
    router = scripted_router({"alpha": ["ok"], "beta": ["ok"]})
    with routing(deny=["alhpa", "beta"]):
        plan = router.explain(Request(("hi",)))
    assert (plan.chosen.id, list(plan.notes)) == ("alpha", ["denied, but not registered: alhpa"])
    with routing(pin="alhpa"):
        refused = router.explain(Request(("hi",))).refusals
    assert {r.detail for r in refused} == {"pinned to 'alhpa', which is not registered; did you mean 'alpha'?"}


def test_a_tool_loop_stays_and_says_only_that() -> None:
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, policy="cheapest")
    router._lessons.affinity.note(Request(("hi",)), Reply(tool_call_ids=("call-1",)), "b", 0, 0.0)
    plan = router.explain(Request(("hi", "", "3"), follows=("call-1",)))
    assert (plan.chosen.id, plan.reason) == ("b", "stays on the conversation's model")


def test_the_same_state_gives_the_same_bytes() -> None:
    request = Request(("hi",))
    one, other = (scripted_router({"a": ["ok"], "b": ["ok"]}, policy="adaptive") for _ in range(2))
    assert one.explain(request).to_json() == other.explain(request).to_json() == one.explain(request).to_json()


def test_the_requests_own_target_is_in_its_plan() -> None:
    router = scripted_router({"a": ["ok"]}, policy={"name": "adaptive", "quality_target": 0.5})
    with routing(quality_target=0.8):
        assert json.loads(router.explain(Request(("hi",))).to_json())["settings"]["quality_target"] == 0.8


@pytest.mark.parametrize("policy", ["single", "cheapest", "fastest", "weighted", "adaptive"])
def test_a_plan_reads_well(policy: str) -> None:
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, cards={"b": {"price": None}}, policy=policy)
    shown = router.explain(Request(("hi",))).render()
    assert "-0.0000" not in shown
    assert max(map(len, shown.splitlines())) < 140


def test_a_prompt_or_messages_stand_for_a_request() -> None:
    made = scripted_router({"a": ["ok"], "b": ["ok"]}, cards={"b": {"tool_calling": True}})
    assert made.explain("hello").chosen.id == "a"
    tool = {"type": "function", "function": {"name": "add", "parameters": {}}}
    assert made.explain([{"role": "user", "content": "hello"}], tools=[tool], tenant="acme").chosen.id == "b"


def test_on_budget_tells_each_threshold_in_the_words_of_rows_and_errors() -> None:
    cap = {"scope": "global", "limit_usd": 50e-6, "window": "day"}  # an answer costs 16e-6, and may cost 30e-6
    router = scripted_router({"a": ["ok"]}, budgets=[cap])
    heard: list[BudgetEvent] = []
    router.on_budget(heard.append)
    request = Request(("hi",), max_tokens=10)
    for _ in range(2):
        ask(router, request)
    assert [(e.kind, e.scope, e.window, e.share) for e in heard] == [("threshold", "global", "day", 0.5)]
    with pytest.raises(BudgetExceeded) as caught:
        ask(router, request)
    assert "$0.000018 of $0.00005 left" in str(caught.value)
    (row,) = router.budgets.rows()
    assert heard[0].resets_at == caught.value.resets_at == row["resets_at"]
    assert datetime.fromisoformat(str(row["resets_at"])).timestamp() > router.clock.unix()


def test_on_budget_goes_on_when_a_listener_raises(caplog: pytest.LogCaptureFixture) -> None:
    router = scripted_router({"a": ["ok"]}, budgets=[{"scope": "global", "limit_usd": 16e-6, "on_exceed": "warn"}])
    heard: list[float] = []

    def fails(event: BudgetEvent) -> None:
        heard.append(event.share)
        raise ValueError("my own mistake")

    router.on_budget(fails)
    router.on_budget(lambda event: heard.append(-event.share))
    assert ask(router).outcome.model == "a"
    assert heard == [0.5, -0.5, 0.8, -0.8, 1.0, -1.0]
    assert "fails failed: ValueError at" in caplog.text
    assert "my own mistake" not in caplog.text, "it could quote a prompt"


def test_a_candidate_tells_its_queue() -> None:
    plan = scripted_router({"a": ["ok"]}).explain("x")
    assert plan.chosen.queue == plan.chosen.queue_s == 0.0


def test_the_books_of_what_holds_a_router_are_its_routers() -> None:
    router = scripted_router({"a": ["ok"]})
    ask(router)
    holder = SimpleNamespace(router=router)
    assert_books_balanced(holder)
    router.ledger.open(LaunchKey("another", 1))
    with pytest.raises(AssertionError, match="never settled"):
        assert_books_balanced(holder)
