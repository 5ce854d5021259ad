"""A model that hangs, under steady traffic in virtual time: how many requests run into it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from benchmarks.figures.ground.virtual_fleet import NEVER, CallScript, VirtualProvider, WeatherPeriod
from benchmarks.figures.ground.virtual_time import ArrivingRequest, Simulation
from capability_router.request import Request

SINCE, UNTIL, END = 60.0, 100.0, 130.0
PER_S = 5
HANGS = CallScript(NEVER, NEVER, 0)


class Hung(VirtualProvider):
    """`asked`: when its calls came."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.asked: list[float] = []

    def answer(self, now: float, chance: Random) -> CallScript:
        self.asked.append(now)
        if self.weather(now) == "hung":
            return HANGS
        return super().answer(now, chance)


class Fleet(Simulation):
    """`first` falls silent for 40 s: all its calls hang. A call is given up after 12 s."""

    def __init__(self, **settings: Any) -> None:
        spells = [WeatherPeriod(0.0, "fair"), WeatherPeriod(SINCE, "hung"), WeatherPeriod(UNTIL, "fair")]
        self.first = Hung("first", spells, (100, 100), tells_early=False)
        second = VirtualProvider("second", [WeatherPeriod(0.0, "fair")], (200, 200), tells_early=False)
        super().__init__([self.first, second], 7, policy="single", timeouts={"first_token": 12.0}, **settings)
        self.events: list[tuple[str, float]] = []
        self.router.on_health(lambda event: self.events.append((event.kind, event.at)))


def asks() -> Iterator[ArrivingRequest]:
    for number in range(int(END * PER_S)):
        yield ArrivingRequest(number / PER_S, Request(("hello",), stream=True, input_tokens=100), 20)


@pytest.fixture(scope="module")
def hung() -> Fleet:
    fleet = Fleet()
    fleet.run(asks())
    fleet.witness.at_rest(fleet.providers.values())
    return fleet


def test_nearly_all_requests_are_spared_it(hung: Fleet) -> None:
    into = [at for at in hung.first.asked if SINCE <= at < UNTIL]
    assert len([at for at in into if at < SINCE + 12.0]) <= 1.5 * PER_S, "two are overdue after a second and a half"
    assert len(into) <= 3 * PER_S, "of two hundred"
    assert hung.witness.answered == END * PER_S


def test_it_is_told_long_before_the_first_of_them_is_given_up(hung: Fleet) -> None:
    kind, at = next(event for event in hung.events if event[1] >= SINCE)
    assert (kind, SINCE + 1.0 < at < SINCE + 2.0) == ("degraded", True)


def test_it_is_back_when_it_is_heard_again(hung: Fleet) -> None:
    served = [at for at in hung.first.asked if at >= UNTIL + 15.0]
    assert len(served) == (END - UNTIL - 15.0) * PER_S
