"""What every store must do, whatever it is made of."""

from __future__ import annotations

import pytest

from capability_router.clock import ManualClock
from capability_router.money.budget.window import span
from capability_router.stores.base import BudgetPeriod, LeaseClaim, Store
from capability_router.stores.lending import HOLDERS, KEPT_S, SHARE

POT = BudgetPeriod("tenant:acme|total", "", 1_000)
MILLION = BudgetPeriod("global|total", "", 1_000_000 * 10**12)


def test_spent_and_lent_together_never_exceed_the_limit(store: Store) -> None:
    claim = store.budgets.claim
    first = claim(LeaseClaim(POT, "a", 0, least=600, wish=600))
    assert (first.lent, first.spent, first.reserved) == (600, 0, 600)
    assert claim(LeaseClaim(POT, "b", 0, least=401)).lent == 0
    assert claim(LeaseClaim(POT, "b", 0, least=400)).lent == 400
    told = claim(LeaseClaim(POT, "a", 100))
    assert (told.lent, told.spent, told.reserved) == (0, 100, 400)
    assert claim(LeaseClaim(POT, "a", 100, least=501)).lent == 0
    assert claim(LeaseClaim(POT, "a", 100, least=500)).reserved == 900


def test_a_claim_said_twice_changes_nothing(store: Store) -> None:
    claim = LeaseClaim(POT, "a", 300, kept=100, least=200, wish=200)
    assert store.budgets.claim(claim)[:3] == store.budgets.claim(claim)[:3] == (200, 300, 200)


def test_a_claim_that_a_later_one_has_overtaken_changes_no_loan_but_what_it_tells_is_booked(store: Store) -> None:
    early, late = LeaseClaim(POT, "a", 5, number=1), LeaseClaim(POT, "a", 3, kept=0, least=100, wish=100, number=2)
    assert store.budgets.claim(late).lent == 100
    overtaken = store.budgets.claim(early)
    assert (overtaken.lent, overtaken.spent, overtaken.reserved) == (100, 5, 100)
    assert store.budgets.claim(LeaseClaim(POT, "b", 0, least=896)).lent == 0
    assert store.budgets.claim(LeaseClaim(POT, "a", 5, number=3)).reserved == 0


def test_who_wants_more_than_he_needs_gets_a_part_of_what_is_left(store: Store) -> None:
    share = 1 if store.budgets.inline else SHARE
    assert store.budgets.claim(LeaseClaim(POT, "a", 0, least=200, wish=1_000)).lent == 200 + 800 // share
    assert store.budgets.claim(LeaseClaim(POT, "a", 0, least=990, wish=1_000)).lent == 990 + 10 // share


def test_a_refused_holder_keeps_what_its_calls_under_way_hold(store: Store) -> None:
    store.budgets.claim(LeaseClaim(POT, "b", 0, least=500, wish=500))
    store.budgets.claim(LeaseClaim(POT, "a", 0, least=450, wish=450))
    refused = store.budgets.claim(LeaseClaim(POT, "a", 0, kept=300, least=501, wish=600))
    assert (refused.lent, refused.reserved) == (300, 800)


def test_a_loan_that_is_not_renewed_ends_and_late_spending_is_booked(store: Store, clock: ManualClock) -> None:
    store.budgets.claim(LeaseClaim(POT, "a", 0, least=900, wish=900, lease_s=30))
    clock.advance(29.9)
    assert store.budgets.claim(LeaseClaim(POT, "b", 0, least=101)).lent == 0
    clock.advance(0.2)
    assert store.budgets.claim(LeaseClaim(POT, "b", 0, least=900)).lent == 900
    late = store.budgets.claim(LeaseClaim(POT, "a", 250))
    assert (late.spent, late.lent) == (250, 0)
    assert store.budgets.claim(LeaseClaim(POT, "a", 250)).spent == 250


def test_a_million_dollars_are_counted_to_the_picodollar(store: Store) -> None:
    first = store.budgets.claim(LeaseClaim(MILLION, "a", 0, least=MILLION.limit - 1))
    assert first.lent == MILLION.limit - 1
    assert store.budgets.claim(LeaseClaim(MILLION, "b", 0, least=2)).lent == 0
    assert store.budgets.claim(LeaseClaim(MILLION, "b", 0, least=1)).reserved == MILLION.limit
    assert store.budgets.claim(LeaseClaim(MILLION, "a", MILLION.limit - 1)).spent == MILLION.limit - 1
    dear = BudgetPeriod("model:dear|total", "", 10**24)
    assert store.budgets.claim(LeaseClaim(dear, "a", 10**24 - 10**9 + 1, least=10**9 - 1)).lent == 10**9 - 1


