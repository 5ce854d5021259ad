"""Figure 7, recovery: a target that is well again is used again, and probed gently before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from capability_router.health.breaker import CLOSED, HALF_OPEN

from .figure_result import FigureResult, scaled
from .ground.traffic import four, steady
from .ground.virtual_fleet import CallScript, VirtualProvider
from .ground.virtual_time import Simulation

SLACK_S = 1.0
OUTAGES_S = (3.0, 16.0, 60.0, 300.0)


class Recovering(VirtualProvider):
    """Notes how many calls are in flight while its breaker is half-open, when it is used again, and when freely."""

    board: Any
    well_at: float
    back_at: float | None = None
    closed_at: float | None = None
    degraded_until = 0.0
    probes = 0

    def answer(self, now: float, chance: Any) -> CallScript:
        breaker = self.board._lanes[self.name].breaker
        if breaker.state == HALF_OPEN:
            self.probes = max(self.probes, self.in_flight + 1)
        if now >= self.well_at and self.back_at is None:
            self.back_at, self.degraded_until = now, breaker.degradation.until
        if now >= self.well_at and self.closed_at is None and breaker.state == CLOSED:
            self.closed_at = now
        return super().answer(now, chance)


class Recovery:
    """An outage of the first of four."""

    def __init__(self, seed: int, outage_s: float, weather: str, per_s: float) -> None:
        providers = four([(0.0, "fair"), (5.0, weather), (5.0 + outage_s, "fair")])
        lame = self.lame = Recovering("m0", providers[0].spells, providers[0].price, tells_early=False)
        lame.well_at = 5.0 + outage_s
        self.open_until = 0.0
        sim = Simulation([lame, *providers[1:]], seed, policy={"name": "single", "seed": seed})
        lame.board = sim.router.board
        lame.board._on_event = self._told
        witness = sim.run(steady(seed, int((2 * outage_s + 60) * per_s), per_s))
        witness.at_rest(sim.providers.values())
        self.most_permits = lame.board.config.half_open_permits

    def _told(self, event: Any) -> None:
        lame = self.lame
        if event.kind == "breaker_opened" and event.model == "m0" and lame.back_at is None:
            self.open_until = lame.board._lanes["m0"].breaker.until

    def late_s(self, at: float | None) -> float:
        """Seconds from when it was well again, or from the end of the open time or degradation that kept calls away.

        Both may have begun since, with a call that was under way. A short outage may end before five calls have
        failed: then a degradation is what keeps calls away.
        """
        lame = self.lame
        return float("inf") if at is None else at - max(self.open_until, lame.degraded_until, lame.well_at)


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    rounds, outages = scaled(5, scale), OUTAGES_S if scale >= 0.1 else OUTAGES_S[:3]
    seen = [
        Recovery(seed + i, outage, weather, 10.0)
        for outage in outages for weather in ("down", "broken", "overloaded") for i in range(rounds)
    ]  # fmt: skip
    late = max(r.late_s(r.lame.back_at) for r in seen)
    freely = max(r.late_s(r.lame.closed_at) for r in seen)
    yield FigureResult(
        "recovery",
        f"answers again {late:.2f} s after the open time or degradation then in force, at the latest, and freely (its "
        "first answer takes up to 1.2 s) "
        f"after {freely:.2f} s; {len(seen)} outages of {OUTAGES_S[0]:g} to {outages[-1]:g} s",
        f"<= {SLACK_S:g} s", late <= SLACK_S, str(seed),
    )  # fmt: skip
    probes, permits = max(r.lame.probes for r in seen), seen[0].most_permits
    yield FigureResult(
        "half-open", f"at most {probes} calls at once", f"<= its {permits} permits", 0 < probes <= permits, str(seed)
    )  # fmt: skip
