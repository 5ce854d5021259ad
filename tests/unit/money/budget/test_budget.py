"""Caps in one process: what is reserved, refused, told."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable

import pytest
from unit.money.budget.caps import ONE, Caps, denial

from capability_router import ConfigError
from capability_router.clock import ManualClock
from capability_router.money.budget.budgets import Budgets, Reservation, StoreTerms
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.denial import BudgetEvent
from capability_router.money.budget.window import span
from capability_router.stores.base import LeaseClaim, LeaseGrant
from capability_router.stores.memory import MemoryBudgets

DAY = 1_800_000_000.0


def test_spent_and_reserved_never_exceed_the_cap() -> None:
    budgets = Budgets([BudgetSpec("global", 1.0)])
    held: list[Reservation] = []
    lock = threading.Lock()

    def work() -> None:
        for _ in range(50):
            hold = budgets.reserve(["global"], ONE // 100)
            if isinstance(hold, Reservation):
                with lock:
                    held.append(hold)
                budgets.settle(hold, ONE // 100)

    threads = [threading.Thread(target=work) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(held) == 100
    assert budgets.reserved == 0


def test_a_reservation_blocks_until_it_is_settled_for_less() -> None:
    budgets = Caps(BudgetSpec("tenant:acme", 1.0))
    first = budgets.reserve(["tenant:acme"], ONE)
    assert isinstance(first, Reservation)
    assert not budgets.spend(["tenant:acme"], 1)
    budgets.settle(first, ONE // 2)
    assert budgets.spend(["tenant:acme"], ONE // 2)
    assert not budgets.spend(["tenant:acme"], 1)


def test_a_hold_is_settled_once() -> None:
    budgets = Caps(BudgetSpec("global", 1.0))
    hold = budgets.reserve(["global"], ONE // 2)
    assert isinstance(hold, Reservation)
    for _ in range(3):
        budgets.settle(hold, ONE // 4)
    (row,) = budgets.rows()
    assert (row["spent_usd"], row["reserved_usd"], row["left_usd"]) == (0.25, 0.0, 0.75)


def test_a_call_that_cost_more_than_was_reserved_counts_whole() -> None:
    budgets = Caps(BudgetSpec("global", 1.0))
    assert budgets.spend(["global"], ONE // 2, ONE * 3 // 4)
    assert not budgets.spend(["global"], ONE // 2)
    assert budgets.spend(["global"], ONE // 4)


def test_a_call_that_runs_for_hours_keeps_its_reservation() -> None:
    budgets = Caps(BudgetSpec("global", 1.0))
    hold = budgets.reserve(["global"], ONE)
    budgets.clock.advance(36_000)
    assert not budgets.spend(["global"], 1)
    budgets.settle(hold, 0)  # type: ignore[arg-type]
    assert budgets.spend(["global"], ONE)


def test_tenants_do_not_share() -> None:
    budgets = Caps(BudgetSpec("tenant:a", 0.0), BudgetSpec("tenant:b", 1.0))
    assert not budgets.spend(["tenant:a"], 1)
    assert budgets.spend(["tenant:b"], 1)


def test_a_cap_for_each_tenant_counts_each_by_itself_but_those_named_elsewhere() -> None:
    budgets = Caps(BudgetSpec("tenant:*", 1.0), BudgetSpec("tenant:vip", 5.0), BudgetSpec("tag:*", 0.5))
    assert budgets.spend(["tenant:a"], ONE)
    assert not budgets.spend(["tenant:a"], 1)
    assert budgets.spend(["tenant:b"], ONE)
    assert budgets.spend(["tenant:vip"], 5 * ONE)
    assert budgets.spend(["tenant:"], ONE)
    assert not budgets.spend(["tenant:"], 1)
    assert budgets.spend(["tag:x", "tag:y"], ONE // 2)
    assert not budgets.spend(["tag:y", "tag:z"], 1)
    assert {(row["scope"], row["left_usd"]) for row in budgets.rows()} == {
        ("tenant:", 0.0), ("tenant:a", 0.0), ("tenant:b", 0.0), ("tenant:vip", 0.0), ("tag:x", 0.0), ("tag:y", 0.0),
        ("tag:z", 0.5),
    }  # fmt: skip


def test_a_tenant_sees_its_own_rows_only() -> None:
    budgets = Caps(BudgetSpec("tenant:*", 1.0, "day"), BudgetSpec("tenant:b", 2.0), BudgetSpec("global", 9.0))
    budgets.spend(["global", "tenant:a"], ONE // 4)
    budgets.spend(["global", "tenant:b"], ONE // 2)
    (row,) = budgets.rows(tenant="a")
    assert row == {
        "scope": "tenant:a", "window": "day", "on_exceed": "refuse", "limit_usd": 1.0, "spent_usd": 0.25,
        "reserved_usd": 0.0, "left_usd": 0.75, "limit_pico": ONE, "spent_pico": ONE // 4, "reserved_pico": 0,
        "left_pico": 3 * ONE // 4, "resets_at": "2027-01-16T00:00:00Z",
    }  # fmt: skip
    assert [row["spent_usd"] for row in budgets.rows(tenant="b")] == [0.5, 0.5]
    assert budgets.rows(tenant="c") == []


def test_a_tenant_is_not_told_what_others_spent() -> None:
    budgets = Caps(BudgetSpec("global", 1.0, "day"), BudgetSpec("tenant:b", 5.0))
    budgets.spend(["global", "tenant:a"], ONE * 3 // 4)
    told = denial(budgets, ["global", "tenant:b"], ONE // 2)
    assert told.private
    assert "0.25" not in told.told
    assert "$1" not in told.told
    assert "2027-01-16T00:00:00Z" in told.told
    own = denial(budgets, ["global", "tenant:"], ONE // 2)
    assert (own.private, own.left, own.spent, own.limit) == (False, ONE // 4, ONE * 3 // 4, ONE)
    assert "$0.25 of $1 left (day)" in own.told


@pytest.mark.parametrize(
    ("window", "seconds"), [("minute", 60), ("hour", 3_600), ("day", 86_400), ("week", 604_800), ("month", 31 * 86_400)]
)
def test_windows_turn(window: str, seconds: int) -> None:
    budgets = Caps(BudgetSpec("global", 1.0, window), BudgetSpec("global", 10.0, "rolling:60"))
    assert budgets.spend(["global"], ONE)
    assert not budgets.spend(["global"], 1)
    ends = span(window, budgets.clock.unix()).ends
    budgets.clock.advance(ends - budgets.clock.unix() - 0.001)  # type: ignore[operator]
    assert not budgets.spend(["global"], 1)
    budgets.clock.advance(0.001)
    assert budgets.spend(["global"], ONE)
    assert span(window, budgets.clock.unix()).ends == pytest.approx(budgets.clock.unix() + seconds, abs=3 * 86_400)


def test_a_call_counts_in_the_window_in_which_it_began() -> None:
    budgets = Caps(BudgetSpec("global", 1.0, "day"))
    hold = budgets.reserve(["global"], ONE)
    budgets.clock.advance(86_400)
    assert budgets.spend(["global"], ONE // 2)
    budgets.settle(hold, ONE)  # type: ignore[arg-type]
    assert [row["left_usd"] for row in budgets.rows()] == [0.5]
    assert budgets.reserved == 0


def test_a_rolling_window_forgets() -> None:
    budgets = Caps(BudgetSpec("global", 1.0, "rolling:60"))
    assert budgets.spend(["global"], ONE)
    budgets.clock.advance(59)
    assert not budgets.spend(["global"], 1)
    budgets.clock.advance(2)
    assert budgets.spend(["global"], ONE)


def test_all_or_nothing_over_several_budgets() -> None:
    budgets = Caps(BudgetSpec("global", 1.0), BudgetSpec("tag:x", 0.1))
    assert not budgets.spend(["global", "tag:x"], ONE // 2)
    assert budgets.reserved == 0
    assert [row["reserved_usd"] for row in budgets.rows()] == [0.0, 0.0]


def test_an_unknown_price_under_a_cap_is_denied_but_warn_lets_it_through() -> None:
    told = denial(Caps(BudgetSpec("global", 1.0)), ["global"], None)
    assert "unknown" in told.told
    assert "`price:` on its card" in told.told
    assert "catalog update --from" in told.told
    assert told.on_exceed == "degrade"
    assert isinstance(Caps(BudgetSpec("global", 1.0, on_exceed="warn")).reserve(["global"], None), Reservation)


def test_thresholds_are_told_once_per_window(caplog: pytest.LogCaptureFixture) -> None:
    budgets = Caps(BudgetSpec("tenant:*", 1.0, "day", "warn"))
    heard: list[BudgetEvent] = []
    budgets.on_event(heard.append)
    with caplog.at_level(logging.WARNING, "capability_router"):
        for cost in (45, 5, 29, 1, 40, 40):
            budgets.spend(["tenant:a"], cost * ONE // 100)
    assert [(e.kind, e.scope, e.share, e.resets_at) for e in heard] == [
        ("threshold", "tenant:a", share, "2027-01-16T00:00:00Z") for share in (0.5, 0.8, 1.0)
    ]
    assert [str(e.spent_usd.normalize()) for e in heard] == ["0.5", "0.8", "1.2"]
    assert "budget tenant:a (day): 80% passed, $0.8 of $1 spent" in caplog.text
    assert {record.name for record in caplog.records} == {"capability_router"}
    budgets.spend(["tenant:b"], ONE)
    assert [e.share for e in heard[3:]] == [0.5, 0.8, 1.0]
    budgets.clock.advance(86_400)
    budgets.spend(["tenant:a"], ONE // 2)
    assert [(e.scope, e.share) for e in heard[6:]] == [("tenant:a", 0.5)]


def test_a_listener_that_raises_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    budgets = Caps(BudgetSpec("global", 1.0))
    heard: list[BudgetEvent] = []

    def raises(event: BudgetEvent) -> None:
        raise ValueError("no")

    budgets.on_event(raises)
    budgets.on_event(heard.append)
    assert budgets.spend(["global"], ONE)
    assert len(heard) == 3
    assert "failed" in caplog.text


def test_a_listener_may_ask_the_budgets() -> None:
    budgets = Caps(BudgetSpec("global", 1.0))
    left: list[float] = []
    budgets.on_event(lambda event: left.append(budgets.rows()[0]["left_usd"]))
    budgets.spend(["global"], ONE // 2)
    assert left == [0.5]


def test_what_would_fit_reserves_nothing() -> None:
    budgets = Caps(BudgetSpec("global", 1.0), BudgetSpec("tag:x", 0.1, on_exceed="warn"))
    assert budgets.fits(["global", "tag:x"], ONE) is None
    assert budgets.spend(["global"], ONE // 2)
    assert budgets.fits(["global"], ONE // 2) is None
    told = budgets.fits(["global"], ONE // 2 + 1)
    assert told is not None
    assert told.left == ONE // 2
    assert budgets.fits(["global"], None) is not None
    assert budgets.reserved == 0


def test_what_would_fit_in_a_rolling_window_is_what_would_be_reserved() -> None:
    budgets = Caps(BudgetSpec("global", 1.0, "rolling:60"))
    assert budgets.spend(["global"], ONE)
    assert budgets.fits(["global"], 1) is not None
    budgets.clock.advance(62)
    assert budgets.fits(["global"], ONE) is None
    assert budgets.spend(["global"], ONE)


def test_what_fits_is_known_of_tenants_whose_purse_was_put_away() -> None:
    budgets = Caps(BudgetSpec("tenant:*", 1.0))
    assert budgets.spend(["tenant:a"], ONE)
    budgets.clock.advance(1_000)
    for n in range(100):
        assert budgets.spend([f"tenant:{n}"], 1)
    assert not [purse for purse in budgets.leases() if purse.name == "tenant:a"]
    assert budgets.fits(["tenant:a"], 1) is not None
    assert not budgets.spend(["tenant:a"], 1)


def test_a_scope_given_twice_is_reserved_once() -> None:
    budgets = Caps(BudgetSpec("tag:x", 1.0))
    hold = budgets.reserve(["tag:x", "tag:x"], ONE)
    assert isinstance(hold, Reservation)
    assert budgets.reserved == ONE
    assert repr(hold) == f"<Reservation {ONE} in 1 budgets>"
    budgets.settle(hold, 0)
    assert repr(hold) == f"<Reservation {ONE} in 1 budgets, settled>"


def test_nothing_stays_reserved_once_nothing_is_held() -> None:
    budgets = Caps(BudgetSpec("global", 1.0))
    hold = budgets.reserve(["global"], ONE // 2)
    assert not budgets.spend(["global"], ONE * 3 // 5)
    budgets.settle(hold, ONE // 10)  # type: ignore[arg-type]
    assert [(row["reserved_usd"], row["left_usd"]) for row in budgets.rows()] == [(0.0, 0.9)]


def test_windows_that_are_over_are_not_kept() -> None:
    budgets = Caps(BudgetSpec("global", 1.0, "day"))
    for _ in range(3):
        assert budgets.spend(["global"], ONE)
        budgets.clock.advance(86_400)
    assert len(budgets.leases()) == 1


def test_a_cap_on_a_model_without_a_registry_is_on_that_name() -> None:
    budgets = Caps(BudgetSpec("model:a", 1.0))
    assert not budgets.spend(["model:a"], ONE + 1)
    assert budgets.spend(["model:b"], ONE + 1)


def test_no_caps_are_no_budgets() -> None:
    assert not Budgets()
    assert Budgets([BudgetSpec("global", 1.0)])
    assert Budgets().rows() == []


def test_a_store_that_answers_at_once_is_never_away_and_has_no_leases() -> None:
    budgets = Caps(BudgetSpec("global", 1.0), terms=StoreTerms("memory://", 5.0))
    hold = budgets.reserve(["global"], ONE)
    budgets.clock.advance(60.0)
    assert budgets.sync_leases()
    assert not budgets.spend(["global"], 1)
    budgets.forked()  # what is held is the parent's, who settles it
    budgets.settle(hold, ONE // 2)  # type: ignore[arg-type]
    assert [row["left_usd"] for row in budgets.rows()] == [1.0]
    assert budgets.spend(["global"], ONE)


def test_a_refused_call_names_the_first_cap_without_room() -> None:
    budgets = Caps(BudgetSpec("tag:x", 2.0), BudgetSpec("tag:x", 0.5, "day"), BudgetSpec("global", 0.1))
    told = denial(budgets, ["tag:x", "global"], ONE)
    assert (told.scope, told.window, told.left) == ("tag:x", "day", ONE // 2)
    assert "$0.5 of $0.5 left (day), the call may cost up to $1;" in told.told


class Interrupted(MemoryBudgets):
    """Something is settled while the lock is held, as by the garbage collector."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock.unix)
        self.claims: list[LeaseClaim] = []
        self.happens: list[Callable[[], None]] = []

    def claim(self, claim: LeaseClaim) -> LeaseGrant:
        self.claims.append(claim)
        if self.happens:
            self.happens.pop()()
        return super().claim(claim)


