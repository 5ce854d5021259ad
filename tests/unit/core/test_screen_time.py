"""The time that a screen takes is the request's own."""

from __future__ import annotations

import asyncio

import pytest

from capability_router import Request, RouterBusy, routing
from capability_router.clock import ManualClock
from capability_router.testing import ScriptedEndpoint, assert_books_balanced, scripted_router


@pytest.mark.parametrize("awaited", [False, True])
def test_its_time_counts_against_the_deadline(awaited: bool) -> None:
    clock = ManualClock()
    took: list[float] = []

    def slow(request: Request) -> None:
        clock.sleep(took[-1])

    router = scripted_router({"a": ["ok"], "b": ["ok"]}, screen=slow, clock=clock)
    for each, limit in ((7.0, 3.0), (10.0, None), (0.0, 10.0)):
        took.append(each)
        endpoint = ScriptedEndpoint(router.scripted, clock)  # type: ignore[attr-defined]
        with routing(deadline_s=10.0):
            request = Request(("hi",))
            request = asyncio.run(router.prepare(request)) if awaited else request
            run = router.start(request, endpoint)
        if limit is None:
            with pytest.raises(RouterBusy, match=r"the deadline of 10 s is over .* Waited 10.0 s; nothing was sent"):
                list(run)
        else:
            list(run)
        assert [launch.timeouts.total for launch in endpoint.launches] == ([] if limit is None else [limit])
    assert_books_balanced(router)
