"""Random scripts through the whole core: nothing lost, nothing booked twice, sync equals async."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capability_router import AllCandidatesFailed, Request, RouterError, StreamInterrupted
from capability_router.clock import ManualClock
from capability_router.execution.run import Run
from capability_router.faults.kinds import KINDS
from capability_router.money.price import usd
from capability_router.router import Router
from capability_router.testing import ScriptedEndpoint, ScriptedModel, assert_books_balanced, scripted_router

FAULTS = sorted(set(KINDS) - {"empty"})
steps = st.sampled_from(
    [*FAULTS, "ok", "ok", "ok", "empty", "silent", "cut:0", "cut:1", "cut:2", "cut:4", "stop:0", "stop:3"]
)
scripts = st.dictionaries(st.sampled_from("abcdef"), st.lists(steps, min_size=1, max_size=3), min_size=1, max_size=5)


def built(script: dict[str, list[str]], deadline: float | None) -> Router:
    models = {n: ScriptedModel(s, chunks=("", f"{n}1 ", f"{n}2 ", f"{n}3"), delay_s=0.5) for n, s in script.items()}
    retry = {"wait": {"fixed": 1.0}, "max_wait_s": 5}
    return scripted_router(
        models, clock=ManualClock(), retry=retry, deadline_s=deadline, policy={"name": "single", "seed": 7}
    )


def result(router: Router, request: Request, asynchronous: bool) -> tuple[list[str], Run[str], str]:
    endpoint = ScriptedEndpoint(router.scripted, router.clock, stream=request.stream)  # type: ignore[attr-defined]
    got: list[str] = []
    run: Run[str] | None = None
    told = ""

    async def collect(run: Run[str]) -> None:
        async for chunk in run:
            got.append(chunk)  # noqa: PERF401 - what came before an error must be kept

    try:
        run = router.start(request, endpoint)
        if asynchronous:
            asyncio.run(collect(run))
        else:
            got.extend(iter(run))
    except RouterError as error:
        told = f"{type(error).__name__}: {error}"
    assert run is not None
    return got, run, told


def trace(run: Run[str]) -> list[Any]:
    assert run.outcome is not None
    return [(r.index, r.model, r.fault, r.cost_pico, round(r.started_s, 6)) for r in run.outcome.attempts]


@settings(max_examples=200, deadline=None)
@given(scripts, st.booleans(), st.sampled_from([None, 0.9, 3.0]), st.integers(1, 4))
def test_every_request_ends_once_and_well(script, stream, deadline, requests) -> None:
    router = built(script, deadline)
    for _ in range(requests):
        request = Request(("hello",), stream=stream)
        if not router.explain(request).candidates:  # every credential is disabled by now
            break
        got, run, told = result(router, request, False)
        check(run, "".join(got), told, deadline)
        assert_books_balanced(router)
    booked = sum(call.cost_pico or 0 for call in router.ledger.calls())
    assert usd(booked) == router.ledger.total().cost_usd


def check(run: Run[str], text: str, told: str, deadline: float | None) -> None:
    outcome = run.outcome
    assert outcome is not None
    assert len({c for c in text if c.isalpha()}) <= 1, "two models' texts in one answer"
    assert len(outcome.attempts) <= 4
    assert (outcome.model is None) == bool(told)
    assert not (text and outcome.model) or text.startswith(outcome.model)
    assert bool(text) == told.startswith("StreamInterrupted") if told else True
    assert deadline is None or all(r.started_s <= deadline for r in outcome.attempts)


@settings(max_examples=150, deadline=None)
@given(scripts, st.booleans(), st.integers(1, 4))
def test_sync_equals_async(script, stream, requests) -> None:
    one, other = built(script, None), built(script, None)
    for _ in range(requests):
        if not one.explain(Request(("hello",), stream=stream)).candidates:
            break
        got, run, told = result(one, Request(("hello",), stream=stream), False)
        got2, run2, told2 = result(other, Request(("hello",), stream=stream), True)
        assert (got, trace(run), told) == (got2, trace(run2), told2)
    assert_books_balanced(other)


@settings(max_examples=100, deadline=None)
@given(scripts, st.integers(0, 6))
def test_a_caller_who_goes_away_leaves_nothing_behind(script, taken) -> None:
    router = built(script, None)
    endpoint = ScriptedEndpoint(router.scripted, router.clock, stream=True)  # type: ignore[attr-defined]
    run = router.start(Request(("hello",), stream=True), endpoint)
    chunks = iter(run)
    with suppress(AllCandidatesFailed):
        for _ in range(taken):
            next(chunks, None)
        chunks.close()
    assert run.outcome is not None or taken == 0
    assert_books_balanced(router)


def test_partial_text_is_attached() -> None:
    router = built({"a": ["cut:3"], "b": ["ok"]}, None)
    run = router.start(Request(("hello",), stream=True), ScriptedEndpoint(router.scripted, router.clock, stream=True))  # type: ignore[attr-defined]
    with pytest.raises(StreamInterrupted) as caught:
        list(run)
    assert caught.value.partial == "a1 a2 "
