"""A cap on a model or a provider that is spent takes that one out, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router import AllCandidatesFailed, BudgetExceeded, Request, Router
from capability_router.routing import Routing
from capability_router.testing import ask, assert_books_balanced, scripted_router

CARDS: dict[str, dict[str, Any]] = {
    "dear": {"provider": "rich", "price": {"input_mtok": 500, "output_mtok": 500}, "max_output_tokens": 100},
    "cheap": {"provider": "poor", "max_output_tokens": 100},
}


def routed(*budgets: dict[str, Any], dear: str = "ok", cheap: str = "ok") -> Router:
    return scripted_router({"dear": [dear] * 3, "cheap": [cheap] * 3}, cards=CARDS, budgets=list(budgets))


@pytest.mark.parametrize("scope", ["model:dear", "provider:rich", "model:*", "provider:*"])
@pytest.mark.parametrize("on_exceed", ["refuse", "degrade"])
def test_another_model_is_taken(scope: str, on_exceed: str) -> None:
    router = routed({"scope": scope, "limit_usd": 0.001, "on_exceed": on_exceed})
    assert ask(router).outcome.model == "cheap"
    plan = router.explain("hello")
    assert ([c.id for c in plan.candidates], plan.notes) == (["cheap", "dear"], ())
    assert_books_balanced(router)


def test_nothing_is_left_where_each_is_spent() -> None:
    caps = ({"scope": f"model:{name}", "limit_usd": 0.0} for name in CARDS)
    router = routed(*caps)
    with pytest.raises(BudgetExceeded) as refused:
        ask(router)
    told = str(refused.value)
    assert "dear: model:dear: " in told
    assert "cheap: model:cheap: " in told
    assert "cheap: model:dear" not in told
    assert refused.value.fits == ()
    assert "a budget would refuse the request: model:dear: " in router.explain("hello").notes[0]
    assert router.ledger.total().calls == 0


def test_a_cap_on_all_that_refuses_is_final_and_told_once() -> None:
    router = routed({"scope": "global", "limit_usd": 0.001})
    with pytest.raises(BudgetExceeded) as refused:
        ask(router)
    assert refused.value.fits == ("cheap",)
    assert str(refused.value).count("global: ") == 1


def test_what_a_cap_forbids_takes_nothing_of_what_the_provider_reports_to_be_left() -> None:
    router = routed({"scope": "global", "limit_usd": 0.0})
    reported = {"x-ratelimit-remaining-requests": "2", "x-ratelimit-reset-requests": "60s"}
    router.board.note_limits("cheap", reported, router.clock.now())
    for _ in range(3):
        with pytest.raises(BudgetExceeded):
            ask(router, Request(("hello",), routing=Routing(pin="cheap")))
    assert router.board._lanes["cheap"].gate.requests.left(router.clock.now()) == 2.0


def test_a_model_whose_own_cap_is_spent_does_not_fit() -> None:
    router = routed({"scope": "global", "limit_usd": 0.001}, {"scope": "model:cheap", "limit_usd": 0.0})
    with pytest.raises(BudgetExceeded) as refused:
        ask(router)
    assert refused.value.fits == ()


def test_where_the_others_fail_the_cap_is_told_of_its_own_model() -> None:
    router = routed({"scope": "model:dear", "limit_usd": 0.001}, cheap="overloaded")
    with pytest.raises(AllCandidatesFailed) as failed:
        ask(router)
    assert "dear: model:dear: " in str(failed.value)
    assert "cheap: model:dear" not in str(failed.value)
