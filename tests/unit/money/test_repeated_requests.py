"""One Request object that is started more than once at a time: every launch is paid, and every launch is booked."""

from __future__ import annotations

import logging
import threading
from decimal import Decimal

import pytest
from unit.money.ledger.calls import call

from capability_router import Usage
from capability_router.money.ledger.call import LaunchKey
from capability_router.money.ledger.ledger import Ledger
from capability_router.request import Request
from capability_router.testing import ScriptedEndpoint, ScriptedModel, ask, assert_books_balanced, scripted_router


def test_two_runs_of_one_request_at_the_same_time_are_both_booked() -> None:
    router = scripted_router({"a": ScriptedModel(["ok", "ok"], usage=Usage(10, 5))})
    request = Request(("hi",), stream=True)
    endpoint = ScriptedEndpoint(router.scripted, router.clock, stream=True)  # type: ignore[attr-defined]  # set by scripted_router
    runs = [iter(router.start(request, endpoint)) for _ in range(2)]
    for run in runs:
        next(run)
    assert router.ledger.unsettled == 2
    for run in runs:
        assert list(run)
    total = router.ledger.total()
    assert (total.calls, total.cost_usd) == (2, 2 * Decimal("0.00002"))
    assert_books_balanced(router)


def test_many_threads_over_one_request() -> None:
    router = scripted_router({"a": ScriptedModel(["ok"] * 400, usage=Usage(10, 5))})
    request = Request(("hi",))

    def work() -> None:
        for _ in range(25):
            ask(router, request)

    threads = [threading.Thread(target=work) for _ in range(16)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert (router.ledger.total().calls, router.ledger.refused_settlements) == (400, 0)


def test_refused_settlements_are_told(caplog: pytest.LogCaptureFixture) -> None:
    ledger, told = Ledger(), call()
    ledger.open(LaunchKey(told.request_id, told.attempt))
    for _ in range(3):
        ledger.settle(told)
    with caplog.at_level(logging.WARNING, "capability_router"):
        ledger.close()
        ledger.close()
    assert [r.getMessage() for r in caplog.records] == [
        "the ledger has refused 2 settlements of launches that were settled before"
    ]


def test_refused_settlements_are_told_when_the_next_launch_begins_and_once(caplog: pytest.LogCaptureFixture) -> None:
    ledger, told = Ledger(), call()
    with caplog.at_level(logging.WARNING, "capability_router"):
        ledger.open(LaunchKey(told.request_id, told.attempt))
        ledger.settle(told)
        ledger.settle(told)
        assert not caplog.records
        for attempt in (2, 3):
            ledger.open(LaunchKey(told.request_id, attempt))
            assert [record.name for record in caplog.records] == ["capability_router"]
        ledger.close()
    assert len(caplog.records) == 1