@pytest.fixture
def interrupted() -> tuple[Budgets, Interrupted, list[tuple[float, int]]]:
    """Budgets, their room, and what a listener hears, who asks what is reserved."""
    clock = ManualClock()
    room = Interrupted(clock)
    budgets = Budgets([BudgetSpec("tenant:*", 1.0), BudgetSpec("global", 9.0, "rolling:60")], room=room, clock=clock)
    heard: list[tuple[float, int]] = []

    def listens(event: BudgetEvent) -> None:
        assert not budgets._lock.busy  # else asking would wait for ever
        heard.append((event.share, budgets.reserved))

    budgets.on_event(listens)
    return budgets, room, heard


def test_the_only_process_is_lent_the_whole_cap_for_ever() -> None:
    clock = ManualClock()
    room = Interrupted(clock)
    budgets = Budgets([BudgetSpec("global", 1.0)], room=room, clock=clock, terms=StoreTerms(lease_s=5.0))
    for _ in range(20):
        budgets.settle(budgets.reserve(["global"], ONE // 20), ONE // 20)  # type: ignore[arg-type]
        clock.advance(4.0)
    assert [(claim.wish, claim.lease_s) for claim in room.claims] == [(ONE, math.inf)]


def test_what_is_settled_in_the_midst_of_a_reservation_is_told_after_it(
    interrupted: tuple[Budgets, Interrupted, list[tuple[float, int]]],
) -> None:
    budgets, room, heard = interrupted
    hold = budgets.reserve(["tenant:a"], ONE // 2)
    room.happens.append(lambda: budgets.settle(hold, ONE // 2))  # type: ignore[arg-type]
    assert isinstance(budgets.reserve(["tenant:b"], 5), Reservation)
    assert heard == [(0.5, 5)]


def test_what_is_settled_in_the_midst_of_a_settlement_is_told_after_it(
    interrupted: tuple[Budgets, Interrupted, list[tuple[float, int]]],
) -> None:
    budgets, room, heard = interrupted
    one, two = budgets.reserve(["tenant:a", "global"], ONE // 2), budgets.reserve(["tenant:b"], ONE * 4 // 5)
    room.happens.append(lambda: budgets.settle(two, ONE * 4 // 5))  # type: ignore[arg-type]
    budgets.settle(one, ONE // 2)  # type: ignore[arg-type]
    assert heard == [(0.5, 0), (0.5, 0), (0.8, 0)]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"scope": "tennant:a"}, "did you mean 'tenant'"),
        ({"scope": "tenant"}, "as 'tenant:acme'"),
        ({"scope": "global:x"}, "write 'global'"),
        ({"scope": "tenant:"}, "or 'tenant:\\*' for each"),
        ({"window": "months"}, "did you mean 'month'"),
        ({"limit_usd": -1}, "0 or more"),
        ({"limit_usd": float("nan")}, "0 or more"),
        ({"limit_usd": float("inf")}, "0 or more"),
        ({"on_exceed": "explode"}, "write one of refuse, degrade, warn"),
        ({"on_exceed": "degrad"}, "did you mean 'degrade'"),
    ],
)
def test_bad_specs(bad: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        BudgetSpec(**{"scope": "global", "limit_usd": 1.0, **bad})  # type: ignore[arg-type]


def test_two_caps_on_the_same_are_one_too_many_unless_they_do_different_things() -> None:
    with pytest.raises(ConfigError, match="global has two caps per day with refuse; keep one"):
        Budgets([BudgetSpec("global", 1.0, "day"), BudgetSpec("global", 2.0, "day")])
    budgets = Caps(BudgetSpec("global", 1.0, "day", "warn"), BudgetSpec("global", 2.0, "day"))
    assert budgets.spend(["global"], 2 * ONE)
    assert not budgets.spend(["global"], 1)


def test_windows_have_names_and_ends() -> None:
    assert span("minute", DAY)[:1] == ("2027-01-15T08:00",)
    assert span("month", DAY) == ("2027-01", 1_798_761_600.0, 1_801_440_000.0)
    assert span("day", DAY) == ("2027-01-15", 1_799_971_200.0, 1_800_057_600.0)
    assert span("week", DAY) == ("2027-W02", 1_799_625_600.0, 1_800_230_400.0)
    assert span("week", 1_609_459_200.0).id == "2020-W53"  # the first of January 2021
    assert span("total", DAY) == span("rolling:60", DAY) == ("", None, None)


def test_a_cap_on_a_model_reaches_it_by_any_of_its_names() -> None:
    meant = {"openai:gpt": ["openai/gpt", "openai/gpt#2"]}
    budgets = Budgets([BudgetSpec("model:openai:gpt", 1.0)], lambda name: meant.get(name, ()))
    assert isinstance(budgets.reserve(["global", "model:openai/gpt"], ONE), Reservation)
    assert not isinstance(budgets.reserve(["global", "model:openai/gpt#2"], 1), Reservation)
    assert isinstance(budgets.reserve(["global", "model:other"], ONE), Reservation)


@pytest.mark.parametrize("window", ["rolling:0", "rolling:", "rolling:.", "rolling:²", "rolling:-5"])
def test_a_rolling_window_has_a_length(window: str) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        BudgetSpec("global", 1.0, window)


def test_tenants_that_come_once_are_not_kept_for_ever() -> None:
    budgets = Caps(BudgetSpec("tenant:*", 1.0, "minute"))
    for n in range(5_000):
        assert budgets.spend([f"tenant:{n}"], ONE)
        budgets.clock.advance(1.0)
    assert len(budgets._coverage.leases()) < 1_000
    assert len(budgets.room._pots) < 1_000  # type: ignore[attr-defined]


def test_a_threshold_of_a_rolling_window_is_told_again_once_less_than_half_is_spent() -> None:
    budgets = Caps(BudgetSpec("global", 1.0, "rolling:60", "warn"))
    heard: list[BudgetEvent] = []
    budgets.on_event(heard.append)
    budgets.spend(["global"], ONE * 3 // 10)
    budgets.clock.advance(30)
    budgets.spend(["global"], ONE // 2)
    assert [event.share for event in heard] == [0.5, 0.8]
    budgets.clock.advance(31)  # the first has left: half is spent
    budgets.spend(["global"], 1, 0)
    budgets.spend(["global"], ONE * 3 // 10)
    assert len(heard) == 2
    budgets.clock.advance(31)
    budgets.spend(["global"], 1, 0)
    budgets.spend(["global"], ONE // 4)
    assert [event.share for event in heard[2:]] == [0.5]


def test_the_least_that_a_cap_leaves_is_told_of_caps_that_stop_calls_alone() -> None:
    budgets = Caps(BudgetSpec("global", 1.0), BudgetSpec("tag:x", 0.5), BudgetSpec("tag:w", 0.1, on_exceed="warn"))
    assert budgets.spend(["global", "tag:x", "tag:w"], ONE // 4)
    assert budgets.local_left(["global", "tag:x", "tag:w"]) == ONE // 4
    assert budgets.local_left(["global", "tag:w"]) == 3 * ONE // 4
    assert budgets.local_left(["tag:w"]) is None
    assert budgets.local_left(["tag:other"]) is None
