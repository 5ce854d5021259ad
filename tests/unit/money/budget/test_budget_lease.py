"""What one process may spend of one pot without asking."""

from __future__ import annotations

import pytest

from capability_router.money.budget.budget_lease import BudgetLease
from capability_router.money.budget.cap import BudgetSpec
from capability_router.stores.base import BudgetPeriod, LeaseGrant

LIMIT = 1_000


def purse(
    window: str = "", starts: float | None = None, ends: float | None = None, rolls: float | None = None
) -> BudgetLease:
    return BudgetLease(
        BudgetSpec("global", LIMIT / 1e12), "global", BudgetPeriod("total|global", window, LIMIT, starts, ends, rolls)
    )


def lent(
    found: BudgetLease, amount: int, *, spent: int | None = None, reserved: int | None = None, now: float = 0.0,
    frees_at: float | None = None,
) -> BudgetLease:  # fmt: skip
    """The store lends so much: all that was told is spent, and all that is lent reserved, unless others have some."""
    claim = found.claim(0, now, now, 30.0)
    reserved, spent = amount if reserved is None else reserved, claim.spent if spent is None else spent
    found.granted(claim, LeaseGrant(amount, spent, reserved, 0.0, frees_at), now, now)
    return found


def spend(found: BudgetLease, cost: int) -> BudgetLease:
    found.hold(cost, 0.0)
    found.pay(cost, cost)
    return found


def test_a_window_holds_its_beginning_and_not_its_end() -> None:
    found = purse("w", 10.0, 20.0)
    assert [found.holds(at) for at in (9.9, 10.0, 19.9, 20.0)] == [False, True, True, False]
    assert purse().holds(0.0)


def test_what_is_lent_is_free_until_the_loan_ends_less_what_is_held_and_spent() -> None:
    found = purse()
    assert found.free(0.0, 0.0) == 0
    lent(found, 100, now=5.0)
    found.hold(30, 5.0)
    spend(found, 20)
    assert [found.free(at, at) for at in (5.0, 34.9, 35.0)] == [50, 50, 0]


def test_a_loan_ends_by_the_wall_clock_too_which_goes_on_in_a_sleep() -> None:
    found = lent(purse(), 100)
    assert [found.free(0.0, unix) for unix in (0.0, 29.9, 30.0)] == [100, 100, 0]


def test_a_loan_ends_by_the_routers_clock_too() -> None:
    found = lent(purse(), 100)
    assert [found.free(now, 0.0) for now in (0.0, 29.9, 30.0)] == [100, 100, 0]


def test_claims_are_numbered_so_that_a_late_one_is_known() -> None:
    found = purse()
    assert [found.claim(1, 0.0, 0.0, 30.0).number, found.report(0.0, 0.0, 30.0).number] == [1, 2]


def rested(*, told: bool = True, held: int = 0) -> BudgetLease:
    found = spend(lent(purse(), 100), 40)
    if told:
        lent(found, 60)
    found.hold(held, 0.0)
    return found


@pytest.mark.parametrize(
    ("found", "after", "another"),
    [
        (rested(), 3_600.0, False), (rested(), 3_600.1, True), (rested(told=False), 3_600.1, False),
        (rested(held=1), 3_600.1, False),
    ],
)  # fmt: skip
def test_a_purse_that_has_long_rested_begins_as_another_holder(found: BudgetLease, after: float, another: bool) -> None:
    """A store forgets holders in time, and would book what such a one has spent again."""
    before, known = found.holder, found.known_spent
    claim = found.claim(1, after, after, 30.0)
    assert (claim.holder != before, claim.number == 1, claim.spent) == (another, another, 0 if another else 40)
    assert found.known_spent == known


def test_a_purse_whose_loan_goes_on_is_no_other_holder() -> None:
    found = lent(purse(), 100)
    found.granted(found.report(0.0, 0.0, 9_000.0), LeaseGrant(0, 0, 0, 0.0), 0.0, 0.0)
    assert found.report(5_000.0, 5_000.0, 30.0).number == 3


def test_a_purse_whose_loan_ends_this_moment_is_no_other_holder() -> None:
    found = lent(purse(), 100)
    found.granted(found.report(0.0, 0.0, 5_000.0), LeaseGrant(0, 0, 0, 0.0), 0.0, 0.0)
    assert found.report(5_000.0, 5_000.0, 30.0).number == 3


