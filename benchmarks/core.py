"""What the routing core costs per request, without any call: python -m benchmarks.core [--rounds 3000]

Median and 99th percentile in microseconds of processor time, which the machine's other work touches little; a prompt
of 84 characters, cards with windows, prices, capabilities, quality and latency. "decide" is eligibility, prediction
and ranking; "start" adds the run's machine and account; "whole" also carries out a scripted call that answers at
once, books it and settles it. A shadow decides in "start". "first" is "decide" before any request was carried out:
averages that are kept are then solved for anew each time, as in their first 32 requests; the other columns are
measured after 200. "ratio" is "decide" over a bare loop that reads ten attributes per model, "calls" the functions of
Python's and C's that "decide" and "whole" call, the scripted model's own among them: no other work changes these.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.overhead.prompt import PROMPT
from capability_router import Price, Request
from capability_router.testing import ask, scripted_router

WARM, ROUNDS = 200, 3_000
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


def timed(call: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    for _ in range(200):
        call()
    times = []
    gc.disable()
    for _ in range(rounds):
        before = time.thread_time_ns()
        call()
        times.append(time.thread_time_ns() - before)
    gc.enable()
    times.sort()
    return times[rounds // 2] / 1_000, times[int(rounds * 0.99)] / 1_000


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


def row(count: int, policy: Any, rounds: int, **trial: Any) -> str:
    made = scripted_router({name: ["ok"] for name in cards(count)}, cards=cards(count), policy=policy, **trial)
    request = Request((PROMPT,))
    first = timed(lambda: made.explain(request), max(rounds // 3, 1))
    for _ in range(WARM):
        ask(made, Request((PROMPT,)))
    timings = (lambda: made.explain(request), lambda: made.start(request, None), lambda: ask(made, request), bare(made))
    decide, start, whole, floor = (timed(call, rounds) for call in timings)
    called = f"{calls(lambda: made.explain(request)):6}/{calls(lambda: ask(made, Request((PROMPT,)))):4}"
    name = policy if isinstance(policy, str) else policy["name"] if "rules" in policy else f"+ {list(policy)[-1]}"
    name = f"+ {next(iter(trial))}" if trial else name
    figures = "".join(f"{p50:8.1f} /{p99:7.1f}" for p50, p99 in (first, decide, start, whole))
    return f"{count:6} {name:19}{figures}{decide[0] / floor[0]:8.1f} x{called}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.core", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="timed calls of each figure")
    rounds = parser.parse_args().rounds
    print("microseconds, p50 / p99 (+ adaptive with this; the last target comes on top of the one above it)")
    print(f"{'models':>6} {'policy':19}{'first':>17}{'decide':>17}{'start':>17}{'whole':>17}{'ratio':>10}{'calls':>11}")
    for policy in POLICIES:
        print(row(10, policy, rounds), flush=True)
    for name, trial in TRIALS.items():
        print(row(10, "adaptive", rounds, **{name: trial}), flush=True)
    for count in (2, 50, 200):
        print(row(count, "adaptive", rounds), flush=True)


if __name__ == "__main__":
    main()
