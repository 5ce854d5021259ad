"""A call with a key or model name of its own meets the rate limit of that: no other call is held for it."""

from __future__ import annotations

from typing import Any

import pytest
from unit.execution.staged import GOOD, Stage, told

from capability_router import AllCandidatesFailed, Request
from capability_router.faults.kinds import Fault
from capability_router.request import Reply
from capability_router.testing import ScriptedEndpoint

LIMITED = Fault("rate_limited", "slow down", 429, retry_after_s=60.0)
SPENT = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "10s"}
BROUGHT: list[dict[str, Any]] = [{"own_key": True}, {"model": "nano"}, {"own_key": True, "model": "nano"}]


class Bringing(Stage):
    """Its first request brings something along; those that `again` makes bring nothing."""

    def __init__(self, brings: dict[str, Any], ids: str = "a", **settings: Any) -> None:
        super().__init__(ids, **settings)
        request = Request(("hello",), stream=True, **brings)
        self.run = self.router.start(request, ScriptedEndpoint({}, self.router.clock, stream=True))
        self.machine = self.run._machine


@pytest.mark.parametrize("brings", BROUGHT)
def test_a_rate_limit_that_it_meets_closes_no_gate_and_is_waited_for_by_it_alone(brings: dict[str, Any]) -> None:
    stage = Bringing(brings, retry={"max_wait_s": 90.0})
    stage.begin()
    assert told(stage.faulted(101.0, fault=LIMITED)) == [("alarm", 161.0)]
    row = stage.router.board.snapshot(101.0)[0]
    assert (row["held"], row["neutral"], row["refused"]) == ("", 1, 0)
    assert told(stage.again().begin(101.5))[0] == ("launch", 1, "a", "")


@pytest.mark.parametrize("brings", BROUGHT)
def test_refusals_under_load_teach_no_limit(brings: dict[str, Any]) -> None:
    stage = Bringing(brings)
    for _ in range(9):
        stage.router.board.admit("a", 99.0)
    stage.begin()
    stage.faulted(101.0, fault=LIMITED)
    assert stage.router.board.snapshot(101.0)[0]["concurrency_limit"] is None


@pytest.mark.parametrize("brings", BROUGHT)
def test_what_the_headers_of_its_answer_say_is_left_holds_nobody(brings: dict[str, Any]) -> None:
    stage = Bringing(brings)
    stage.begin()
    stage.completed(101.0, reply=Reply(GOOD.usage, GOOD.finish, text="text", headers=SPENT))
    assert told(stage.again().begin(101.5))[0] == ("launch", 1, "a", "")


def test_where_the_provider_forbids_it_it_is_not_repeated() -> None:
    stage = Bringing({"own_key": True}, retry={"max_wait_s": 90.0})
    stage.begin()
    stage.faulted(101.0, fault=Fault("rate_limited", "slow down", 429, again=False))
    text = r"rate limited the key or model that the call brings along \(429\)"
    with pytest.raises(AllCandidatesFailed, match=text) as error:
        raise stage.error or AssertionError
    assert "Check what the call brings along" not in str(error.value)
