"""Interchangeable models share the traffic by their pressure; the user's own order is left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from capability_router import Request
from capability_router.health.latency import PeakEwma
from capability_router.router import Router
from capability_router.testing import ScriptedEndpoint, ScriptedModel, ask, scripted_router

PRICE = {"input_mtok": 1, "output_mtok": 2}


def fleet(count: int, policy: str = "adaptive", delays: tuple[float, ...] = ()) -> Router:
    """So many deployments of one model, and another model that is dearer."""
    names = [f"d{i}" for i in range(count)]
    paced = zip(names, delays or (1.0,) * count, strict=True)
    models = {id: ScriptedModel(["ok"], delay_s=delay) for id, delay in paced}
    cards: dict[str, Any] = {id: {"model": "gpt-x", "price": PRICE} for id in names}
    cards["other"] = {"price": {"input_mtok": 9, "output_mtok": 9}, "latency": {"ttft_s": 99.0}}
    return scripted_router({**models, "other": ScriptedModel(["ok"])}, cards=cards, policy=policy)


def opened(router: Router) -> Iterator[str]:
    """A stream that has begun and is left open, so that its call stays in flight."""
    endpoint = ScriptedEndpoint(router.scripted, router.clock, stream=True)  # type: ignore[attr-defined]  # set by scripted_router
    run = router.start(Request(("hi",), stream=True), endpoint)
    chunks = iter(run)
    next(chunks)
    return chunks


@pytest.mark.parametrize("policy", ["adaptive", "cheapest", "weighted", "fastest"])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_calls_in_flight_are_spread(policy: str, count: int) -> None:
    router = fleet(count, policy)
    streams = [opened(router) for _ in range(4 * count)]
    load = {row["model"]: row["in_flight"] for row in router.health()}
    assert load["other"] == 0
    spread = [n for id, n in load.items() if id != "other"]
    assert max(spread) - min(spread) <= 2, load
    assert len(streams) == 4 * count


def test_a_slow_deployment_gets_less() -> None:
    router = fleet(2, "cheapest", delays=(8.0, 0.5))
    chosen = Counter(ask(router).outcome.model for _ in range(40))
    assert chosen["d1"] > 3 * chosen["d0"] > 0  # and the slow one is looked at again


def test_single_keeps_its_users_order() -> None:
    router = fleet(2, "single")
    streams = [opened(router) for _ in range(6)]
    assert router.health()[0]["in_flight"] == len(streams)


def test_the_same_state_gives_the_same_plan() -> None:
    router = fleet(5)
    held = opened(router)
    assert len({tuple(c.id for c in router.explain(Request(("hi",))).candidates) for _ in range(20)}) == 1
    held.close()  # type: ignore[attr-defined]  # a generator


def test_a_peak_fades_with_what_comes_and_with_silence() -> None:
    peak = PeakEwma()
    peak.add(4.0, 0.0)
    peak.add(0.5, 1.0)
    assert 3.0 < peak.value(1.0) < 4.0
    assert peak.value(60.0) < 0.02
    peak.add(9.0, 61.0)
    assert peak.value(61.0) == 9.0
