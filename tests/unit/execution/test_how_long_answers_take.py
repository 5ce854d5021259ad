"""What calls of either kind teach of a model's speed, through a whole router, and what the policies make of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from capability_router import Outcome, Request, Router, Usage, routing
from capability_router.clock import Clock, ManualClock
from capability_router.execution.effects import Launch
from capability_router.execution.events import AlarmRang, Began
from capability_router.execution.hedge import Hedging
from capability_router.faults.kinds import Fault
from capability_router.request import Finish, Reply
from capability_router.testing import ScriptedEndpoint, scripted_router

TOKENS = 100
TOKENS_IN = 10
SURE, QUICK = (1.0, 0.02), (0.5, 0.015)
"""Seconds to the first token, and per token: answers take 3 and 2 seconds."""


class Writer:
    """One call: a stream's first token comes in its time, and the others one by one; another's answer at its end."""

    keeps_time = True

    def __init__(self, pace: tuple[float, float], clock: Clock, *, stream: bool) -> None:
        self._pace, self._clock, self._stream = pace, clock, stream

    def chunks(self) -> Iterator[str]:
        (wait, each), clock = self._pace, self._clock
        clock.sleep(wait if self._stream else wait + TOKENS * each)
        for _ in range(TOKENS if self._stream else 1):
            yield "word "
            clock.sleep(each if self._stream else 0.0)

    def achunks(self) -> AsyncIterator[str]:
        raise NotImplementedError

    def commits(self, chunk: str) -> bool:
        return True

    def abort(self) -> None:
        pass

    def reply(self) -> Reply:
        return Reply(text="word", usage=Usage(TOKENS_IN, TOKENS), finish=Finish.STOP)


class Writers:
    """An endpoint of such models."""

    def __init__(self, router: Router, *, stream: bool) -> None:
        self._paces, self._clock, self._stream = {"sure": SURE, "quick": QUICK}, router.clock, stream

    def start(self, launch: Launch) -> Writer:
        return Writer(self._paces[launch.candidate.id], self._clock, stream=self._stream)

    def fault(self, error: BaseException) -> Fault | None:
        return None


def routed(policy: Any = "single", **settings: Any) -> Router:
    return scripted_router({"sure": ["ok"], "quick": ["ok"]}, clock=ManualClock(), policy=policy, **settings)


def asked(router: Router, pin: str, *, stream: bool, times: int = 12) -> Outcome:
    """The last of so many calls' outcome."""
    for _ in range(times):
        with routing(pin=pin) as terms:
            run = router.start(Request(("hello",), stream=stream, routing=terms), Writers(router, stream=stream))
        assert "word" in "".join(run)
    assert run.outcome is not None
    return run.outcome


def rows(router: Router) -> dict[str, dict[str, Any]]:
    return {row["model"]: row for row in router.health()}


def test_replies_that_are_not_streamed_teach_no_first_token_and_streams_do() -> None:
    router = routed()
    whole = asked(router, "sure", stream=False, times=30)
    told = rows(router)["sure"]
    assert (told["ttft_s"], told["ttft_p95_s"], told["took_s"]) == (None, None, pytest.approx(3.0))
    assert (whole.ttft_s, whole.attempts[0].ttft_s, whole.elapsed_s) == (None, None, pytest.approx(3.0))
    streamed = asked(router, "sure", stream=True)
    assert streamed.ttft_s == streamed.attempts[0].ttft_s == pytest.approx(1.0)
    assert rows(router)["sure"]["ttft_s"] == pytest.approx(1.0)


@pytest.mark.parametrize("policy", ["fastest", "weighted"])
@pytest.mark.parametrize("streamed", ["sure", "quick", "both", "neither"])
def test_the_quicker_model_is_found_whichever_kind_of_call_showed_it(policy: str, streamed: str) -> None:
    weights = {"weights": {"latency": 1.0, "quality": 0.0, "cost": 0.0, "queue": 0.0}} if policy == "weighted" else {}
    router = routed({"name": policy, **weights})
    for id in ("sure", "quick"):
        asked(router, id, stream=streamed in (id, "both"))
    for prompt in ("hello", "Write a long essay about the sea. " * 40):
        for stream in (True, False):
            plan = router.explain(Request((prompt,), stream=stream))
            assert plan.chosen is not None
            assert plan.chosen.id == "quick"


@pytest.mark.parametrize("stream", [True, False])
def test_a_hedge_waits_as_long_as_calls_of_its_kind_are_silent(stream: bool) -> None:
    router = routed()
    delay = Hedging(None, 0.05, router.board.usual_silence_s).delay_s
    asked(router, "sure", stream=False, times=19)
    assert delay("sure", TOKENS_IN, whole=not stream) is None
    asked(router, "sure", stream=False, times=1)
    asked(router, "quick", stream=True, times=20)
    assert delay("sure", TOKENS_IN, whole=not stream) == pytest.approx(3.0)
    assert delay("quick", TOKENS_IN, whole=not stream) == pytest.approx(0.5 if stream else 2.0)


def test_a_reply_that_times_out_lasts_longer_than_was_thought_and_has_no_first_token() -> None:
    router = routed(timeouts={"total": 9.0})
    machine = router.start(Request(("hello",)), ScriptedEndpoint({}, router.clock))._machine
    machine.feed(Began(0.0))
    machine.feed(AlarmRang(9.0, {}))
    told = rows(router)["sure"]
    assert (told["failed"], told["ttft_s"], told["took_s"]) == (1, None, 9.0)
