"""Hedges where inputs differ in size: the slowest first texts, with hedges and without, in virtual time.

One request in five has an input that takes seconds to be read. One call in fifty stalls for seconds more, whatever its
input. A hedge should go beside those that stall, not beside those that read.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from capability_router.execution.effects import Launch
from capability_router.request import Finish, Request
from capability_router.stats.percentile import percentile

from .figure_result import FigureResult, scaled
from .ground.traffic import PRICE
from .ground.virtual_fleet import PIECES, CallScript, VirtualCall, VirtualProvider, WeatherPeriod
from .ground.virtual_time import ArrivingRequest, Journey, Simulation
from .load import MOST_HEDGES

READING_S = 1e-4
"""Seconds per token of input."""
STALL_S, STALLED = 4.0, 0.02
SHORT, LONG = 300, 60_000
SHARES = (0.95, 0.99)


class ReadingProvider(VirtualProvider):
    """Reads the input before it writes; `tokens` is that of the call that begins. Some calls stall."""

    tokens = 0

    def answer(self, now: float, chance: Random) -> CallScript:
        stall = STALL_S * (0.5 + chance.random()) if chance.random() < STALLED else 0.0
        first = 0.3 + 0.3 * chance.random() + READING_S * self.tokens + stall
        return CallScript(first, first + 0.5, PIECES, None, Finish.STOP)


class Timed(Journey):
    """Notes when its first text came."""

    __slots__ = ()

    def start(self, launch: Launch) -> VirtualCall:
        provider: Any = self.sim.providers[launch.candidate.id]
        provider.tokens = self.ask.request.input_tokens
        return super().start(launch)

    def step(self) -> None:
        silent = not self.given
        super().step()
        if silent and self.given:
            size = self.ask.request.input_tokens
            self.sim.firsts[size > SHORT * 2].append(self.sim.clock.now() - self.began)  # type: ignore[attr-defined]  # a Hedged's


class Hedged(Simulation):
    """Two equal readers behind `single`. `firsts`: seconds to the first text, of short and of long inputs."""

    journey = Timed

    def __init__(self, seed: int, requests: int, **settings: Any) -> None:
        readers = [
            ReadingProvider(name, [WeatherPeriod(0.0, "fair")], PRICE, tells_early=False) for name in ("m0", "m1")
        ]
        super().__init__(readers, seed, policy={"name": "single", "seed": seed}, **settings)
        self.firsts: dict[bool, list[float]] = {False: [], True: []}
        self.run(asks(seed, requests))
        self.witness.at_rest(readers)

    def tail_s(self, *, long: bool) -> list[float]:
        """What these shares of the first texts came within."""
        return [percentile(self.firsts[long], share) or 0.0 for share in SHARES]

    @property
    def extra(self) -> float:
        """Hedges per request."""
        return self.witness.hedges / self.witness.asked


def asks(seed: int, requests: int) -> Iterator[ArrivingRequest]:
    """Streams, one in five of them with a long input."""
    chance, at = Random(seed), 0.0
    for n in range(requests):
        at += chance.expovariate(5.0)
        size = LONG if chance.random() < 0.2 else SHORT
        tokens = round(size * (0.5 + chance.random()))
        yield ArrivingRequest(
            at, Request(("hello",), input_tokens=tokens, max_tokens=100, stream=True, id=f"{seed}-{n}"), 60
        )


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    requests = scaled(20_000, scale, 1_500)
    off, on = Hedged(seed, requests), Hedged(seed, requests, hedge={"on": True})
    (_, before), (_, after) = off.tail_s(long=False), on.tail_s(long=False)
    yield FigureResult(
        "hedges, short inputs",
        f"99 % of the first texts within {after:.2f} s, without hedges {before:.2f} s; {requests:,} requests",
        "half of that without", after <= before / 2, str(seed),
    )  # fmt: skip
    (before, _), (after, _) = off.tail_s(long=True), on.tail_s(long=True)
    yield FigureResult(
        "hedges, long inputs", f"95 % within {after:.2f} s, without hedges {before:.2f} s",
        "no later, by 2 %", after <= 1.02 * before, str(seed),
    )  # fmt: skip
    yield FigureResult(
        "hedges by size", f"{on.extra:.2%} of the requests", f"<= {MOST_HEDGES:.0%}", 0 < on.extra <= MOST_HEDGES,
        str(seed),
    )  # fmt: skip
