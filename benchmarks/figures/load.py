"""Figure 4, bounded load: what a dead or a slow target costs in further calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .figure_result import FigureResult, scaled
from .ground.traffic import four, steady
from .ground.virtual_time import Simulation
from .ground.witness import MOST_ATTEMPTS, Witness

MOST_CALLS, MOST_HEDGES = 1.25, 0.05
DEAD = ("down", "broken", "overloaded", "stalled")
POLICIES = ("single", "cheapest", "adaptive")


def simulated(seed: int, weather: str, policy: str, requests: int, **settings: Any) -> Witness:
    """One of four targets in this weather throughout, the first in `single`'s order."""
    providers = four([(0.0, weather)])
    clocks = {"first_token": 2.0, "between_tokens": 1.0, "total": 15.0}
    sim = Simulation(providers, seed, policy={"name": policy, "seed": seed}, timeouts=clocks, **settings)
    sim.run(steady(seed, requests, 10.0))
    sim.witness.at_rest(providers)
    return sim.witness


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    requests = scaled(10_000, scale, 300)
    seen = {(w, p): simulated(seed, w, p, requests) for w in DEAD for p in POLICIES}
    (weather, policy), worst = max(seen.items(), key=lambda item: item[1].launches / item[1].asked)
    calls = worst.launches / worst.asked
    yield FigureResult(
        "bounded load", f"at most {calls:.3f} calls per request ({weather}, {policy}; {len(seen)} x {requests:,})",
        f"mean <= {MOST_CALLS} with one of four dead, never above {MOST_ATTEMPTS}", calls <= MOST_CALLS, str(seed),
    )  # fmt: skip
    hedged = {
        (w, str(after)): simulated(seed, w, "single", requests, hedge={"on": True, "after_s": after})
        for w in ("slow", "stalled", "fair") for after in (None, 0.1)
    }  # fmt: skip
    most = max(w.hedges / w.asked for w in hedged.values())
    total = sum(w.hedges for w in hedged.values())
    yield FigureResult(
        "hedges", f"at most {most:.2%} of the requests; {total:,} hedges in {len(hedged)} x {requests:,}",
        f"<= {MOST_HEDGES:.0%}", 0 < most <= MOST_HEDGES, str(seed),
    )  # fmt: skip