def test_a_rolling_window_forgets_bit_by_bit(store: Store, clock: ManualClock) -> None:
    pot = BudgetPeriod("global|rolling:640", "", 1_000, rolls_s=640.0)
    store.budgets.claim(LeaseClaim(pot, "a", 400))
    clock.advance(320)
    grant = store.budgets.claim(LeaseClaim(pot, "a", 1_000))
    assert grant.spent == 1_000
    clock.advance(grant.frees_at - grant.at - 0.5)  # type: ignore[operator]
    assert store.budgets.claim(LeaseClaim(pot, "b", 0, least=1)).lent == 0
    clock.advance(0.5)
    assert store.budgets.claim(LeaseClaim(pot, "b", 0, least=401)).lent == 0
    assert store.budgets.claim(LeaseClaim(pot, "b", 0, least=400)).lent == 400
    clock.advance(320)
    assert store.budgets.claim(LeaseClaim(pot, "b", 0, least=1_000)).lent == 1_000


def test_a_window_that_is_over_is_told_of_but_lends_no_more(store: Store, clock: ManualClock) -> None:
    day = span("day", clock.unix())
    pot = BudgetPeriod("global|day", day.id, 1_000, day.starts, day.ends)
    store.budgets.claim(LeaseClaim(pot, "a", 0, least=500))
    clock.advance(86_400)
    late = store.budgets.claim(LeaseClaim(pot, "a", 200, kept=100, least=300, wish=400))
    assert (late.lent, late.spent) == (100, 200)
    early = BudgetPeriod("global|day", "2100-01-01", 1_000, clock.unix() + 10, clock.unix() + 20)
    assert store.budgets.claim(LeaseClaim(early, "a", 0, least=1)).lent == 0
    assert [row.window for row in store.budgets.standings()] == []


def test_holders_that_have_long_gone_are_forgotten_but_not_what_they_spent(store: Store, clock: ManualClock) -> None:
    store.budgets.claim(LeaseClaim(POT, "a", 100, final=True))
    store.budgets.claim(LeaseClaim(POT, "b", 100))
    clock.advance(KEPT_S + 31)
    grant = store.budgets.claim(LeaseClaim(POT, "c", 0))
    assert grant.spent == 200


def test_few_holders_are_never_forgotten_so_none_is_booked_twice(store: Store, clock: ManualClock) -> None:
    """Asleep for days with a call under way, or beside a process whose clock is ahead for a moment."""
    store.budgets.claim(LeaseClaim(POT, "a", 100, kept=50, least=50))
    store.budgets.claim(LeaseClaim(POT, "b", 10, final=True))
    clock.advance(3 * KEPT_S)
    assert store.budgets.claim(LeaseClaim(POT, "c", 0)).spent == 110
    assert store.budgets.claim(LeaseClaim(POT, "a", 120)).spent == 130
    assert store.budgets.claim(LeaseClaim(POT, "b", 10)).spent == 130


def test_of_many_holders_those_that_have_long_gone_are(store: Store, clock: ManualClock) -> None:
    for number in range(HOLDERS + 1):
        store.budgets.claim(LeaseClaim(POT, f"{number}", 1))
    clock.advance(KEPT_S + 31)
    assert store.budgets.claim(LeaseClaim(POT, "late", 1)).spent == HOLDERS + 2
    assert store.budgets.claim(LeaseClaim(POT, "0", 1)).spent == HOLDERS + 3  # it is a new one


def test_a_claim_that_comes_twice_changes_no_loan(store: Store) -> None:
    """A packet that was lost is sent again, and comes after the repetition was answered."""
    first = LeaseClaim(POT, "a", 0, least=900, number=1)
    assert store.budgets.claim(first).lent == 900
    assert store.budgets.claim(LeaseClaim(POT, "b", 0, least=50, number=1)).lent == 50
    assert store.budgets.claim(first._replace(least=1, wish=POT.limit)).lent == 900
    assert store.budgets.claim(LeaseClaim(POT, "b", 0, least=101, number=2)).lent == 0


def test_standings_are_those_of_the_windows_that_hold_now(store: Store, clock: ManualClock) -> None:
    day = span("day", clock.unix())
    pot = BudgetPeriod("tag:x y|day", day.id, 1_000, day.starts, day.ends)
    store.budgets.claim(LeaseClaim(pot, "a", 10, least=50))
    store.budgets.claim(LeaseClaim(POT, "a", 7))
    rows = {row.budget: row for row in store.budgets.standings()}
    assert rows["tag:x y|day"][:5] == ("tag:x y|day", day.id, 1_000, 10, 50)
    assert rows["tag:x y|day"].ends == day.ends
    assert [row.spent for row in store.budgets.standings([POT.budget])] == [7]
    clock.advance(86_400)
    assert [row.budget for row in store.budgets.standings()] == [POT.budget]


@pytest.mark.parametrize("name", ["tenant:a{b}c", "tenant:}", "tag:ünï*[x]", "tenant:a|b=c:d"])
def test_names_are_kept_apart_whatever_they_hold(store: Store, name: str) -> None:
    odd = BudgetPeriod(f"{name}|total", "", 1_000)
    store.budgets.claim(LeaseClaim(odd, "a", 5))
    assert store.budgets.claim(LeaseClaim(POT, "a", 0)).spent == 0
    assert [row.spent for row in store.budgets.standings([odd.budget])] == [5]


def test_a_closed_store_opens_again(store: Store) -> None:
    store.budgets.claim(LeaseClaim(POT, "a", 5))
    store.close()
    assert store.budgets.claim(LeaseClaim(POT, "a", 5)).spent == 5
