"""The limits of one request: the router's own, under the request's deadline."""

from __future__ import annotations

import pytest
from tenacity import wait_none

from capability_router.execution.effects import Timeouts
from capability_router.execution.limits import Limits


def limits(deadline_s: float | None) -> Limits:
    return Limits(3, 1, wait_none(), 2.0, deadline_s, Timeouts(total=1.0), "return")


@pytest.mark.parametrize("asked", [None, 5.0])
def test_where_no_other_deadline_is_asked_for_they_are_the_routers_own(asked: float | None) -> None:
    own = limits(5.0)
    assert own.under(asked) is own


@pytest.mark.parametrize("deadline_s", [None, 5.0])
def test_a_requests_own_deadline_is_all_that_differs(deadline_s: float | None) -> None:
    own = limits(deadline_s)
    wait = own.wait
    assert own.under(2.0) == Limits(3, 1, wait, 2.0, 2.0, Timeouts(total=1.0), "return")
