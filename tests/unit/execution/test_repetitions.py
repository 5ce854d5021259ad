"""A model that is asked once more, when something else is in the way by then."""

from __future__ import annotations

from unit.execution.staged import Stage, told

from capability_router.health.permit import Permit, Verdict


def test_a_model_that_is_full_when_its_turn_to_be_repeated_comes_is_waited_for() -> None:
    stage = Stage("a", card_a={"limits": {"concurrency": 1}}, retry={"wait": 1.0})
    stage.begin()
    assert told(stage.faulted(101.0)) == [("alarm", 102.0)]
    other = stage.router.board.admit("a", 101.5)
    assert isinstance(other, Permit)
    for now in (102.0, 102.1, 102.2):
        ((kind, again),) = told(stage.rang(now))
        assert (kind, round(again, 6)) == ("alarm", round(now + 0.1, 6))
    stage.router.board.settle(other, Verdict(True), 102.25)
    assert told(stage.rang(102.3))[0] == ("launch", 2, "a", "overloaded")
    stage.completed(103.0, 2)
    assert stage.outcome.model == "a"


def test_but_not_longer_than_anything_else() -> None:
    stage = Stage("a", card_a={"limits": {"concurrency": 1}}, retry={"wait": 1.0, "max_wait_s": 2.0})
    stage.begin()
    stage.faulted(101.0)
    stage.router.board.admit("a", 101.5)
    now = 102.0
    while stage.machine.over is None:
        effects = stage.rang(now)
        now = told(effects)[0][1] if stage.machine.over is None else now
    assert now <= 103.1
    assert "Not tried again: a: full: 1 call" in str(stage.error)


def test_one_that_a_budget_forbids_leaves_its_share_to_the_next_request() -> None:
    first = Stage(
        "a", retry={"wait": 1.0, "budget_ratio": 0.0, "budget_floor": 1}, card_a={"max_output_tokens": 1_000},
        budgets=[{"scope": "global", "limit_usd": 0.003}],
    )  # fmt: skip
    second = first.again()
    first.begin()
    first.faulted(101.0)
    second.begin(101.5)
    assert told(first.rang(102.0)) == [("finish", None)]
    assert "to reserve less" in str(first.error)
    second.faulted(102.5)
    assert told(second.rang(103.5))[0] == ("launch", 2, "a", "overloaded")


def test_one_that_a_rate_limit_held_goes_on_when_the_limit_is_open_before() -> None:
    stage = Stage("a", retry={"wait": 1.0, "max_wait_s": 60.0})
    stage.begin()
    other = stage.router.board.admit("a", 100.5)
    assert isinstance(other, Permit)
    stage.faulted(101.0)
    stage.router.board.settle(other, Verdict(False, blame="gate", retry_after_s=20.0), 101.5)
    assert told(stage.rang(102.0)) == [("alarm", 121.5)]
    stage.router.reset("a")
    assert told(stage.rang(103.0))[0] == ("launch", 2, "a", "overloaded")
