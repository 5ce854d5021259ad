"""Figure 15, cancellation-safe: each verb is cancelled at each point at which it awaits, and nothing is left behind.

A task is let run for n rounds of the event loop and cancelled, for n = 0, 1, 2 ... until it ends by itself.
Synchronous streams are closed after each chunk. Afterwards permits, ledger and reservations must be at rest,
and the breakers must have counted the providers' own faults and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

from llama_index.core.base.llms.types import ChatMessage

from capability_router.clock import ManualClock
from capability_router.errors import RouterError
from capability_router.faults.kinds import KINDS
from capability_router.router import Router
from capability_router.testing import assert_books_balanced
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

from .figure_result import FigureResult
from .ground.fake_models import FakeChat, FakeLLM, Steps, home

NAMES = ("a", "b", "c")
SCRIPTS = (
    ("ok", "ok", "ok"), ("500", "ok", "ok"), ("529", "429", "ok"), ("cut:0", "ok", "ok"), ("stop:0", "cut:0", "ok"),
    ("cut:2", "ok", "ok"), ("500", "500", "500"), ("hang", "ok", "ok"),
)  # fmt: skip
LANGCHAIN = ("ainvoke", "astream", "agenerate", "astream_events")
LLAMAINDEX = ("achat", "acomplete", "astream_chat", "astream_complete")
LEAST_POINTS = 500
PRICE = {"input_mtok": 1, "output_mtok": 2}
CLOCKS: Any = {"first_token": 30.0, "between_tokens": 30.0, "total": 60.0}


class HangingChat(FakeChat):
    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        await _hang(self.steps)
        return await super()._agenerate(*args, **kwargs)

    async def _astream(self, *args: Any, **kwargs: Any) -> Any:
        await _hang(self.steps)
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk


class HangingLLM(FakeLLM):
    async def acomplete(self, *args: Any, **kwargs: Any) -> Any:
        await _hang(self.steps)
        return await super().acomplete(*args, **kwargs)

    async def astream_complete(self, *args: Any, **kwargs: Any) -> Any:
        await _hang(self.steps)
        return await super().astream_complete(*args, **kwargs)


async def _hang(steps: Steps) -> None:
    if steps.steps[0] == "hang":
        await asyncio.Event().wait()


class Case(NamedTuple):
    """A router with its models' script, and a call on it."""

    verb: str
    router: Router
    call: Callable[[], Any]


def _settings(hedged: bool) -> dict[str, Any]:
    return {
        "policy": "single", "clock": ManualClock(), "timeouts": CLOCKS, "retry": {"wait": {"fixed": 0.5}},
        "budgets": [{"scope": "global", "limit_usd": 100}],
        "hedge": {"on": hedged, "after_s": 0.001, "extra": 1.0},
    }  # fmt: skip


def langchain(verb: str, script: tuple[str, ...], hedged: bool) -> Case:
    steps = zip(NAMES, (Steps([step]) for step in script), strict=True)
    models = [HangingChat(name_=name, base_url=home(name), steps=own) for name, own in steps]
    made = ChatRouter(models=[(m, {"id": m.name_, "price": PRICE}) for m in models], **_settings(hedged))
    made.router._dispatch.finish_reason_models.update(NAMES)
    calls: dict[str, Callable[[], Any]] = {
        "ainvoke": lambda: made.ainvoke("hi"),
        "astream": lambda: _drained(made.astream("hi")),
        "agenerate": lambda: made.agenerate([made._convert_input("hi").to_messages()] * 2),
        "astream_events": lambda: _drained(made.astream_events("hi", version="v2")),
        "stream": lambda: made.stream("hi"),
    }  # fmt: skip
    return Case(verb, made.router, calls[verb])


