"""What a request's account reserves for each launch, and how far its own limit lets it go, to the picodollar."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from capability_router import Request, Usage, routing
from capability_router.execution.accounts import Accounts
from capability_router.money.account import Account
from capability_router.money.budget.denial import Denial
from capability_router.request import Reply
from capability_router.router import Router
from capability_router.testing import scripted_router

CAP = {"scope": "global", "limit_usd": 1_000.0}
ONE_EACH = {"input_mtok": 1, "output_mtok": 1}
TOKEN = 10**6  # picodollars of a token at 1 USD per million
WHOLE = 400  # tokens of input that were counted


def paid(router: Router, request: Request, input_tokens: int = WHOLE, sizes: dict[str, int] | None = None) -> Account:
    """The account of a request whose plan counts that many tokens, or for each model its own."""
    plan = router.explain(request)
    known = tuple(c._replace(input_tokens=(sizes or {}).get(c.id, input_tokens)) for c in plan.candidates)
    accounts = Accounts(router.registry, router.ledger, router.budgets, router.clock.unix)
    return accounts.open(request, replace(plan, input_tokens=input_tokens, candidates=known))


def reserved(card: dict[str, Any], *, model: str = "a", sizes: dict[str, int] | None = None, **request: Any) -> int:
    """Picodollars that a launch takes from a cap."""
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, cards={"a": card, "b": card}, budgets=[CAP])
    asked = Request(**{"texts": ("say hello to the world",), "max_tokens": 100, **request})
    candidate = next(c for c in router.explain(asked).candidates if c.id == model)
    assert paid(router, asked, sizes=sizes).open(1, candidate) is None
    return router.budgets.reserved


def test_the_input_as_the_model_counts_it_and_a_quarter_and_the_longest_answer_are_reserved() -> None:
    assert reserved({"price": ONE_EACH}) == (500 + 100) * TOKEN
    assert reserved({"price": ONE_EACH}, model="b", sizes={"b": 800}) == (1_000 + 100) * TOKEN
    short = reserved({"price": ONE_EACH, "context_window": 4_000}, max_tokens=None, sizes={"a": 800})
    assert short == (1_000 + 4_000 - 600) * TOKEN


def test_a_model_that_the_plan_did_not_size_is_taken_to_count_as_the_request_does() -> None:
    router = scripted_router({"a": ["ok"], "b": ["ok"]}, cards={id: {"price": ONE_EACH} for id in "ab"}, budgets=[CAP])
    asked = Request(("say hello to the world",), max_tokens=100)
    plan = router.explain(asked)
    one, other = plan.candidates
    accounts = Accounts(router.registry, router.ledger, router.budgets, router.clock.unix)
    account = accounts.open(asked, replace(plan, input_tokens=WHOLE, candidates=(one._replace(input_tokens=8),)))
    assert account.open(1, other) is None
    assert router.budgets.reserved == (500 + 100) * TOKEN


def test_text_that_no_estimate_knows_is_reserved_for_by_its_bytes_unless_it_was_counted() -> None:
    packed = ("x" * 3_000,)
    assert reserved({"price": ONE_EACH}, texts=packed) == (2_000 + 100) * TOKEN
    assert reserved({"price": ONE_EACH}, texts=packed, input_tokens=WHOLE) == (500 + 100) * TOKEN
    assert reserved({"price": ONE_EACH}, texts=("x" * 30,)) == (500 + 100) * TOKEN


def test_what_is_attached_is_reserved_for_at_its_price() -> None:
    dear = {"price": {**ONE_EACH, "input_audio_mtok": 10}, "audio_inputs": True}
    assert reserved(dear, media=("audio",)) == (5_000 + 100) * TOKEN
    assert reserved(dear) == (500 + 100) * TOKEN


def test_the_service_that_the_call_asks_for_goes_before_the_models_own() -> None:
    price = {**ONE_EACH, "services": {"priority": {"input_mtok": 3, "output_mtok": 3}}}
    assert reserved({"price": price}) == 600 * TOKEN
    assert reserved({"price": price, "service_tier": "priority"}) == 1_800 * TOKEN
    assert reserved({"price": price, "service_tier": "priority"}, service="flex") == 600 * TOKEN


def test_another_model_that_is_asked_for_is_priced_by_the_catalog() -> None:
    card = {"price": ONE_EACH, "provider": "openai"}
    router = scripted_router({"a": ["ok"]}, cards={"a": card})
    candidate = router.explain("hello").chosen
    usage = Usage(1_000_000, 0)

    def cost(model: str) -> int | None:
        account = paid(router, Request(("hello",), model=model))
        account.open(1, candidate)
        return account.close(1, candidate, None, Reply(usage=usage), had_content=True, cancelled=False)[1]

    assert cost("") == 10**12
    assert cost("gpt-4o-mini") == 15 * 10**10
    assert cost("nobody-knows-it") is None


def test_a_model_of_unknown_price_has_no_place_under_a_cap() -> None:
    router = scripted_router({"a": ["ok"]}, cards={"a": {"price": None}}, budgets=[{**CAP, "on_exceed": "warn"}])
    candidate = router.explain("hello").chosen
    assert paid(router, Request(("hello",))).open(1, candidate) is None
    assert router.budgets.reserved == 0


def refused(card: dict[str, Any], *, scope: str = "global", limit_usd: float = 0.0001, **request: Any) -> Denial:
    """Why a cap forbids a launch of "a"; "b" has the same card, but answers of at most 10 tokens."""
    router = scripted_router(
        {"a": ["ok"], "b": ["ok"]}, cards={"a": card, "b": {**card, "max_output_tokens": 10}},
        budgets=[{"scope": scope, "limit_usd": limit_usd}],
    )  # fmt: skip
    asked = Request(**{"texts": ("say hello to the world",), **request})
    denial = paid(router, asked, input_tokens=40).open(1, router.explain(Request(("hi",), max_tokens=1)).chosen)
    assert isinstance(denial, Denial)
    return denial


def test_all_answers_of_a_call_are_reserved() -> None:
    assert reserved({"price": ONE_EACH}, answers=3) == (500 + 300) * TOKEN
    assert reserved({"price": ONE_EACH, "answers": 2}) == (500 + 200) * TOKEN


def test_a_refusal_names_the_models_that_would_fit() -> None:
    assert refused({"price": ONE_EACH, "max_output_tokens": 1_000}).fits == ("b",)


def test_a_refusal_says_where_nobody_states_how_long_an_answer_can_be() -> None:
    assert "(131,072 output tokens are reserved, because a has no" in refused({"price": ONE_EACH}).told
    assert "(393,216 output tokens are reserved, because a has no" in refused({"price": ONE_EACH}, answers=3).told
    small = {"price": ONE_EACH, "context_window": 3_000}
    assert "(2,970 output tokens are reserved, because a has no known output limit" in refused(small).told, (
        "beside 40 of input"
    )
    for stated, request in (({"max_output_tokens": 900}, {}), ({"output_reserve": 900}, {}), ({}, {"max_tokens": 900})):
        told = refused({"price": ONE_EACH, **stated}, **request).told
        assert told.endswith("(to reserve less, state a smaller max_tokens on the call)")


def test_a_cap_on_a_provider_holds_whatever_its_models_call_it() -> None:
    denial = refused({"price": ONE_EACH, "provider": "google_genai"}, scope="provider:google", max_tokens=900)
    assert denial.scope == "provider:google"


# -- a request's own limit ------------------------------------------------------------------------


def allowed(card: dict[str, Any], limit_usd: float, **request: Any) -> bool:
    """Whether a first launch is within `max_cost_usd`."""
    router = scripted_router({"a": ["ok"]}, cards={"a": card})
    with routing(max_cost_usd=limit_usd):
        account = paid(router, Request(**{"texts": ("hello",), **request}))
    denial = account.open(1, router.explain("hello").chosen)
    assert denial is None or isinstance(denial, Denial)
    return denial is None


@pytest.mark.parametrize(
    ("card", "request_", "tokens"),
    [
        ({}, {}, WHOLE + 1_024),
        ({"context_window": 2_000}, {}, WHOLE + 500),
        ({"output_reserve": 50}, {}, WHOLE + 50),
        ({"output_reserve": 50}, {"max_tokens": 70}, WHOLE + 70),
        ({"output_reserve": 50}, {"answers": 3}, WHOLE + 150),
        ({"service_tier": "priority"}, {"max_tokens": 100}, 3 * (WHOLE + 100)),
        ({"service_tier": "priority"}, {"max_tokens": 100, "service": "flex"}, WHOLE + 100),
    ],
)
def test_an_attempt_is_foreseen_by_the_plans_size_and_the_reserve(
    card: dict[str, Any], request_: dict[str, Any], tokens: int
) -> None:
    price = {**ONE_EACH, "services": {"priority": {"input_mtok": 3, "output_mtok": 3}}}
    assert allowed({"price": price, **card}, tokens / 1e6, **request_)
    assert not allowed({"price": price, **card}, (tokens - 1) / 1e6, **request_)


def test_an_attempt_whose_price_nobody_knows_is_above_every_limit() -> None:
    assert not allowed({"price": None}, 1_000.0)
    assert not allowed({"price": ONE_EACH}, 1_000.0, service="priority")


def test_without_a_limit_nothing_is_foreseen() -> None:
    router = scripted_router({"a": ["ok"]}, cards={"a": {"price": None}})
    assert paid(router, Request(("hello",))).open(1, router.explain("hello").chosen) is None


def test_the_key_that_pays_is_booked_by_its_mark() -> None:
    router = scripted_router({"a": ["ok"]})
    candidate = router.explain("hello").chosen
    with routing(tenant="acme", session="s"):
        account = paid(router, Request(("hello",)))
    account.open(1, candidate)
    account.close(1, candidate, None, Reply(usage=Usage(1, 1)), had_content=True, cancelled=False)
    (call,) = router.ledger.calls()
    assert (call.credential, call.tenant, call.session, call.at) == ("a", "acme", "s", router.clock.unix())
