"""Figure 8, never all ejected: every target fails half of its calls, and the router still answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .figure_result import FigureResult, scaled
from .ground.traffic import four, steady
from .ground.virtual_time import Simulation

OFF = {"consecutive": 10**9, "failure_rate": 1.0, "min_calls": 10**9}


def success(seed: int, requests: int, targets: int, health: dict[str, Any]) -> float:
    """The share answered when each of so many targets fails half of its calls."""
    providers = four(*([[(0.0, "flaky")]] * 4))[:targets]
    sim = Simulation(providers, seed, policy={"name": "single", "seed": seed}, health=health)
    witness = sim.run(steady(seed, requests, 10.0))
    witness.at_rest(providers)
    return witness.answered / witness.asked


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    requests = scaled(20_000, scale, 1_000)
    on, off, alone = (success(seed, requests, n, health) for n, health in ((4, {}), (4, OFF), (1, OFF)))
    yield FigureResult(
        "never all ejected",
        f"{on:.1%} of {requests:,} answered with breakers, {off:.1%} without, {alone:.1%} by the best single target",
        ">= the best single target, all four failing 50 %", on >= alone, str(seed),
    )  # fmt: skip
