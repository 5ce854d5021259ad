"""What an evaluator's own calls through the router are booked under, may cost and may see."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from unit.evaluation.judged import ALL, closed, made

from capability_router import BudgetExceeded, Request, current_routing, routing
from capability_router.evaluation.answer import Answer
from capability_router.router import Router
from capability_router.routing import EVALUATION_TAG
from capability_router.testing import ScriptedEndpoint, ask, assert_books_balanced


def asking(router: list[Router], seen: list[Any], **terms: Any) -> Any:
    """An evaluator that asks the router that it scores for."""

    def judge(request: Request, answer: Answer) -> float:
        with routing(**terms):
            run = ask(router[0], "is it good?")
        seen.append((run.request.routing, current_routing()))
        return 1.0

    return judge


@pytest.mark.parametrize("terms", [{}, {"tags": ["own"]}], ids=["plain", "tagged"])
def test_its_calls_are_booked_under_its_tag_and_not_evaluated_again(terms: dict[str, Any]) -> None:
    routers, seen = list[Router](), list[Any]()
    router, records = made(asking(routers, seen, **terms))
    routers.append(router)
    ask(router)
    assert closed(router) == {"scored": 1}
    assert len(records.of("decision")) == 2
    assert router.ledger.total(by=("tag",))[(EVALUATION_TAG,)].calls == 1
    assert_books_balanced(router)


def test_it_works_under_the_terms_that_say_who_may_see_the_text_and_who_pays() -> None:
    routers, seen = list[Router](), list[Any]()
    cards = {"a": {"data": {"regions": ["eu"], "training": False}}}
    router, _ = made(asking(routers, seen), cards=cards)
    routers.append(router)
    terms = {"tenant": "acme", "tags": ["t"], "task": "code", "session": "s", "deny": ["b"], "pin": "a"}
    with routing(**terms, data={"regions": ["eu"], "training": False}, max_cost_usd=1.0):
        ask(router)
    assert closed(router) == {"scored": 1}
    own, _ = seen[0]
    assert (own.tenant, own.tags, own.task, own.session) == ("acme", (EVALUATION_TAG,), "", "")
    assert (own.deny, own.regions, own.training, own.pin, own.max_cost_usd) == (("b",), ("eu",), False, None, None)
    assert (own.priority, own.deadline_s) == ("batch", 60.0)


def test_its_money_is_capped_and_then_it_is_not_asked() -> None:
    routers, seen = list[Router](), list[Any]()
    router, _ = made(asking(routers, seen), {**ALL, "budget_usd": 0.00004, "at_once": 1}, cards=CHEAP)
    routers.append(router)
    for _ in range(9):
        assert ask(router).outcome is not None
        while router.evaluations()["under_way"]:
            pass
    counted = closed(router)
    assert counted["scored"] + counted["over_budget"] == 9
    assert 0 < counted["scored"] < 9
    spent = router.ledger.total(by=("tag",))[(EVALUATION_TAG,)]
    assert spent.calls == counted["scored"] == len(seen)
    assert spent.cost_usd <= 0.00004
    assert_books_balanced(router)


def opening(router: list[Router], go: threading.Event, refused: list[BudgetExceeded]) -> Any:
    """An evaluator that has its call under way until another evaluator's call is refused."""

    def judge(request: Request, answer: Answer) -> float:
        scripted = ScriptedEndpoint(router[0].scripted, router[0].clock, stream=True)  # type: ignore[attr-defined]  # its script
        chunks = iter(router[0].start(Request(("is it good?",), stream=True), scripted))
        try:
            next(chunks)
        except BudgetExceeded as error:
            refused.append(error)
            go.set()
            raise
        assert go.wait(10)
        return float(len(list(chunks)) > 0)

    return judge


@pytest.mark.parametrize("terms", [{}, {"tenant": "acme"}], ids=["plain", "tenant"])
def test_what_evaluations_under_way_hold_is_not_spent_so_fewer_run_at_once(terms: dict[str, Any]) -> None:
    routers, go, refused = list[Router](), threading.Event(), list[BudgetExceeded]()
    router, _ = made(opening(routers, go, refused), {**ALL, "budget_usd": 0.0003, "at_once": 2}, cards=ONE_FITS)
    routers.append(router)
    with routing(**terms):
        for _ in range(4):
            ask(router)
    assert closed(router) == {"scored": 4}
    assert [error.passing for error in refused] == [True]
    assert_books_balanced(router)


def test_an_evaluator_that_others_leave_no_room_is_asked_again_for_the_next_answer() -> None:
    asked_for: list[str] = []

    def judge(request: Request, answer: Answer) -> float:
        asked_for.append(request.id)
        raise BudgetExceeded("no room", scope=f"tag:{EVALUATION_TAG}", passing=True)

    router, _ = made(judge, {**ALL, "at_once": 1})
    for _ in range(3):
        ask(router)
    assert closed(router) == {"over_budget": 3}
    assert len(asked_for) == len(set(asked_for)) == 3


ONE_FITS = {"a": {"max_output_tokens": 100}, "b": {"max_output_tokens": 100}}  # of calls at once, not of calls
CHEAP = {"a": {"max_output_tokens": 3}, "b": {"max_output_tokens": 3}}
