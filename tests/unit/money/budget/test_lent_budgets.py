"""Budgets whose money a store lends: when it is asked, what it is told, and what is given back."""

from __future__ import annotations

import pytest
from unit.money.budget.lender import ONE, Lender, Process

from capability_router.clock import ManualClock
from capability_router.money.budget.budgets import Budgets, FundsShortfall, Reservation, StoreTerms
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.denial import Denial

DAY_ENDS_IN = 57_600.0  # the clock begins at 2027-01-15 08:00 UTC


@pytest.fixture
def one(lender: Lender, clock: ManualClock) -> Process:
    return Process(lender, clock)


def test_what_lacks_money_is_told_and_nothing_is_asked_or_held(one: Process, lender: Lender) -> None:
    assert one.reserve(iter(["global", "tenant:a"]), 7) == FundsShortfall(("global", "tenant:a"), 7)
    assert (lender.claims, one.reserved) == ([], 0)


def test_a_loan_is_spent_without_asking_until_it_ends(one: Process, lender: Lender, clock: ManualClock) -> None:
    one.settle(one.held(ONE // 2), 0)
    (claim,) = lender.claims
    assert (claim.least, claim.wish, claim.lease_s, claim.spent, claim.final) == (ONE // 2, ONE // 2, 30.0, 0, False)
    clock.advance(29.9)
    hold = one.reserve(["global"], ONE // 2)
    assert isinstance(hold, Reservation)
    assert one.reserved == ONE // 2
    one.settle(hold, 0)
    clock.advance(0.1)
    assert isinstance(one.reserve(["global"], 1), FundsShortfall)
    assert len(lender.claims) == 1


def test_the_terms_say_how_long_a_loan_lasts(lender: Lender, clock: ManualClock) -> None:
    Process(lender, clock, terms=StoreTerms(lease_s=5.0)).held(1)
    assert [claim.lease_s for claim in lender.claims] == [5.0]


def test_a_loan_is_renewed_in_its_last_two_thirds_while_a_call_holds_it(
    one: Process, lender: Lender, clock: ManualClock
) -> None:
    one.held(ONE // 2)
    clock.advance(10.0)
    assert one.sync_leases()
    assert len(lender.claims) == 1
    clock.advance(0.1)
    assert one.sync_leases()
    assert [(claim.kept, claim.wish, claim.final) for claim in lender.claims[1:]] == [(ONE // 2, ONE // 2, False)]
    assert one.sync_leases()
    assert len(lender.claims) == 2


def test_what_is_spent_is_told_once_and_what_is_left_of_the_loan_given_back(
    one: Process, lender: Lender, clock: ManualClock
) -> None:
    hold = one.held(ONE // 2)
    clock.advance(5.0)
    one.settle(hold, ONE // 4)
    assert one.sync_leases()
    assert one.sync_leases()
    assert [(claim.spent, claim.wish) for claim in lender.claims[1:]] == [(ONE // 4, 0)]
    assert [(row["spent_usd"], row["reserved_usd"]) for row in one.rows()] == [(0.25, 0.0)]


def test_the_last_word_gives_all_back_and_forgets_what_is_at_rest(one: Process, lender: Lender) -> None:
    one.settle(one.held(ONE // 4), ONE // 4)
    hold = one.held(ONE // 4)
    assert one.sync_leases(final=True)
    assert len(one.leases()) == 1
    assert (lender.claims[-1].kept, lender.claims[-1].final) == (ONE // 4, False)
    one.settle(hold, 0)
    assert one.sync_leases()
    assert len(one.leases()) == 1
    one.settle(one.held(1), 1)
    assert one.sync_leases(final=True)
    assert (lender.claims[-1].final, one.leases()) == (True, [])


def test_the_last_word_gives_back_what_is_lent_ahead(one: Process, lender: Lender, clock: ManualClock) -> None:
    for _ in range(3):  # calls that follow each other closely
        one.settle(one.held(ONE // 16), 0)
        one.held(ONE // 16)
    asked = len(lender.claims)
    assert lender.claims[-1].wish > lender.claims[-1].least
    assert one.sync_leases(final=True)
    assert [(c.kept, c.wish) for c in lender.claims[asked:]] == [(3 * ONE // 16, 3 * ONE // 16)]


def test_a_last_word_that_does_not_arrive_forgets_nothing(one: Process, lender: Lender) -> None:
    one.spend(ONE // 4)
    lender.away = True
    assert one.sync_leases(final=True) is False
    assert len(one.leases()) == 1
    lender.away = False
    assert one.sync_leases()
    assert [row["spent_usd"] for row in one.rows()] == [0.25]


def test_what_is_reserved_while_the_last_word_is_on_its_way_stays(one: Process, lender: Lender) -> None:
    one.spend(ONE // 4)
    lender.after = lender.once(lambda: one._covering(("global",))[0].hold(5, 0.0))
    assert one.sync_leases(final=True)
    assert one.reserved == 5


def test_a_window_that_is_over_is_told_of_until_nothing_is_held_in_it(
    one: Process, lender: Lender, clock: ManualClock
) -> None:
    late = one.held(ONE // 2)
    clock.advance(DAY_ENDS_IN)
    assert one.spend(ONE)
    assert len(one.leases()) == 2
    assert one.sync_leases()
    one.settle(late, ONE // 4)
    assert one.sync_leases()
    assert [(claim.pot.window, claim.spent) for claim in lender.claims if claim.spent] == [
        ("2027-01-16", ONE), ("2027-01-15", ONE // 4)
    ]  # fmt: skip
    assert len(one.leases()) == 1


def test_a_window_that_is_over_and_was_told_is_not_told_again(one: Process, lender: Lender, clock: ManualClock) -> None:
    one.spend(ONE // 2)
    assert one.sync_leases()
    clock.advance(DAY_ENDS_IN)
    assert one.fits(["global"], ONE) is None
    assert len(one.leases()) == 2
    assert one.sync_leases()
    assert len(one.leases()) == 1


def test_the_store_s_clock_says_which_window_it_is(one: Process, lender: Lender, clock: ManualClock) -> None:
    assert [row["resets_at"] for row in one.rows()] == ["2027-01-16T00:00:00Z"]
    lender.ahead = 2 * 86_400.0
    assert one.spend(ONE // 2)  # asks for the day that it believes in, then for that of the store
    assert [claim.pot.window for claim in lender.claims] == ["2027-01-15", "2027-01-17"]
    assert [(row["spent_usd"], row["resets_at"]) for row in one.rows()] == [(0.5, "2027-01-18T00:00:00Z")]


def test_a_window_that_turns_while_the_store_is_asked_is_asked_again(
    one: Process, lender: Lender, clock: ManualClock
) -> None:
    assert one.spend(ONE)
    clock.advance(DAY_ENDS_IN - 0.5)
    lender.after = lender.once(lambda: clock.advance(1.0))
    assert one.spend(ONE)
    assert [claim.pot.window for claim in lender.claims] == ["2027-01-15", "2027-01-15", "2027-01-16"]


def test_the_cap_without_room_is_named_and_the_others_keep_nothing(lender: Lender, clock: ManualClock) -> None:
    one = Process(lender, clock, BudgetSpec("tag:*", 1.0), BudgetSpec("global", 0.5, "day", "degrade"))
    found = one.got(ONE * 3 // 4, "global", "tag:x")
    assert isinstance(found, Denial)
    assert (found.scope, found.left, found.on_exceed, found.private) == ("global", ONE // 2, "degrade", False)
    assert one.reserved == 0
    assert one.sync_leases()
    assert [row["reserved_usd"] for row in one.rows()] == [0.0, 0.0]


def test_two_processes_never_hold_more_than_the_cap(lender: Lender, clock: ManualClock) -> None:
    one, two = Process(lender, clock), Process(lender, clock)
    one.held(ONE * 3 // 4)
    assert not two.spend(ONE // 4 + 1)
    assert two.spend(ONE // 4)


def test_a_store_that_answers_later_than_its_loans_last_is_given_up(
    one: Process, lender: Lender, clock: ManualClock
) -> None:
    lender.after = lambda: clock.advance(31.0)
    found = one.got(ONE // 2)
    assert isinstance(found, Denial)
    assert (found.scope, found.store, found.left, "try again" in found.told) == ("global", True, 0, True)
    assert one.reserved == 0


def test_the_store_is_told_away_once_and_back_once(one: Process, lender: Lender) -> None:
    lender.away = True
    found = one.got(1)
    assert isinstance(found, Denial)
    assert (found.store, found.private, found.on_exceed) == (True, True, "refuse")
    assert found.told.startswith("global: no answer (`store:")
    assert [event.kind for event in one.heard] == ["store_away"]
    assert not one.spend(1)
    lender.away = False
    assert one.sync_leases()  # has nothing to ask, so nothing is known
    assert [event.kind for event in one.heard] == ["store_away"]
    assert one.spend(1)
    assert one.spend(1)
    assert [(e.kind, e.scope, e.detail) for e in one.heard] == [
        ("store_away", "memory://", "no answer"), ("store_back", "memory://", "")
    ]  # fmt: skip
    lender.away = True
    assert not one.sync_leases()
    assert [event.kind for event in one.heard][2:] == ["store_away"]


def test_an_open_budget_lets_all_through_while_the_store_is_away(lender: Lender, clock: ManualClock) -> None:
    one = Process(lender, clock, terms=StoreTerms("there", 30.0, when_away="fail_open"))
    lender.away = True
    holds = [one.held(ONE) for _ in range(3)]
    assert one.reserved == 3 * ONE
    lender.away = False
    assert [(row["reserved_usd"], row["left_usd"]) for row in one.rows()] == [(1.0, 0.0)]
    lender.away = True
    assert [(event.kind, event.scope) for event in one.heard] == [("store_away", "there"), ("store_back", "there")]
    for hold in holds:
        one.settle(hold, ONE)
    lender.away = False
    assert [row["spent_usd"] for row in one.rows()] == [3.0]


def test_a_call_that_may_not_be_made_anyhow_is_not_asked_for(lender: Lender, clock: ManualClock) -> None:
    one = Process(lender, clock, BudgetSpec("tag:x", 1.0), BudgetSpec("global", 1.0))
    found = one.reserve(["global", "tag:x"], None)
    assert isinstance(found, Denial)
    assert "unknown" in found.told
    assert lender.claims == []


def test_a_cap_that_only_warns_holds_what_is_known_and_asks_nobody(lender: Lender, clock: ManualClock) -> None:
    one = Process(lender, clock, BudgetSpec("global", 1.0, on_exceed="warn"))
    hold = one.reserve(["global"], None)
    assert isinstance(hold, Reservation)
    assert (hold.amount, lender.claims) == (0, [])
    assert one.fits(["global"], None) is None
    one.settle(hold, 2 * ONE)
    assert one.sync_leases()
    assert [row["spent_usd"] for row in one.rows()] == [2.0]


def test_what_would_fit_is_judged_without_asking(one: Process, lender: Lender, clock: ManualClock) -> None:
    assert one.fits(["global"], ONE) is None
    assert one.fits(["global"], ONE + 1) is not None
    assert lender.claims == []
    assert Process(lender, clock).spend(ONE // 2)
    assert one.fits(["global"], ONE) is None  # nobody has told it
    one.held(ONE // 4)
    told = one.fits(["global"], ONE // 4 + 1)
    assert told is not None
    assert (told.left, told.told.startswith("global: $0.25 of $1 left")) == (ONE // 4, True)
    assert one.fits(["global"], ONE // 4) is None
    assert len(lender.claims) == 2


def test_thresholds_that_others_have_passed_are_not_told_again(lender: Lender, clock: ManualClock) -> None:
    other, one = Process(lender, clock), Process(lender, clock)
    assert other.spend(ONE * 3 // 5)
    assert other.sync_leases()
    assert one.spend(ONE // 4)
    assert [(event.kind, event.share) for event in one.heard] == [("threshold", 0.8)]


def test_only_the_rows_of_these_caps_are_read(lender: Lender, clock: ManualClock) -> None:
    Process(lender, clock, BudgetSpec("global", 1.0), BudgetSpec("tag:x", 1.0, "day")).rows()
    Process(lender, clock, BudgetSpec("global", 1.0), BudgetSpec("tag:*", 1.0)).rows()
    assert lender.read == [["total|global", "day|tag:x"], []]


def test_a_router_without_caps_reads_nothing(lender: Lender, clock: ManualClock) -> None:
    none = Budgets(room=lender, clock=clock)
    assert not none
    assert none.rows() == []
    assert Process(lender, clock)
    assert lender.read == []


def test_a_child_starts_with_nothing_and_leaves_its_parent_s_calls_alone(
    one: Process, lender: Lender, clock: ManualClock
) -> None:
    hold = one.held(ONE // 2)
    one.settle(one.held(ONE // 4), ONE // 8)
    asked = len(lender.claims)
    one.forked()
    assert (one.leases(), one.reserved) == ([], 0)
    one.settle(hold, ONE // 2)
    assert one.sync_leases()
    assert (len(lender.claims), one.reserved) == (asked, 0)
    clock.advance(31.0)
    assert one.spend(ONE)


def test_a_settlement_wakes_whoever_tells_the_store(one: Process) -> None:
    rung: list[int] = []
    one.wake = lambda: rung.append(one.reserved)
    one.settle(one.held(5), 1)
    assert rung == [0]


def test_a_purse_is_told_of_once_however_many_reasons_there_are(
    one: Process, lender: Lender, clock: ManualClock
) -> None:
    hold = one.held(ONE // 4)
    one.held(ONE // 4)
    one.settle(hold, ONE // 8)
    clock.advance(25.0)
    asked = len(lender.claims)
    assert one.sync_leases()
    assert len(lender.claims) == asked + 1


def test_a_late_call_is_told_even_when_its_loan_has_ended(one: Process, lender: Lender, clock: ManualClock) -> None:
    hold = one.held(ONE // 2)
    clock.advance(100.0)
    two = Process(lender, clock)
    assert two.spend(ONE)
    one.settle(hold, ONE // 2)
    assert one.sync_leases()
    assert two.sync_leases()
    assert [row["spent_usd"] for row in two.rows()] == [1.5]


def test_the_last_word_leaves_the_purses_of_other_caps_alone(lender: Lender, clock: ManualClock) -> None:
    one = Process(lender, clock, BudgetSpec("tag:*", 1.0), BudgetSpec("global", 1.0), BudgetSpec("tag:*", 1.0, "day"))
    assert one.spend(1, "tag:x")
    hold = one.held(5, "global", "tag:y")
    assert one.sync_leases(final=True)
    assert sorted(purse.name for purse in one.leases()) == ["global", "tag:y", "tag:y"]
    one.settle(hold, 1)
    assert one.sync_leases(final=True)
    assert one.leases() == []


def test_what_others_gave_back_meanwhile_is_taken_without_asking(one: Process, lender: Lender) -> None:
    first, second = one.reserve(["global"], ONE // 4), one.reserve(["global"], ONE // 4)
    assert isinstance(first, FundsShortfall)
    assert isinstance(second, FundsShortfall)
    one.settle(one.borrow(first), 0)  # type: ignore[arg-type]
    assert isinstance(one.borrow(second), Reservation)
    assert len(lender.claims) == 1


def test_what_is_settled_while_the_store_is_told_is_told_next(one: Process, lender: Lender, clock: ManualClock) -> None:
    late, later = one.held(ONE // 4), one.held(ONE // 4)
    clock.advance(DAY_ENDS_IN)
    assert one.spend(1)
    one.settle(late, ONE // 8)
    lender.after = lender.once(lambda: one.settle(later, ONE // 16))
    assert one.sync_leases()
    assert one.sync_leases()
    old = [claim.spent for claim in lender.claims if claim.pot.window == "2027-01-15"]
    assert max(old) == ONE // 8 + ONE // 16


def test_what_is_held_in_a_window_that_is_over_stays_reserved(one: Process, lender: Lender, clock: ManualClock) -> None:
    one.held(ONE // 4)
    clock.advance(DAY_ENDS_IN)
    assert one.spend(1)
    assert one.sync_leases()
    assert one.reserved == ONE // 4


def test_what_was_told_is_not_told_again_while_another_call_runs(one: Process, lender: Lender) -> None:
    one.held(ONE // 4)
    one.spend(ONE // 4)
    assert one.sync_leases()
    asked = len(lender.claims)
    assert one.sync_leases()
    assert len(lender.claims) == asked


def test_what_others_spend_is_heard_of_with_the_next_answer(lender: Lender, clock: ManualClock) -> None:
    one, other = Process(lender, clock), Process(lender, clock)
    one.held(1)
    assert other.spend(ONE * 3 // 5)
    assert other.sync_leases()
    clock.advance(25.0)
    assert one.heard == []
    assert one.sync_leases()
    assert [(event.kind, event.share) for event in one.heard] == [("threshold", 0.5)]


def test_a_refusal_is_believed_whatever_this_clock_says(one: Process, lender: Lender) -> None:
    lender.ahead = 2 * 86_400.0
    assert one.spend(ONE)
    asked = len(lender.claims)
    found = one.got(1)
    assert isinstance(found, Denial)
    assert (found.store, found.left, len(lender.claims)) == (False, 0, asked + 1)


def test_where_there_is_no_cap_no_store_is_read(lender: Lender, clock: ManualClock) -> None:
    assert Budgets([], room=lender, clock=clock).left({"acme": ["tenant:acme"]}) == {}
    assert (lender.read, lender.claims) == ([], [])


def test_a_purse_that_is_being_lent_to_is_not_put_away(lender: Lender, clock: ManualClock) -> None:
    """Its loan would be nobody's until it ends, and the call be refused for it."""
    one = Process(lender, clock, BudgetSpec("tenant:*", 1.0))
    for each in range(62):
        one.spend(1, f"tenant:{each}")
    clock.advance(400.0)
    one.sync_leases()
    lender.before = lender.once(lambda: one.reserve(["tenant:b"], 1))  # one more than are kept without a look
    assert isinstance(one.got(ONE * 3 // 4, "tenant:a"), Reservation)


def test_a_call_keeps_its_reservation_though_the_store_s_clock_seems_to_go_back_over_midnight(
    one: Process, lender: Lender, clock: ManualClock
) -> None:
    """As it does by the time that an answer took on its way: the same day has another purse then."""
    clock.advance(DAY_ENDS_IN + 0.5)
    first = one.held(ONE // 2)
    for lender.ahead in (-1.0, 0.0):
        one.settle(one.held(ONE // 4), 0)
        one.settle(one.held(ONE // 3), 0)
    for _ in range(5):
        one.sync_leases()
        clock.advance(10.0)
    assert one.reserved == ONE // 2
    assert sum(row.reserved for row in lender.standings()) >= ONE // 2
    one.settle(first, ONE // 2)
    one.sync_leases()
    assert [(row.spent, row.reserved) for row in lender.standings()] == [(ONE // 2, 0)]


def test_what_is_too_little_for_a_call_goes_back_with_the_next_word(lender: Lender, clock: ManualClock) -> None:
    one, other = Process(lender, clock), Process(lender, clock)
    rung: list[int] = []
    one.wake = lambda: rung.append(len(lender.claims))
    one.settle(one.held(ONE // 2), 0)
    other.held(ONE // 2)
    rung.clear()
    assert isinstance(one.got(ONE * 3 // 4), Denial)
    assert rung == [len(lender.claims)]
    assert isinstance(other.got(ONE // 2), Denial)  # it is still lent
    assert one.sync_leases()
    clock.advance(0.1)
    assert isinstance(other.got(ONE // 2), Reservation)


def test_a_loan_is_spent_while_the_store_is_away_however_often_it_is_asked(lender: Lender, clock: ManualClock) -> None:
    one = Process(lender, clock, BudgetSpec("global", 1_000.0))
    one.spend(ONE)
    (purse,) = one.leases()
    while purse.free(clock.now(), clock.unix()) < 8 * ONE:
        assert one.spend(ONE)  # closely after each other, so that more is lent than is needed
    lender.away = True
    for _ in range(4):  # half of it: the other half may be anybody's, for the answer may just be late
        assert not one.sync_leases()
        hold = one.reserve(["global"], ONE)
        assert isinstance(hold, Reservation)
        one.settle(hold, ONE)
    assert isinstance(one.reserve(["global"], ONE), FundsShortfall)
    lender.away = False
    assert one.sync_leases()
    assert one.spend(ONE)


def test_what_is_given_back_is_not_spent_meanwhile(lender: Lender, clock: ManualClock) -> None:
    one, other = Process(lender, clock), Process(lender, clock)
    one.settle(one.held(ONE // 2), 0)
    clock.advance(1.0)  # it is idle
    found: list[object] = []
    lender.before = lender.once(lambda: found.append(one.reserve(["global"], ONE // 2)))
    assert one.sync_leases()
    assert found == [FundsShortfall(("global",), ONE // 2)]
    assert other.spend(ONE)


def test_what_is_on_its_way_back_is_nobody_elses(one: Process, lender: Lender, clock: ManualClock) -> None:
    one.settle(one.held(ONE * 3 // 5), 0)
    clock.advance(1.0)
    told: list[Denial | None] = []
    lender.before = lender.once(lambda: told.append(one.fits(["global"], ONE)))
    assert one.sync_leases()
    assert told == [None]