def test_a_purse_has_rested_since_it_last_asked() -> None:
    found = lent(purse(), 0, now=2_000.0)
    assert found.claim(1, 5_600.0, 5_600.0, 30.0).number == 2
    assert found.claim(1, 9_200.1, 9_200.1, 30.0).number == 1


def test_a_refusal_is_the_first_once_in_a_window_and_once_in_the_time_of_a_rolling_one() -> None:
    assert [purse("w", 0.0, 9e9).first_refusal(at) for at in (0.0, 8e9)] == [True, True]
    found = purse("w", 0.0, 9e9)
    assert [found.first_refusal(at) for at in (0.0, 1.0, 8e9)] == [True, False, False]
    rolling = purse(rolls=60.0)
    times = (100.0, 130.0, 159.9, 160.0, 219.0, 220.0)
    assert [rolling.first_refusal(at) for at in times] == [True, False, False, True, False, True]


def test_calls_within_a_second_borrow_ahead_twice_as_much_each_time() -> None:
    found = purse()
    wishes = []
    for now in (0.0, 0.999, 1.5, 2.5):
        claim = found.claim(10, now, now, 30.0)
        assert claim.least == found.held + 10
        wishes.append(claim.wish - claim.least)
        found.hold(10, now)
    assert wishes == [0, 20, 40, 0]


def test_a_larger_call_doubles_itself() -> None:
    found = purse()
    found.hold(0, 0.0)
    assert found.claim(10, 0.0, 0.0, 30.0).wish == 30
    assert found.claim(50, 0.0, 0.0, 30.0).wish == 150


def test_what_is_borrowed_ahead_fits_into_a_number_of_any_store() -> None:
    found = purse()
    found.hold(0, 0.0)
    for _ in range(100):
        claim = found.claim(10, 0.0, 0.0, 30.0)
    assert LIMIT < claim.wish < 2**63


def test_the_whole_pot_may_be_asked_for() -> None:
    assert purse().claim(10, 0.0, 0.0, 30.0, whole=True).wish == LIMIT


@pytest.mark.parametrize(
    ("after", "final", "ahead"), [(0.0, False, 20), (0.999, False, 20), (1.0, False, 0), (0.0, True, 0)]
)
def test_what_was_borrowed_ahead_is_kept_while_calls_follow_each_other(after: float, final: bool, ahead: int) -> None:
    found = purse()
    found.hold(10, 50.0)
    found.claim(10, 50.0, 50.0, 30.0)
    claim = found.report(50.0 + after, 50.0, 30.0, final=final)
    assert (claim.least, claim.wish - claim.least, claim.final) == (10, ahead, False)


def test_nothing_is_kept_ahead_before_anything_was_borrowed() -> None:
    """A cap that only warns is held from without asking."""
    found = spend(purse(), 10)
    claim = found.report(0.0, 0.0, 30.0)
    assert (claim.spent, claim.least, claim.wish, claim.lease_s, claim.final) == (10, 0, 0, 30.0, False)


def test_the_last_word_is_one_only_if_nothing_is_held() -> None:
    found = purse()
    assert found.report(0.0, 0.0, 30.0, final=True).final
    found.hold(1, 0.0)
    assert not found.report(0.0, 0.0, 30.0, final=True).final


def answered(
    found: BudgetLease, amount: int, spent: int, reserved: int = 0, lent: int = 0, at: float = 5.0
) -> BudgetLease:
    """The store is asked for so much, and says how the pot stands."""
    found.granted(found.claim(amount, at, at, 30.0), LeaseGrant(lent, spent, reserved, 0.0), at, at)
    return found


def test_what_a_store_has_no_room_for_is_not_asked_for_again_for_a_second() -> None:
    found = answered(purse(), 51, spent=950)
    assert [found.store_exhausted(51, at) for at in (5.0, 5.999, 6.0)] == [True, True, False]
    assert [found.store_exhausted(amount, 5.0) for amount in (50, 51, 52)] == [False, True, True]
    found.hold(30, 5.0)
    assert [found.store_exhausted(amount, 5.0) for amount in (20, 21)] == [False, True]
    assert not answered(purse(), 50, spent=950).store_exhausted(50, 5.0)
    assert not purse().store_exhausted(10**9, 0.0)


