"""The retry budget: what there is at first, what requests earn, and that no more is spent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from capability_router.execution.retry import RetryBudget


def spent(budget: RetryBudget, most: int = 500) -> int:
    return next((n for n in range(most) if not budget.spend()), most)


def test_three_at_first_and_one_for_every_five_requests() -> None:
    budget = RetryBudget(0.2, 3)
    assert spent(budget) == 3
    for _ in range(4):
        budget.earn()
    assert not budget.spend()
    budget.earn()
    assert spent(budget) == 1
    assert repr(budget) == "<RetryBudget 0.0 repetitions left>"


def test_quiet_times_save_up_a_hundred_and_no_more() -> None:
    budget = RetryBudget(0.2, 3)
    for _ in range(2000):
        budget.earn()
    assert spent(budget) == 100


def test_what_there_is_at_first_is_not_cut_to_what_may_be_saved() -> None:
    budget = RetryBudget(ratio=1.0, floor=5, cap=2.0)
    budget.earn()
    assert spent(budget) == 5


@given(st.floats(0, 1), st.integers(0, 9), st.lists(st.booleans(), max_size=80))
def test_never_more_is_spent_than_was_given_and_earned(ratio: float, floor: int, steps: list[bool]) -> None:
    budget, left = RetryBudget(ratio, floor), float(floor)
    for earns in steps:
        if earns:
            budget.earn()
            left += ratio
        elif abs(left - 1.0) > 1e-6:  # the sums of two adders differ in their last digits
            may = left > 1.0
            assert budget.spend() is may
            left -= may