def llamaindex(verb: str, script: tuple[str, ...], hedged: bool) -> Case:
    steps = zip(NAMES, (Steps([step]) for step in script), strict=True)
    models = [HangingLLM(name_=name, api_base=home(name), steps=own) for name, own in steps]
    made = RouterLLM(models=[(m, {"id": m.name_, "price": PRICE}) for m in models], **_settings(hedged))
    made.router._dispatch.finish_reason_models.update(NAMES)
    prompt: Any = [ChatMessage(content="hi")] if "chat" in verb else "hi"

    async def streamed() -> None:
        await _drained(await getattr(made, verb)(prompt))

    plain = lambda: getattr(made, verb)(prompt)  # noqa: E731 - one of two ways to call it
    return Case(verb, made.router, streamed if verb.startswith("astream") else plain)


async def _drained(chunks: Any) -> None:
    async for _ in chunks:
        pass


async def cancelled_after(rounds: int, case: Case, pause_s: float) -> bool:
    """Cancel after so many rounds of the loop; whether it was still under way then."""
    task = asyncio.ensure_future(case.call())
    for _ in range(rounds):
        if task.done():
            break
        await asyncio.sleep(pause_s)
    under_way = task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    except RouterError:
        # LangChain's own astream_events waits for its inner task, and that one's error wins.
        assert not under_way or case.verb == "astream_events", "a cancellation was answered with another error"
    else:
        assert not under_way, "a cancellation was swallowed"
    await asyncio.sleep(0)  # tasks that were let go close their calls
    await asyncio.sleep(0)
    _at_rest(case)
    return under_way


def _at_rest(case: Case) -> None:
    router = case.router
    assert_books_balanced(router)
    assert router.board.settled_twice == 0
    own = Counter(c.model for c in router.ledger.calls() if c.fault in KINDS and KINDS[c.fault].blame == "breaker")
    for id, lane in router.board._lanes.items():
        counted = lane.breaker.window.failed
        assert lane.breaker.state == "closed", f"{case.verb}: {id}'s breaker is {lane.breaker.state}"
        assert counted == own[id], f"{case.verb}: {id}'s breaker counts {counted} faults, its provider made {own[id]}"


async def swept(make: Callable[..., Case], verb: str, script: tuple[str, ...], hedged: bool) -> int:
    """Points at which it was cancelled."""
    if script[0] == "hang" and not hedged:
        for rounds in range(12):
            await cancelled_after(rounds, make(verb, script, hedged), 0)
        return 12
    rounds = 0
    while await cancelled_after(rounds, make(verb, script, hedged), 0.0003 if script[0] == "hang" else 0):
        rounds += 1
        assert rounds < 1_000, f"{verb} {script} never ends"
    return rounds


def closed(make: Callable[..., Case], verb: str, script: tuple[str, ...]) -> int:
    """Close a synchronous stream after 0, 1, 2 ... chunks; how often."""
    taken = 0
    while True:
        case = make(verb, script, False)
        try:
            with closing(case.call()) as chunks:
                for _ in range(taken):
                    next(chunks)
        except (StopIteration, RouterError):
            return taken
        finally:
            _at_rest(case)
        taken += 1


async def _all(verbs_of_langchain: tuple[str, ...]) -> Counter[str]:
    points: Counter[str] = Counter()
    for make, verbs in ((langchain, verbs_of_langchain), (llamaindex, LLAMAINDEX)):
        for verb in verbs:
            for script in SCRIPTS:
                for hedged in (False, True):
                    points[verb] += await swept(make, verb, script, hedged)
    for make, verb in ((langchain, "stream"), (llamaindex, "stream_chat"), (llamaindex, "stream_complete")):
        for script in SCRIPTS[:-1]:
            points[verb] += closed(make, verb, script)
    return points


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    del seed  # every point is one case: there is nothing to draw
    wrong, points = "", Counter[str]()
    try:
        points = asyncio.run(_all(LANGCHAIN if scale >= 1 else LANGCHAIN[:-1]))
    except AssertionError as error:
        wrong = str(error)
    told = ", ".join(f"{verb} {count}" for verb, count in points.items())
    yield FigureResult(
        "cancellation-safe",
        wrong or f"cancelled or closed at {points.total():,} points ({told}): nothing left, breakers untouched",
        f">= {LEAST_POINTS} points, all clean", not wrong and points.total() >= LEAST_POINTS, "none",
    )  # fmt: skip