@pytest.mark.parametrize(("spent", "reserved", "until"), [(900, 1, 5.1), (901, 0, 6.0), (500, 450, 5.1)])
def test_what_is_only_lent_may_come_back_sooner(spent: int, reserved: int, until: float) -> None:
    found = answered(purse(), 100, spent, reserved)
    assert [found.store_exhausted(100, at) for at in (until - 0.001, until)] == [True, False]


def test_what_is_lent_to_oneself_is_room() -> None:
    assert answered(purse(), 51, spent=500, reserved=490, lent=40).store_exhausted(51, 5.0)
    assert not answered(purse(), 50, spent=500, reserved=490, lent=40).store_exhausted(50, 5.0)


@pytest.mark.parametrize(("spent", "dry"), [(939, True), (938, False)])
def test_a_pot_that_has_room_again_is_asked_at_once(spent: int, dry: bool) -> None:
    found = answered(purse(), 51, spent=950)
    answered(found, 10, spent, reserved=21, lent=10)  # leaves 50 or 51
    assert found.store_exhausted(51, 5.5) is dry


def test_what_is_left_is_what_nobody_has() -> None:
    found = lent(purse(), 100, spent=300, reserved=250)  # 150 of it other processes'
    assert (found.left, found.known_spent) == (550, 300)
    spend(found, 40)
    found.hold(30, 0.0)
    assert (found.left, found.known_spent) == (480, 340)
    lent(found, 60, spent=340, reserved=210)
    assert (found.left, found.known_spent) == (480, 340)
    spend(found, 10)
    assert (found.left, found.known_spent) == (470, 350)


def test_more_than_was_lent_leaves_no_less_than_nothing() -> None:
    found = spend(lent(purse(), 100, spent=900), 500)
    assert found.left == 0
    assert spend(lent(purse(), 100, spent=500, reserved=100), 300).left == 400  # as far as it is known here


def test_a_rolling_window_is_freed_bit_by_bit() -> None:
    assert purse("w", 0.0, 9.0).resets_at == 9.0
    found = purse(rolls=60.0)
    assert found.resets_at is None
    assert lent(found, 0, frees_at=7.0).resets_at == 7.0


def test_a_purse_is_at_rest_when_nothing_is_held_lent_or_untold() -> None:
    found = lent(purse(), 100)
    assert not found.at_rest
    found.hold(5, 0.0)
    lent(found, 0)
    assert not found.at_rest
    found.pay(5, 5)
    assert not found.at_rest
    lent(found, 0)
    assert found.at_rest


def test_no_threshold_is_told_before_the_store_was_asked() -> None:
    assert spend(purse(), LIMIT).passed() == []
    assert spend(purse(rolls=60.0), LIMIT).passed() == []


def test_each_threshold_is_told_once() -> None:
    found = lent(purse(), LIMIT)
    told = []
    for cost in (499, 1, 299, 1, 199, 1, 500):
        told.append(spend(found, cost).passed())
        assert found.passed() == []
    assert told == [[], [0.5], [], [0.8], [], [1.0], []]


def test_several_thresholds_at_once() -> None:
    assert spend(lent(purse(), LIMIT), LIMIT).passed() == [0.5, 0.8, 1.0]
    assert spend(lent(purse(), LIMIT, spent=600), 400).passed() == [0.8, 1.0]
    assert spend(lent(purse(), LIMIT, spent=1_000), 400).passed() == []


def test_money_that_is_spent_elsewhere_counts() -> None:
    found = lent(purse(), 10)
    assert lent(found, 10, spent=500).passed() == [0.5]
    assert spend(found, 300).passed() == [0.8]
    assert lent(found, 10, spent=100).passed() == []  # corrected
    assert lent(found, 10, spent=800).passed() == []


def test_what_this_process_has_spent_itself_before_it_asked_is_news() -> None:
    found = spend(purse(), 600)
    lent(found, 0)
    assert found.passed() == [0.5]


def test_a_rolling_window_tells_again_when_it_had_come_to_rest() -> None:
    found = lent(purse(rolls=60.0), LIMIT)
    spendings = (500, 800, 600, 800, 499, 500, 1_000, 850, 1_000)
    told = [lent(found, LIMIT, spent=spent).passed() for spent in spendings]
    assert told == [[0.5], [0.8], [], [], [], [0.5], [0.8, 1.0], [], []]
