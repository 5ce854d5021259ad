"""An attempt in a thread tells the requests made in it that it was given up."""

from __future__ import annotations

from capability_router.execution.driving.outer_attempt import ENCLOSING, NOBODY, OuterAttempt


def test_those_that_wait_are_woken_and_those_that_have_ended_are_not() -> None:
    around, woken = OuterAttempt(), list[str]()
    ended, waits = (lambda: woken.append("ended")), (lambda: woken.append("waits"))
    around.enter(ended)
    around.enter(waits)
    around.leave(ended)
    around.give_up()
    assert woken == ["waits"]


def test_one_that_comes_later_is_woken_at_once() -> None:
    around, woken = OuterAttempt(), list[int]()
    around.give_up()
    around.enter(lambda: woken.append(1))
    assert woken == [1]


def test_outside_of_attempts_nothing_is_kept() -> None:
    wake = list[int]().clear
    ENCLOSING.get().enter(wake)
    ENCLOSING.get().leave(wake)
    assert ENCLOSING.get() is NOBODY
    assert not NOBODY._wakes
