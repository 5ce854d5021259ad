"""What one request is charged, and what its launches may cost."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from unit.money.budget.lender import ONE, Lender, Process

from capability_router import Usage
from capability_router.clock import ManualClock
from capability_router.features import estimate_tokens
from capability_router.money.account import Account
from capability_router.money.budget.budgets import Budgets, FundsShortfall
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.denial import Denial
from capability_router.money.cost_limit import CostLimit
from capability_router.money.ledger.call import Call, CostAttribution
from capability_router.money.ledger.ledger import Ledger
from capability_router.money.price import Price
from capability_router.request import Reply

CENT = ONE // 100
COUNTED = Usage(10, 5)
PRICE = Price(1, 2, services={"flex": Price(0.5, 1)})
NOTHING = Reply()


class Model(NamedTuple):
    id: str
    provider: str = "p"
    input_tokens: int = 0


class Fault(NamedTuple):
    kind: str = "timeout"
    sent: bool = True
    started: bool = False
    status: int | None = None


class Till:
    """An account of request "r" of tenant t with what it is booked in."""

    def __init__(
        self, *specs: BudgetSpec, budgets: Budgets | None = None, most: Mapping[str, int | None] | None = None,
        tenant: str = "t", **rest: Any,
    ) -> None:  # fmt: skip
        self.ledger, self.clock = Ledger(), ManualClock()
        self.budgets = Budgets(specs, clock=self.clock) if budgets is None else budgets
        prices = {"a": PRICE, "b": PRICE, "unpriced": None}
        booked = CostAttribution(tenant, "chat", ("x", "y"), "c", "langchain", "s")
        self.account = Account(
            "r", booked, 100, ledger=self.ledger, budgets=self.budgets, prices=prices,
            most=(most or {"a": CENT, "b": CENT}).get, unix=lambda: 5.0, **rest,
        )  # fmt: skip

    def open(self, attempt: int = 1, model: str = "a") -> Denial | FundsShortfall | None:
        return self.account.open(attempt, Model(model))

    def close(
        self, reply: Reply = NOTHING, fault: Fault | None = None, *, attempt: int = 1, model: str = "a",
        had_content: bool = False, cancelled: bool = False,
    ) -> tuple[Usage, int | None]:  # fmt: skip
        return self.account.close(attempt, Model(model), fault, reply, had_content=had_content, cancelled=cancelled)

    def charged(self, reply: Reply = NOTHING, fault: Fault | None = None, **rest: Any) -> tuple[Usage, int | None]:
        """Open and close."""
        assert self.open(model=rest.get("model", "a")) is None
        return self.close(reply, fault, **rest)

    @property
    def left(self) -> list[float]:
        return [row["left_usd"] for row in self.budgets.rows()]


# -- what a launch is charged -----------------------------------------------------------------------


def test_a_launch_is_booked_whole() -> None:
    till = Till(credentials={"a": "key-1"})
    assert till.charged(Reply(COUNTED)) == (COUNTED, 20 * 10**6)
    assert till.ledger.calls() == [
        Call(
            "r", 1, "a", "p", "t", "chat", ("x", "y"), "c", "langchain", None, COUNTED, 20 * 10**6, 5.0, "key-1", "s"
        )
    ]  # fmt: skip
    assert (till.ledger.unsettled, till.account.tenant) == (0, "t")


def test_a_key_without_a_mark_is_booked_under_none() -> None:
    till = Till()
    till.charged()
    assert [call.credential for call in till.ledger.calls()] == [""]


@pytest.mark.parametrize(
    ("fault", "cancelled", "booked"),
    [(None, False, None), (Fault("server"), False, "server"), (Fault("server"), True, "cancelled"),
     (None, True, "cancelled")],
)  # fmt: skip
def test_how_a_launch_ended(fault: Fault | None, cancelled: bool, booked: str | None) -> None:
    till = Till()
    till.charged(Reply(COUNTED), fault, cancelled=cancelled)
    assert [call.fault for call in till.ledger.calls()] == [booked]


GUESS = Usage(100, 0, estimated=True)


@pytest.mark.parametrize(
    ("fault", "had_content", "usage"),
    [
        (None, False, GUESS),
        (Fault("timeout"), False, GUESS), (Fault("connection"), False, GUESS), (Fault("truncated"), False, GUESS),
        (Fault("empty"), False, GUESS), (Fault("malformed_tool_call"), False, GUESS),
        (Fault("unparsable"), False, GUESS), (Fault("content_filtered"), False, GUESS),
        (Fault("refusal"), False, GUESS),
        (Fault("timeout", sent=False), False, Usage()), (Fault("server"), False, Usage()),
        (Fault("timeout", status=400), False, Usage()), (Fault("timeout", status=399), False, GUESS),
        (Fault("rate_limited", status=429), False, Usage()),
        (Fault("server", started=True), False, GUESS), (Fault("server", sent=False, started=True), False, GUESS),
        (Fault("server", started=True, status=500), False, GUESS), (Fault("server"), True, GUESS),
    ],
)  # fmt: skip
def test_what_is_guessed_where_the_provider_counted_nothing(
    fault: Fault | None, had_content: bool, usage: Usage
) -> None:
    charged = Till().charged(NOTHING, fault, had_content=had_content)
    assert charged == (usage, 100 * 10**6 if usage.estimated else 0)


def test_the_text_that_came_is_guessed_too() -> None:
    usage, _ = Till().charged(Reply(text="word " * 40), Fault("server"))
    assert usage == Usage(100, estimate_tokens("word " * 40), estimated=True)


@pytest.mark.parametrize(
    ("reply", "model", "cost"),
    [
        (Reply(COUNTED), "a", 20 * 10**6), (Reply(COUNTED), "unpriced", None), (Reply(COUNTED), "stranger", None),
        (Reply(COUNTED, cached=True, cost_usd=1), "a", 0), (Reply(COUNTED, cached=True), "unpriced", 0),
        (Reply(COUNTED, cost_usd="0.25"), "unpriced", ONE // 4), (Reply(COUNTED, cost_usd=0), "a", 0),
        (Reply(Usage()), "unpriced", 0), (Reply(Usage(1)), "unpriced", None), (Reply(Usage(0, 1)), "unpriced", None),
        (Reply(Usage(1)), "a", 10**6), (Reply(Usage(0, 1)), "a", 102 * 10**6),
    ],
)  # fmt: skip
def test_what_a_launch_costs(reply: Reply, model: str, cost: int | None) -> None:
    assert Till().charged(reply, model=model)[1] == cost


def test_a_launch_without_a_token_costs_nothing_whatever_a_call_costs() -> None:
    till = Till()
    till.account._prices = {"a": Price(1, 2, per_request=0.5)}
    assert till.charged(Reply(Usage()))[1] == 0
    assert till.charged(Reply(Usage(1)))[1] == ONE // 2 + 10**6


def test_a_bill_that_is_no_amount_is_told_and_the_price_taken(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "capability_router"):
        assert Till().charged(Reply(COUNTED, cost_usd="lots"))[1] == 20 * 10**6
        told = [(record.name, record.getMessage()) for record in caplog.records]
        assert told == [("capability_router", "a reported a cost that is no amount of USD; its price is taken instead")]
        caplog.clear()
        Till().charged(Reply(COUNTED))
    assert caplog.records == []


@pytest.mark.parametrize(
    ("bill", "cost"), [("9999.999999999999", 10**16 - 1), (10_000, 20 * 10**6), ("1e30", 20 * 10**6)]
)
def test_from_ten_thousand_dollars_on_a_bill_is_none_and_the_price_is_taken(
    bill: Any, cost: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert Till().charged(Reply(COUNTED, cost_usd=bill))[1] == cost
    assert ("a reported a cost that is no amount of USD" in caplog.text) is (cost == 20 * 10**6)


def test_an_answer_to_no_input_is_booked_with_the_input_that_was_sent() -> None:
    assert Till().charged(Reply(Usage(0, 5)))[0] == Usage(100, 5, estimated=True)
    for exact in (Reply(Usage(0, 5), cost_usd=1), Reply(Usage(0, 5), cached=True), Reply(Usage(7, 0))):
        assert Till().charged(exact)[0] == exact.usage


@pytest.mark.parametrize(
    ("counted", "believed"),
    [
        (Usage(10**9, 10**9), True),
        (Usage(10**9 + 1, 5), False),
        (Usage(5, 10**9 + 1), False),
        (Usage(5, 5, cache_read_tokens=-1), False),
        (Usage(5, 5, output_audio_tokens=-9, input_audio_tokens=9), False),
    ],
)
def test_of_a_count_that_is_impossible_the_usual_guess_is_taken(counted: Usage, believed: bool) -> None:
    assert Till().charged(Reply(counted))[0] == (counted if believed else GUESS)


@pytest.mark.parametrize(
    ("reply", "model", "estimated"),
    [
        (Reply(Usage(10, 5, service_tier="priority")), "a", True),
        (Reply(Usage(10, 5, service_tier="flex")), "a", False), (Reply(COUNTED), "a", False),
        (Reply(Usage(10, 5, service_tier="priority"), cost_usd=1), "a", False),
        (Reply(Usage(10, 5, service_tier="priority"), cached=True), "a", False),
        (Reply(Usage(10, 5, service_tier="priority")), "unpriced", False),
    ],
)  # fmt: skip
def test_a_service_without_a_known_price_is_an_estimate_in_the_ledger_only(
    reply: Reply, model: str, estimated: bool
) -> None:
    till = Till()
    assert till.charged(reply, model=model)[0] == reply.usage
    assert [call.estimated for call in till.ledger.calls()] == [estimated]


# -- what budgets allow -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scope", ["global", "tenant:t", "task:chat", "chain:c", "model:a", "provider:p", "tag:x", "tag:y"]
)
def test_every_scope_of_a_request_is_held_and_paid(scope: str) -> None:
    till = Till(BudgetSpec(scope, 0.02))
    assert till.open() is None
    assert till.budgets.reserved == CENT
    till.close(Reply(COUNTED, cost_usd="0.005"))
    assert (till.budgets.reserved, till.left) == (0, [0.015])
    assert till.open(2) is None
    assert isinstance(till.open(3), Denial)
    assert till.ledger.unsettled == 1


def test_what_costs_an_unknown_amount_counts_in_a_cap_as_much_as_was_reserved() -> None:
    """As a tier of the price may be unknown that is reached by more tokens than were foreseen."""
    till = Till(BudgetSpec("global", 0.02), most={"unpriced": CENT})
    assert till.charged(Reply(COUNTED), model="unpriced")[1] is None
    assert (till.budgets.reserved, till.left) == (0, [0.01])


def test_what_costs_an_unknown_amount_and_was_not_foreseen_counts_for_nothing() -> None:
    till = Till(BudgetSpec("global", 0.02, on_exceed="warn"), most={"unpriced": None})
    assert till.charged(Reply(COUNTED), model="unpriced")[1] is None
    assert (till.budgets.reserved, till.left) == (0, [0.02])


def test_a_refusal_stands_for_the_request_and_names_the_models_that_fit() -> None:
    models = [Model("a"), Model("b"), Model("same"), Model("unknown"), Model("dear")]
    most = {"a": 2 * CENT, "b": CENT // 2, "same": CENT, "unknown": None, "dear": CENT + 1}
    till = Till(BudgetSpec("global", 0.01), most=most, candidates=models)
    refused = till.open()
    assert isinstance(refused, Denial)
    assert (refused.on_exceed, refused.fits) == ("refuse", ("b", "same"))
    assert till.open(2, "b") is refused
    assert (till.ledger.unsettled, till.budgets.reserved) == (0, 0)


def test_a_tenant_is_not_told_the_numbers_of_a_cap_that_is_everybodys() -> None:
    dear = {"a": 2 * CENT}
    for tenant, private in (("t", True), ("", False)):
        refused = Till(BudgetSpec("global", 0.01), most=dear, tenant=tenant).open()
        assert isinstance(refused, Denial)
        assert (refused.private, "$0.01 left" in refused.told) == (private, not private)
    own = Till(BudgetSpec("tenant:t", 0.01), most=dear).open()
    assert isinstance(own, Denial)
    assert not own.private


def test_a_call_of_no_tenant_is_held_to_the_caps_that_are_not_everybodys() -> None:
    refused = Till(BudgetSpec("task:chat", 0.01), most={"a": 2 * CENT}, tenant="").open()
    assert isinstance(refused, Denial)
    assert refused.told.startswith("task:chat: ")


def test_output_without_input_is_paid_for_where_its_bill_is_none() -> None:
    usage, cost = Till().charged(Reply(usage=Usage(0, 5), cost_usd="no amount"))
    assert (usage, cost) == (Usage(0, 5), 5 * ONE * 2 // 1_000_000)


LESS = " (to reserve less, state a smaller max_tokens on the call)"


def test_a_refusal_advises_to_reserve_less_where_that_would_help() -> None:
    till = Till(BudgetSpec("global", 0.01), most={"a": 2 * CENT, "unpriced": None})
    for told in (till.account.foreseen(Model("a")), till.open()):
        assert isinstance(told, Denial)
        assert (told.told.count(LESS), told.told.endswith(LESS), told.on_exceed) == (1, True, "refuse")
    unpriced = Till(BudgetSpec("global", 0.01), most={"unpriced": None}).open(model="unpriced")
    assert isinstance(unpriced, Denial)
    assert LESS not in unpriced.told
    assert "are reserved" not in unpriced.told


def test_a_model_whose_answers_nobody_limits_ends_no_request_and_is_told_what_it_lacks() -> None:
    lacking = {"a": 1_000, "unpriced": 1_000}.get
    till = Till(BudgetSpec("global", 0.01), most={"a": 2 * CENT, "b": CENT, "unpriced": None}, unlimited=lacking)
    told = till.open()
    assert isinstance(told, Denial)
    assert (told.on_exceed, told.fits) == ("degrade", ())
    assert told.told.endswith(
        " (1,000 output tokens are reserved, because a has no known output limit: set max_output_tokens "
        "or output_reserve on its entry, or max_tokens on the call)"
    )
    unpriced = till.open(2, "unpriced")
    assert isinstance(unpriced, Denial)
    assert "are reserved" not in unpriced.told
    other = Till(BudgetSpec("global", 0.01), most={"a": 2 * CENT, "b": CENT}, unlimited=lacking)
    other.open()
    assert other.open(2, "b") is None


def test_the_refused_model_itself_never_fits() -> None:
    costs = iter([CENT + 1, CENT])
    till = Till(BudgetSpec("global", 0.01), candidates=[Model("a")])
    till.account._most = lambda id: next(costs)  # what it may cost has changed meanwhile
    refused = till.open()
    assert isinstance(refused, Denial)
    assert refused.fits == ()


def test_a_cap_that_degrades_lets_the_next_model_try() -> None:
    most = {"a": 2 * CENT, "b": CENT}
    till = Till(BudgetSpec("global", 0.01, on_exceed="degrade"), most=most, candidates=[Model("b")])
    told = till.open()
    assert isinstance(told, Denial)
    assert (told.on_exceed, told.fits) == ("degrade", ())
    assert till.open(2, "b") is None


def test_what_is_foreseen_reserves_nothing() -> None:
    till = Till(BudgetSpec("provider:p", 0.01), most={"a": CENT + 1, "b": CENT})
    told = till.account.foreseen(Model("a"))
    assert told is not None
    assert told.scope == "provider:p"
    assert till.account.foreseen(Model("b")) is None
    assert till.account.foreseen(Model("a", "another")) is None
    assert till.budgets.reserved == 0


def test_without_budgets_nobody_asks_what_a_call_may_cost() -> None:
    till = Till()
    till.account._most = None  # type: ignore[assignment]  # it would fail
    assert till.charged(Reply(COUNTED))[1] == 20 * 10**6


# -- what a store lends -----------------------------------------------------------------------------


@pytest.fixture
def till(lender: Lender, clock: ManualClock) -> Till:
    return Till(budgets=Process(lender, clock), candidates=[Model("a"), Model("b")])


def test_a_loan_is_waited_for_and_used_once(till: Till, lender: Lender) -> None:
    short = till.open()
    assert isinstance(short, FundsShortfall)
    assert till.ledger.unsettled == 0
    till.account.borrow(1, short)
    assert till.open() is None
    assert (till.ledger.unsettled, till.budgets.reserved, len(lender.claims)) == (1, CENT, 1)
    till.account.release_loans()
    assert till.budgets.reserved == CENT
    till.close(Reply(COUNTED, cost_usd="0.005"))
    assert (till.budgets.reserved, till.left) == (0, [0.995])


def test_a_loan_is_for_its_own_launch(till: Till, clock: ManualClock) -> None:
    one, two = till.open(1), till.open(2, "b")
    assert isinstance(one, FundsShortfall)
    assert isinstance(two, FundsShortfall)
    till.account.borrow(2, two)
    clock.advance(100.0)
    assert isinstance(till.open(1), FundsShortfall)
    assert till.open(2, "b") is None


def test_what_was_lent_and_not_used_is_given_back(till: Till) -> None:
    short = till.open()
    assert isinstance(short, FundsShortfall)
    till.account.borrow(1, short)
    assert till.budgets.reserved == CENT
    till.account.release_loans()
    assert till.budgets.reserved == 0
    till.account.borrow(2, short)  # its answer comes when the request is over
    assert till.budgets.reserved == 0
    till.account.release_loans()
    assert till.left == [1.0]


def test_a_refused_loan_leaves_nothing_to_give_back(till: Till, lender: Lender) -> None:
    lender.away = True
    short = till.open()
    assert isinstance(short, FundsShortfall)
    till.account.borrow(1, short)
    till.account.release_loans()
    assert isinstance(till.open(), FundsShortfall)
    assert till.budgets.reserved == 0


def test_what_nobody_waited_for_is_not_borrowed(till: Till, lender: Lender) -> None:
    till.account.borrow(1, FundsShortfall(("global",), 1))
    till.account.release_loans()
    assert lender.claims == []


def test_while_the_store_is_away_no_model_is_said_to_fit(till: Till, lender: Lender) -> None:
    lender.away = True
    short = till.open()
    assert isinstance(short, FundsShortfall)
    till.account.borrow(1, short)
    till.account._most = {"a": CENT, "b": 0}.get
    told = till.open()
    assert isinstance(told, Denial)
    assert (told.store, told.fits, LESS in told.told) == (True, (), False)


# -- what the caller allows -------------------------------------------------------------------------


def test_a_request_s_own_limit_counts_what_is_under_way_and_what_was_spent() -> None:
    till = Till(limit=CostLimit(3 * CENT, {"a": CENT}.get))
    assert till.open(1) is None
    assert till.open(2) is None
    assert till.open(3) is None
    over = till.open(4)
    assert isinstance(over, Denial)
    assert (over.scope, over.left, over.limit, over.spent, over.reserved, over.on_exceed) == (
        "request", 0, 3 * CENT, 0, 3 * CENT, "degrade"
    )  # fmt: skip
    assert "max_cost_usd $0.03: $0 is spent by this request, a call for $0.01 is too much" in over.told
    till.close(Reply(COUNTED, cost_usd="0.005"), attempt=1)
    over = till.open(4)
    assert isinstance(over, Denial)
    assert (over.left, over.spent, over.reserved) == (CENT // 2, CENT // 2, 2 * CENT)
    till.close(Reply(COUNTED, cost_usd="0.005"), attempt=2)
    assert till.open(4) is None
    assert till.ledger.unsettled == 2


def test_after_a_cost_that_nobody_knows_nothing_more_is_allowed() -> None:
    till = Till(limit=CostLimit(ONE, {"a": CENT, "unpriced": CENT}.get))
    assert till.charged(Reply(COUNTED), model="unpriced")[1] is None
    told = till.open(2)
    assert isinstance(told, Denial)
    assert (told.left, told.spent, told.window) == (0, None, "request")
    assert "an unknown part is spent" in told.told


def test_what_is_known_later_does_not_make_up_for_what_is_not() -> None:
    till = Till(limit=CostLimit(ONE, {"a": CENT, "unpriced": CENT}.get))
    assert till.open(1, "unpriced") is None
    assert till.open(2) is None
    till.close(Reply(COUNTED), attempt=1, model="unpriced")
    till.close(Reply(COUNTED), attempt=2)
    told = till.open(3)
    assert isinstance(told, Denial)
    assert told.spent is None


def test_a_call_whose_cost_nobody_foresees_is_not_allowed() -> None:
    told = Till(limit=CostLimit(ONE, {"a": CENT}.get)).open(1, "unpriced")
    assert isinstance(told, Denial)
    assert (told.left, told.spent) == (ONE, 0)
    assert "a call of unknown price is too much" in told.told


def test_a_limit_that_was_passed_leaves_nothing() -> None:
    till = Till(limit=CostLimit(CENT, {"a": CENT}.get))
    till.charged(Reply(COUNTED, cost_usd=1))
    told = till.open(2)
    assert isinstance(told, Denial)
    assert (told.left, told.spent) == (0, ONE)


def test_what_nobody_tells_is_estimated_as_the_model_counts() -> None:
    """An image takes 85 tokens of one maker's window and 1,600 of another's."""
    till = Till()
    for attempt, tokens in ((1, 85), (2, 1_600), (3, 0)):
        model = Model("a", input_tokens=tokens)
        till.account.open(attempt, model)
        usage, _ = till.account.close(attempt, model, Fault(), NOTHING, had_content=False, cancelled=False)
        assert usage == Usage(tokens or 100, 0, estimated=True)


def test_a_routers_candidates_are_booked_as_they_count() -> None:
    from capability_router import Request
    from capability_router.testing import ask, scripted_router

    makers = {"a": {"provider": "openai"}, "b": {"provider": "anthropic"}}
    router = scripted_router({"a": ["timeout"], "b": ["ok"]}, cards=makers, retry={"per_target": 0})
    run = ask(router, Request(("what is this?",), media=("image",)))
    planned = {candidate.id: candidate.input_tokens for candidate in run.plan.candidates}
    booked = router.ledger.calls()[0]
    assert booked.model == "a"
    assert booked.usage.input_tokens == planned["a"] != run.plan.input_tokens
