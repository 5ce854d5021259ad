"""The figures that are measured in virtual time, at a size for every change; and every seed that ever failed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from benchmarks.figures import fleet
from benchmarks.figures.figure_result import regressions


@pytest.mark.parametrize("seed", range(9_001, 9_013))
def test_whatever_the_weather_every_request_ends_once_and_the_books_are_the_providers(seed: int) -> None:
    sim = fleet.simulated(seed, 250)
    assert sim.witness.answered > 100


@pytest.mark.parametrize("case", regressions(), ids=str)
def test_a_seed_that_failed_once_does_not_fail_again(case: dict[str, Any]) -> None:
    fleet.simulated(case["seed"], case["requests"])


def test_a_seed_gives_one_run() -> None:
    one, other = fleet.simulated(9_100, 200), fleet.simulated(9_100, 200)
    assert one.router.ledger.calls() == other.router.ledger.calls()


@pytest.mark.parametrize("name", ["books", "load", "tails", "failover", "recovery", "ejection"])
def test_the_promise_is_kept_at_a_small_size(name: str) -> None:
    found = list(import_module(f"benchmarks.figures.{name}").measure(0.03, 7))
    assert found
    for finding in found:
        assert finding.met, finding.line()
