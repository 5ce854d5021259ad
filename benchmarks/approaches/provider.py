"""A provider that gives the recorded answers at its model's speed and price, and is away at times."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import exp
from random import Random
from typing import NamedTuple

from benchmarks.approaches.fleet_models import FleetModel
from benchmarks.approaches.speeds import PREFILL_PER_S, SPREAD
from benchmarks.figures.ground.virtual_fleet import NEVER, PIECES, WEATHERS, CallScript, VirtualProvider, WeatherPeriod
from capability_router.faults.kinds import Fault

MINUTE = 60.0
OUTAGES = ("down", "broken", "overloaded", "silent")
LONGEST_OUTAGE = 45.0
SILENT = CallScript(NEVER, NEVER, 0)
"""A call that is taken and never answered."""


class Outage(NamedTuple):
    """A model is away: from and until, seconds."""

    model: str
    kind: str
    since: float
    until: float


def outages(models: Sequence[str], seed: int, length_s: float) -> list[Outage]:
    """Each model once, one after the other in a drawn order, each at a drawn moment of its part of the time."""
    chance, part = Random(f"outages-{seed}"), length_s / len(models)
    length = min(LONGEST_OUTAGE, 0.8 * part)
    found = []
    for at, model in enumerate(chance.sample(sorted(models), len(models))):
        since = at * part + chance.uniform(0.0, part - length)
        found.append(Outage(model, chance.choice(OUTAGES), since, since + length))
    return found


class RecordedProvider(VirtualProvider):
    """Prices are picodollars per token; `above`: the same beyond so many input tokens. `hurry` times as fast."""

    def __init__(
        self, member: FleetModel, away: Sequence[Outage], seed: int, spread: float = SPREAD, hurry: float = 1.0
    ) -> None:  # fmt: skip
        spells = [WeatherPeriod(0.0, "fair")]
        for outage in away:
            spells += [WeatherPeriod(outage.since, outage.kind), WeatherPeriod(outage.until, "fair")]
        super().__init__(member.name, spells, _pico(*member.price), tells_early=False)
        self.member, self.seed, self.spread, self.hurry = member, seed, spread, hurry
        self.above = None if member.above is None else (member.above[0], _pico(*member.above[1:]))
        self.refused = 0
        self._taken: deque[float] = deque()

    def rates(self, entered: int) -> tuple[int, int]:
        """Picodollars per token in and out of a call with so many tokens in."""
        return self.price if self.above is None or entered <= self.above[0] else self.above[1]

    def play(self, now: float, asked: str, tokens: tuple[int, int]) -> CallScript:
        """The script of a call that begins now; `asked` tells calls apart, whoever decided to make them."""
        if (weather := self.weather(now)) != "fair":
            return SILENT if weather == "silent" else WEATHERS[weather](Random(f"{self.seed} {self.name} {asked}"))
        if (wait := self._full(now)) > 0.0:
            self.refused += 1
            return CallScript(NEVER, 0.02, 0, Fault("rate_limited", status=429, retry_after_s=wait))
        if sum(tokens) > self.member.window:
            return CallScript(NEVER, 0.1, 0, Fault("context_overflow", status=400))
        self._taken.append(now)
        chance, speed = Random(f"{self.seed} {self.name} {asked}"), self.member.speed
        first = speed.ttft_s * exp(self.spread * chance.gauss(0.0, 1.0)) + tokens[0] / PREFILL_PER_S
        writing = tokens[1] / speed.tokens_per_s * exp(self.spread * chance.gauss(0.0, 1.0))
        return CallScript(first / self.hurry, (first + writing) / self.hurry, PIECES)

    def _full(self, now: float) -> float:
        """Seconds until a call is taken again: no more than `rpm` in any minute."""
        while self._taken and self._taken[0] <= now - MINUTE:
            self._taken.popleft()
        return self._taken[0] + MINUTE - now if len(self._taken) >= self.member.rpm else 0.0


def _pico(into: float, out: float) -> tuple[int, int]:
    return round(into * 1e6), round(out * 1e6)
