"""Limits of any finite number of seconds are waited for, or come to the same as one of weeks."""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from unit.execution.gated import GatedEndpoint, GatedModel

from capability_router import Request, routing
from capability_router.clock import SystemClock
from capability_router.concurrency.longest_wait import LONGEST_S, at_most, limited
from capability_router.concurrency.wakeup import Wakeup
from capability_router.endpoints.sockets import seconds
from capability_router.endpoints.timeouts import CallDeadline, ClientTimeouts
from capability_router.telemetry.sink_thread import SinkThread
from capability_router.testing import scripted_router

LIMITS = [
    {"deadline_s": 1e10}, {"timeouts": {"total": 1e300}}, {"timeouts": {"first_token": 1e10}},
    {"timeouts": {"between_tokens": 1e300}}, {"timeouts": {"connect": 1e10}}, {"hedge": {"after_s": 1e10}},
]  # fmt: skip


@pytest.mark.parametrize("settings", LIMITS, ids=lambda each: str(each))
def test_a_request_under_a_limit_of_centuries(settings: dict[str, Any]) -> None:
    terms = {"deadline_s": settings["deadline_s"]} if "deadline_s" in settings else {}
    others = {} if terms else settings
    for awaited in (False, True):
        models = {"a": GatedModel(("a", "nswer")), "b": GatedModel(("b",))}
        router = scripted_router({id: ["ok"] for id in models}, clock=SystemClock(), **others)
        with routing(**terms):
            run = router.start(Request(("hi",), stream=True), GatedEndpoint(models, stream=True))
        text = asyncio.run(_joined(run)) if awaited else "".join(run)
        assert text == "answer"


async def _joined(run: Any) -> str:
    return "".join([chunk async for chunk in run])


@pytest.mark.parametrize("wait_s", [1e10, 1e300])
def test_who_waits_for_centuries_is_woken(wait_s: float) -> None:
    wakeup, raised = Wakeup(), queue.SimpleQueue[BaseException | None]()
    waiting = threading.Thread(target=lambda: raised.put(_error(lambda: wakeup.wait(wait_s))), daemon=True)
    waiting.start()
    wakeup.tell()
    assert raised.get(timeout=30) is None


def _error(work: Callable[[], object]) -> BaseException | None:
    try:
        work()
    except BaseException as error:  # noqa: BLE001 - the thread hands it to the test
        return error
    return None


def test_all_records_are_waited_for_as_long_as_it_takes() -> None:
    class Sink:
        def write(self, record: Any) -> None: ...

        def close(self) -> None: ...

    sink: Any = SinkThread(Sink())  # type: ignore[arg-type]
    sink.write({"request_id": "1"})
    assert sink.flush(1e10)
    sink.close(1e300)


@pytest.mark.parametrize("limit_s", [2**32 / 1_000 + 0.001, 1e7, 1e10, 1e300])
def test_a_socket_never_takes_a_longer_limit_for_a_shorter_one(limit_s: float) -> None:
    patience = CallDeadline(ClientTimeouts(connect=limit_s, total=limit_s), stream=False, now=SystemClock().now)
    asked = [seconds(patience), seconds(patience.connect())]
    for each in asked:
        assert each is not None
        assert 0 < each * 1_000 < 2**31  # in these bits it counts milliseconds
        with socket.socket() as plain:
            plain.settimeout(each)
    near = CallDeadline(ClientTimeouts(connect=5.0, total=7.0), stream=False, now=lambda: 0.0)
    assert (seconds(near), seconds(near.connect())) == (7.0, 5.0)


def test_other_waits_stay_as_they_are() -> None:
    assert (at_most(1e300), at_most(3.0), limited(None), limited(1e10)) == (LONGEST_S, 3.0, None, LONGEST_S)
