"""Several answers per call (`n`): all of them are reserved, foreseen and expected."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router import AllCandidatesFailed, BudgetExceeded, NoEligibleModel, Usage, routing
from capability_router.endpoints.chat import request_from_chat
from capability_router.request import Request, default_answers, requested_answers
from capability_router.testing import ScriptedModel, ask, scripted_router

PRICE = {"input_mtok": 0, "output_mtok": 1, "per_request": 0.001}
CARD: dict[str, Any] = {"price": PRICE, "max_output_tokens": 1_000}


@pytest.mark.parametrize(
    ("keywords", "found"),
    [
        ({}, None), ({"n": 3}, 3), ({"n": None}, None), ({"n": 0}, None), ({"n": True}, None), ({"n": "3"}, None),
        ({"extra_body": {"n": 2}}, 2), ({"candidate_count": 4}, 4), ({"generation_config": {"candidate_count": 5}}, 5),
        ({"generation_config": None, "extra_body": "x"}, None),
    ],
)  # fmt: skip
def test_how_many_answers_a_call_asks_for(keywords: dict[str, Any], found: int | None) -> None:
    assert requested_answers(keywords) == found


def test_how_many_a_model_asks_for_by_itself() -> None:
    class Model:
        n = None
        additional_kwargs = {"n": 3}  # noqa: RUF012 - as a framework's model has it

    assert default_answers(Model()) == 3
    assert default_answers(object()) is None


def request(**options: Any) -> Request:
    return request_from_chat("hello", max_tokens=500, **options)


def test_a_cap_holds_for_calls_of_several_answers() -> None:
    """Each of three calls comes to 3 x 500 tokens; as much as one answer's had been reserved."""
    model = ScriptedModel(["ok"], usage=Usage(10, 1_500))
    router = scripted_router({"a": model}, cards={"a": CARD}, budgets=[{"scope": "global", "limit_usd": 0.0075}])
    for _ in range(3):
        ask(router, request(n=3))
    with pytest.raises(BudgetExceeded):
        ask(router, request(n=3))
    (row,) = router.budgets.rows()
    assert (row["spent_usd"], row["limit_usd"]) == (0.0075, 0.0075)


def test_what_the_wrapped_model_asks_for_counts_unless_the_call_says_another_number() -> None:
    def reserved(**options: Any) -> int:
        router = scripted_router(
            {"a": ["ok"]}, cards={"a": {**CARD, "answers": 4}}, budgets=[{"scope": "global", "limit_usd": 1}]
        )
        asked = request(**options)
        account = router._accounts.open(asked, router.explain(asked))
        account.open(1, router.explain(asked).chosen)
        return router.budgets.reserved

    assert reserved() == 4 * 500 * 10**6 + 10**9
    assert reserved(n=2) == 2 * 500 * 10**6 + 10**9


def test_foresight_and_a_second_attempt_count_all_answers() -> None:
    router = scripted_router({"a": ["overloaded"], "b": ["ok"]}, cards={"a": CARD, "b": CARD})
    with routing(max_cost_usd=0.002):
        assert ask(router, request()).outcome.ok
    with routing(max_cost_usd=0.002), pytest.raises(NoEligibleModel, match=r"1,500 output tokens in 3 answers"):
        ask(router, request(n=3))
    again = scripted_router({"a": ["truncated"], "b": ["ok"]}, cards={"a": CARD, "b": CARD})
    with routing(max_cost_usd=0.0025), pytest.raises(AllCandidatesFailed, match=r"a call for \$0.0025 is too much"):
        ask(again, request(n=3))


def test_the_expected_cost_is_of_all_answers_and_what_is_learned_is_of_one() -> None:
    def cost(router: Any, **options: Any) -> int:
        return round(router.explain(request(**options)).chosen.cost_pico)

    router = scripted_router({"a": ScriptedModel(["ok"], usage=Usage(10, 1_500))}, cards={"a": CARD})
    fee, one = 10**9, cost(router) - 10**9
    assert cost(router, n=3) == 3 * one + fee
    for _ in range(50):
        ask(router, request(n=3))
    assert cost(router) - fee == pytest.approx(500 * 10**6, rel=0.1)
    assert cost(router, n=3) - fee == pytest.approx(1_500 * 10**6, rel=0.1)
