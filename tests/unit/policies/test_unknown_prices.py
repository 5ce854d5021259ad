"""An unknown price is unknown under every policy: never 0, never the cheapest. Free is what its user says is free."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router import BudgetExceeded, NoEligibleModel, Price, Request, Usage, routing
from capability_router.testing import ScriptedModel, ask, scripted_router

POLICIES: list[Any] = [
    "single", "cheapest", "fastest", "adaptive", {"name": "adaptive", "quality_target": 0.6},
    {"name": "weighted", "weights": {"cost": 1}}, {"name": "weighted", "weights": {"cost": 0.5, "quality": 0.5}},
    {"name": "rules", "rules": [{"then": ["dark", "free", "paid"]}]},
]  # fmt: skip
BY_PRICE = [policy for policy in POLICIES[1:-1] if policy != "fastest"]
UNKNOWN = {"price": None}
HALF_KNOWN = {"price": Price(input_mtok=0)}  # what its answers cost nobody says


def router_of(policy: Any, **cards: dict[str, Any]):
    if isinstance(policy, dict) and policy["name"] == "rules":
        policy = {"name": "rules", "rules": [{"then": list(cards)}]}
    return scripted_router({id: ["ok"] for id in cards}, cards=cards, policy=policy)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("unknown", [UNKNOWN, HALF_KNOWN])
def test_it_is_never_shown_or_booked_as_a_number(policy: Any, unknown: dict[str, Any]) -> None:
    router = router_of(policy, dark=unknown, dim=unknown)
    plan = router.explain(Request(("hi",)))
    assert [c.cost_usd for c in plan.candidates] == [None, None]
    assert all(c["cost_usd"] is None for c in plan.to_dict()["candidates"])
    run = ask(router)
    assert run.outcome.cost_pico is None
    assert run.outcome.annotation()["cost_usd"] is None
    total = router.ledger.total()
    assert (total.unpriced, total.cost_usd, total.output_tokens) == (1, None, 3)


@pytest.mark.parametrize("policy", BY_PRICE)
@pytest.mark.parametrize("unknown", [UNKNOWN, HALF_KNOWN])
@pytest.mark.parametrize("known", [Price(0, 0), Price(0.1, 0.2), Price(500, 900)])
def test_it_never_wins_by_price(policy: Any, unknown: dict[str, Any], known: Price) -> None:
    """All else equal, even the dearest known price goes before it."""
    router = router_of(policy, dark=unknown, priced={"price": known})
    for _ in range(40):
        assert ask(router).outcome.model == "priced"


@pytest.mark.parametrize("policy", BY_PRICE)
@pytest.mark.parametrize("unknown", [UNKNOWN, HALF_KNOWN])
def test_it_counts_as_no_cheaper_than_the_dearest(policy: Any, unknown: dict[str, Any]) -> None:
    router = router_of(policy, dark=unknown, dear={"price": Price(5, 10)}, cheap={"price": Price(0.1, 0.2)})
    for _ in range(40):
        ask(router)
    order = [c.id for c in router.explain(Request(("hi",))).candidates]
    assert order[0] == "cheap"
    cost = {c.id: dict(c.terms).get("cost", 0.0) for c in router.explain(Request(("hi",))).candidates}
    assert cost["dark"] <= cost["dear"] < cost["cheap"]


@pytest.mark.parametrize("policy", BY_PRICE)
def test_among_free_models_it_is_not_free(policy: Any) -> None:
    """Also where it is thought to be a little better."""
    cards = {
        "dark": {"price": None, "quality": {"default": 0.66}},
        "free": {"price": Price(0, 0), "quality": {"default": 0.65}},
    }
    plan = router_of(policy, **cards).explain(Request(("hi",)))
    assert plan.chosen.id == "free"
    assert plan.chosen.cost_usd == 0


@pytest.mark.parametrize("policy", BY_PRICE)
def test_a_free_model_wins_where_its_user_says_that_it_is_free(policy: Any) -> None:
    router = router_of(policy, paid={"price": Price(1, 2)}, free={"price": Price(0, 0)}, dark=UNKNOWN)
    run = ask(router)
    assert (run.outcome.model, run.outcome.cost_pico) == ("free", 0)
    assert router.ledger.total().unpriced == 0


def test_a_budget_and_a_cap_take_no_unknown_price() -> None:
    router = scripted_router(
        {"dark": ["ok"]}, cards={"dark": UNKNOWN}, budgets=[{"scope": "global", "limit_usd": 1, "window": "total"}]
    )
    with pytest.raises(BudgetExceeded, match="unknown"):
        ask(router)
    with routing(max_cost_usd=1.0), pytest.raises(NoEligibleModel, match="unknown"):
        ask(router)


def test_a_service_tier_without_a_known_price_is_unknown_if_it_may_be_dearer() -> None:
    priority = {"input_mtok": 2, "output_mtok": 4}
    known = Price.parse({"input_mtok": 1, "output_mtok": 2, "services": {"priority": priority}})
    router = router_of("cheapest", plain={"price": Price(0.1, 0.2)}, served={"price": known})
    plan = router.explain(Request(("hi",), service="priority"))
    assert [(c.id, c.cost_usd is None) for c in plan.candidates] == [("served", False), ("plain", True)]
    usual = router.explain(Request(("hi",)))
    assert plan.chosen.cost_usd == 2 * {c.id: c.cost_usd for c in usual.candidates}["served"]
    assert router.explain(Request(("hi",), service="flex")).chosen.id == "plain"


def test_what_was_served_under_an_unpriced_tier_is_booked_as_usual_and_marked() -> None:
    usage = Usage(1_000, 100, service_tier="priority")
    router = scripted_router({"a": ScriptedModel(["ok"], usage=usage)})
    run = ask(router)
    assert run.outcome.cost_pico == 1_000 * 10**6 + 100 * 2 * 10**6
    (call,) = router.ledger.calls()
    assert call.estimated
    assert router.ledger.total().estimated_usd == router.ledger.total().cost_usd
    assert not run.outcome.usage.estimated  # the tokens are the provider's own, and teach the lengths
