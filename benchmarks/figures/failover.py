"""Figure 6, fast failover: one of four targets hard down, then well again."""

from __future__ import annotations

from collections.abc import Iterator

from .figure_result import FigureResult, scaled
from .ground.traffic import four, steady
from .ground.virtual_time import Simulation

LEAST_SUCCESS, MOST_HITS = 0.999, 10
DEAD = ("down", "broken", "overloaded")
PER_S = 20.0


class Failover:
    """The first of four is down for the first half of the requests.

    `hits`: calls that failed on it until its breaker opened; `flying`: those that were under way by then, which
    nothing can call back.
    """

    def __init__(self, seed: int, weather: str, requests: int) -> None:
        self.well_at = requests / PER_S / 2
        providers = four([(0.0, weather), (self.well_at, "fair")])
        self.sim = Simulation(providers, seed, policy={"name": "single", "seed": seed})
        self.dead, self.hits, self.flying = providers[0], 0, 0
        self.sim.router.board._on_event = self._told
        self.witness = self.sim.run(steady(seed, requests, PER_S))
        self.witness.at_rest(providers)
        self.back = self.dead.calls

    def _told(self, event: object) -> None:
        if not self.hits and getattr(event, "kind", "") == "breaker_opened":
            self.flying = self.dead.in_flight
            self.hits = self.dead.calls - self.flying


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    requests = scaled(20_000, scale, 1_000)
    seen = [Failover(seed + i, weather, requests) for weather in DEAD for i in range(3)]
    asked = sum(f.witness.asked for f in seen)
    answered = sum(f.witness.answered for f in seen)
    hits = max(f.hits for f in seen)
    yield FigureResult(
        "one of four down", f"{answered / asked:.4%} of {asked:,} answered, {asked - answered} lost",
        f">= {LEAST_SUCCESS:.1%}", answered >= LEAST_SUCCESS * asked, str(seed),
    )  # fmt: skip
    yield FigureResult(
        "failover",
        f"at most {hits} calls failed before its breaker opened, with at most {max(f.flying for f in seen)} more in "
        f"flight by then ({PER_S:g} requests per second, failing after 0.01 to 0.2 s)",
        f"1 to {MOST_HITS}", 0 < hits <= MOST_HITS, str(seed),
    )  # fmt: skip
    served = sum(f.back for f in seen)
    yield FigureResult(
        "after it is well", f"{served:,} of {asked:,} requests went to it, {asked - answered} were lost",
        "it is used, none is lost", served > asked // 10 and asked == answered, str(seed),
    )  # fmt: skip
