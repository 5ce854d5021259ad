"""The limits of one request: the router's own, under the request's deadline."""

from __future__ import annotations

import pytest
from tenacity import wait_none

from capability_router.execution.effects import Timeouts
from capability_router.execution.execution_limits import ExecutionLimits
from capability_router.execution.outer_limits import around, set_outer_limits, unbound


def limits(deadline_s: float | None) -> ExecutionLimits:
    return ExecutionLimits(3, 1, wait_none(), 2.0, deadline_s, Timeouts(total=1.0), "return")


@pytest.mark.parametrize("asked", [None, 5.0])
def test_where_no_other_deadline_is_asked_for_they_are_the_routers_own(asked: float | None) -> None:
    own = limits(5.0)
    assert own.under(asked) is own


@pytest.mark.parametrize("deadline_s", [None, 5.0])
def test_a_requests_own_deadline_is_all_that_differs(deadline_s: float | None) -> None:
    own = limits(deadline_s)
    wait = own.wait
    assert own.under(2.0) == ExecutionLimits(3, 1, wait, 2.0, 2.0, Timeouts(total=1.0), "return")


def test_where_a_router_around_has_another_model_nothing_is_waited_for() -> None:
    own = limits(5.0)
    token = set_outer_limits(None, elsewhere=True)
    try:
        assert own.under(None) == ExecutionLimits(
            3, 1, own.wait, 0.0, 5.0, Timeouts(total=1.0), "return", elsewhere=True
        )
    finally:
        unbound(token)
    assert own.under(None) is own
    assert not around().elsewhere


def test_what_an_inner_attempt_does_not_bound_stays_as_the_outer_one_has_it() -> None:
    outer = set_outer_limits(Timeouts(total=1.0), elsewhere=False)
    try:
        assert set_outer_limits(None) is None
        inner = set_outer_limits(Timeouts(), elsewhere=True)
        assert limits(None).under(None).deadline_s == 1.25
        assert around().elsewhere
        unbound(inner)
        assert not around().elsewhere
    finally:
        unbound(outer)
