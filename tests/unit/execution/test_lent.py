"""Launches whose money a store has to lend first: the machine waits for it, and gives back what it does not use."""

from __future__ import annotations

from typing import Any

import pytest
from unit.execution.staged import CUT, HEDGE, Lender, Stage, told

from capability_router import BudgetExceeded, Reply, StreamInterrupted
from capability_router.faults.kinds import Fault

LAUNCHED = ("launch", 1, "a", "")
CAP = {"scope": "global", "limit_usd": 1.0}


def lending(ids: str = "abc", *, budgets: Any = (CAP,), **settings: Any) -> tuple[Stage, Lender]:
    stage = Stage(ids, budgets=list(budgets), **settings)
    return stage, Lender(stage.router.budgets)


def caps(ids: str, limit_usd: float = 1.0) -> list[dict[str, Any]]:
    """Each model has a cap of its own, so that each launch has to be paid for anew."""
    return [{"scope": f"model:{id}", "limit_usd": limit_usd, "on_exceed": "degrade"} for id in ids]


def test_the_first_is_launched_when_it_is_paid_for() -> None:
    stage, lender = lending()
    effects = stage.begin()
    assert (told(effects), lender.asked) == ([("fund",), ("alarm", None)], 0)
    assert told(stage.funded(100.5, effects)) == [LAUNCHED, ("alarm", None)]
    assert lender.asked == 1
    stage.completed(101.0)
    assert stage.outcome.model == "a"
    assert stage.records[0].started_s == 0.5


def test_the_next_is_paid_for_too() -> None:
    stage, lender = lending(budgets=caps("ab"))
    stage.funded(100.0, stage.begin())
    effects = stage.faulted(101.0)
    assert told(effects) == [("fund",), ("alarm", None)]
    assert told(stage.funded(101.5, effects))[0] == ("launch", 2, "b", "overloaded")
    stage.completed(102.0, 2)
    assert (stage.outcome.model, lender.asked) == ("b", 2)


def test_a_store_that_cannot_be_asked_ends_the_request() -> None:
    stage, lender = lending()
    lender.away = True
    assert told(stage.funded(100.5, stage.begin())) == [("finish", None)]
    assert isinstance(stage.error, BudgetExceeded)
    assert str(stage.error).startswith("the budgets can't be read; nothing was sent. a: global: away")
    assert stage.outcome.model is None


def test_what_has_no_room_in_its_cap_is_passed_over_for_what_has() -> None:
    stage, _ = lending("ab", budgets=[*caps("a", 0.0), *caps("b")])
    effects = stage.funded(100.0, stage.begin())
    assert told(effects) == [("fund",), ("alarm", None)]
    assert told(stage.funded(100.0, effects))[0] == ("launch", 1, "b", "")
    stage.completed(101.0)
    assert stage.outcome.model == "b"


def test_money_that_comes_after_the_deadline_is_given_back() -> None:
    stage, _ = lending(deadline_s=2.0)
    effects = stage.begin()
    assert told(stage.funded(102.0, effects)) == [("finish", None)]
    assert (stage.outcome.model, stage.records) == (None, [])


@pytest.mark.parametrize("late", [False, True])
def test_who_goes_away_while_the_store_is_asked_leaves_nothing(late: bool) -> None:
    stage, _ = lending()
    (fund, _) = stage.begin()
    if not late:
        fund.borrow()
    assert told(stage.cancelled(101.0)) == [("finish", None)]
    if late:
        fund.borrow()
    assert stage.outcome.attempts == ()


def test_a_hedge_is_made_only_of_money_that_is_at_hand() -> None:
    stage, lender = lending("abc", budgets=caps("ab"), hedge={**HEDGE, "extra": 1.0})
    stage.funded(100.0, stage.begin())
    assert told(stage.rang(102.0)) == [("alarm", None)]
    assert lender.asked == 1
    effects = stage.faulted(103.0)
    assert told(effects)[0] == ("launch", 2, "c", "overloaded"), "b is kept for later"
    assert told(stage.faulted(104.0, 2)) == [("fund",), ("alarm", None)]
    stage.cancelled(105.0)
    assert [r.model for r in stage.records] == ["a", "c"]


def resuming(able: str = "bc", **settings: Any) -> tuple[Stage, Lender]:
    stage, lender = lending(resumable=True, able=able, **{"budgets": caps("abc"), "resume": True, **settings})
    stage.funded(100.0, stage.begin())
    stage.chunk(100.5)
    return stage, lender


def test_a_cut_answer_is_continued_when_that_is_paid_for() -> None:
    stage, _ = resuming()
    effects = stage.faulted(101.0, 1, CUT, Reply(text="one "))
    assert told(effects) == [("fund",), ("alarm", None)]
    effects = stage.funded(102.0, effects)
    assert told(effects) == [("launch", 2, "b", "connection"), ("alarm", None)]
    assert (effects[0].prefix, stage.run.begun) == ("one ", (1, "one "))
    stage.chunk(102.5, 2)
    effects = stage.faulted(103.0, 2, CUT, Reply(text="two "))
    assert told(effects) == [("fund",), ("alarm", None)]
    effects = stage.funded(104.0, effects)
    assert (told(effects)[0], effects[0].prefix) == (("launch", 3, "c", "connection"), "one two ")
    stage.chunk(104.5, 3)
    stage.completed(105.0, 3)
    assert (stage.outcome.model, stage.outcome.resumed) == ("c", 2)


def test_a_cut_answer_that_cannot_be_paid_for_ends_with_its_text_and_its_cause() -> None:
    stage, lender = resuming()
    cause = ConnectionResetError()
    effects = stage.faulted(101.0, 1, Fault("connection", "gone", error=cause), Reply(text="one "))
    lender.away = True
    while told(effects)[0] == ("fund",):  # each that could go on with it is asked for in turn
        effects = stage.funded(102.0, effects)
    assert told(effects) == [("finish", None)]
    error = stage.error
    assert isinstance(error, StreamInterrupted)
    assert (error.partial, error.__cause__, [f.model for f in error.failures]) == ("one ", cause, ["a"])
    assert stage.outcome.resumed == 0


def test_who_goes_away_before_a_continuation_is_paid_for_leaves_nothing() -> None:
    stage, _ = resuming()
    (fund, _) = stage.faulted(101.0, 1, CUT, Reply(text="one "))
    fund.borrow()
    assert told(stage.cancelled(102.0)) == [("finish", None)]
    assert [r.fault for r in stage.records] == ["connection"]
    assert stage.outcome.model is None


@pytest.mark.parametrize(("at", "continued"), [(104.9, True), (105.0, False), (106.0, False)])
def test_a_cut_answer_that_is_paid_for_after_the_deadline_is_not_continued(at: float, continued: bool) -> None:
    stage, _ = resuming(deadline_s=5.0)
    effects = stage.funded(at, stage.faulted(101.0, 1, CUT, Reply(text="one ")))
    if continued:
        assert told(effects)[0] == ("launch", 2, "b", "connection")
        stage.cancelled(105.0)
    else:
        assert told(effects) == [("finish", None)]
        assert isinstance(stage.error, StreamInterrupted)
        assert stage.error.partial == "one "
    assert stage.outcome.model is None
