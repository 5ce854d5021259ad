"""What the routing core costs per request, without any call: python -m benchmarks.core [--rounds 3000]

Median and 99th percentile in microseconds of processor time, which the machine's other work touches little; a prompt
of 84 characters, cards with windows, prices, capabilities, quality and latency. "decide" is eligibility, prediction
and ranking; "start" adds the run's machine and account; "whole" also carries out a scripted call that answers at
once, books it and settles it. A shadow decides in "start". "first" is "decide" before any request was carried out:
averages that are kept are then solved for anew each time, as in their first 32 requests; the other columns are
measured after 200. "ratio" is "decide" over a bare loop that reads ten attributes per model, "calls" the functions of
Python's and C's that "decide" and "whole" call, the scripted model's own among them: no other work changes these.
All figures are taken in fifty turns, so that a machine that is quicker in one minute than in the next is so for each.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.option import at_least_one
from benchmarks.overhead.prompt import PROMPT
from capability_router import Price, Request
from capability_router.testing import ask, scripted_router

WARM, ROUNDS, TURNS = 200, 3_000, 50
POLICIES: tuple[Any, ...] = (
    "single", "cheapest", "fastest", "weighted", "adaptive",
    {"name": "adaptive", "quality_target": 0.8},
    {"name": "adaptive", "cost_target_usd": 0.001},
    {"name": "adaptive", "cost_target_usd": 0.001, "latency_target_s": 3},
    {"name": "rules", "rules": [{"when": {"task": "chat"}, "then": ["m3"]}]},
)  # fmt: skip


def cards(count: int) -> dict[str, dict[str, Any]]:
    return {
        f"m{i}": {
            "price": Price(1 + i, 2), "context_window": 8_000 * (i + 1), "tool_calling": True,
            "quality": {"default": 0.5 + (i % 10) * 0.04}, "latency": {"ttft_s": 0.4, "tokens_per_s": 90},
        }
        for i in range(count)
    }  # fmt: skip


class Timing:
    """What a call takes, asked for in turns."""

    def __init__(self, call: Callable[[], object], share: float = 1.0) -> None:
        self._call, self._share = call, share
        self._ns: list[int] = []

    def turn(self, rounds: int, warm: int) -> None:
        call, clock = self._call, time.thread_time_ns
        for _ in range(warm):
            call()
        gc.disable()
        for _ in range(max(int(rounds * self._share), 1)):
            before = clock()
            call()
            self._ns.append(clock() - before)
        gc.enable()

    def percentile(self, share: float) -> float:
        """In microseconds."""
        return sorted(self._ns)[int(len(self._ns) * share)] / 1_000


def timed(call: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """Its median and 99th percentile in microseconds."""
    timing = Timing(call)
    timing.turn(rounds, WARM)
    return timing.percentile(0.5), timing.percentile(0.99)


def calls(call: Callable[[], object]) -> int:
    """The functions of Python's and C's that it calls."""
    events: list[str] = []
    call()
    sys.setprofile(lambda frame, event, value: events.append(event))
    try:
        call()
    finally:
        sys.setprofile(None)
    return sum(event.endswith("call") for event in events) - 1  # of which one ends it


def bare(made: Any) -> Callable[[], object]:
    names = ("id", "price", "context_window", "tool_calling", "quality", "latency", "tags", "data", "model", "provider")
    return lambda: [[getattr(card, name) for name in names] for card in made.registry.cards]


TRIALS: dict[str, Any] = {"shadow": "adaptive", "canary": {"name": "adaptive", "share": 0.5}}


class Row:
    """A policy over so many models."""

    def __init__(self, count: int, policy: Any, **trial: Any) -> None:
        fresh, made = (
            scripted_router({name: ["ok"] for name in cards(count)}, cards=cards(count), policy=policy, **trial)
            for _ in range(2)
        )
        for _ in range(WARM):
            ask(made, Request((PROMPT,)))
        self._made, request = made, Request((PROMPT,))
        self._floor = Timing(bare(made))
        self._timings = (
            Timing(lambda: fresh.explain(request), 1 / 3), Timing(lambda: made.explain(request)),
            Timing(lambda: made.start(request, None)), Timing(lambda: ask(made, request)),
        )  # fmt: skip
        name = policy if isinstance(policy, str) else policy["name"] if "rules" in policy else f"+ {list(policy)[-1]}"
        self._head = f"{count:6} {f'+ {next(iter(trial))}' if trial else name:19}"

    def turn(self, rounds: int) -> None:
        for timing in (*self._timings, self._floor):
            timing.turn(rounds // TURNS, WARM // TURNS)

    def render(self) -> str:
        made, request = self._made, Request((PROMPT,))
        called = f"{calls(lambda: made.explain(request)):6}/{calls(lambda: ask(made, Request((PROMPT,)))):4}"
        figures = "".join(f"{it.percentile(0.5):8.1f} /{it.percentile(0.99):7.1f}" for it in self._timings)
        ratio = self._timings[1].percentile(0.5) / self._floor.percentile(0.5)
        return f"{self._head}{figures}{ratio:8.1f} x{called}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.core", description=__doc__)
    parser.add_argument("--rounds", type=at_least_one, default=ROUNDS, help="timed calls of each figure")
    rounds = parser.parse_args().rounds
    rows = [Row(10, policy) for policy in POLICIES]
    rows += [Row(10, "adaptive", **{name: trial}) for name, trial in TRIALS.items()]
    rows += [Row(count, "adaptive") for count in (2, 50, 200)]
    for _ in range(TURNS):
        for row in rows:
            row.turn(rounds)
    print("microseconds, p50 / p99 (+ adaptive with this; the last target comes on top of the one above it)")
    print(f"{'models':>6} {'policy':19}{'first':>17}{'decide':>17}{'start':>17}{'whole':>17}{'ratio':>10}{'calls':>11}")
    for row in rows:
        print(row.render())


if __name__ == "__main__":
    main()
