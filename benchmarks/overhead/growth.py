"""What ChatRouter adds as models and prompts grow: python -m benchmarks.overhead.growth [--rounds 15]

The same fake chat models as in `python -m benchmarks.overhead`, `invoke`, no HTTP; policy `adaptive`. Every prompt of a
size is another piece of this repository's pages, so that no call profits from what was remembered of the one before.
Microseconds of processor time; "added" is a percentile of the calls through the router less that of the bare ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import count
from typing import Any

from benchmarks.overhead.parrot import Parrot
from benchmarks.overhead.prompt import PROMPT, prompt
from benchmarks.overhead.samples import Rounds, added, mean, measured, ratio
from benchmarks.overhead.uses import each_us
from langchain_router import ChatRouter

MODELS, SIZES_KB, AMONG, CALLS = (2, 10, 50, 200), (1, 10, 100), (1, 10), 60
HEADS = ("us of work", "bare", "`ChatRouter`", "/ bare", "added, p50", "p95", "p50 per further")


def router(models: int) -> ChatRouter:
    """Over so many fake models with prices and windows that take every prompt."""
    cards = (
        {"id": f"m{n}", "price": {"input_mtok": 1 + n, "output_mtok": 2}, "context_window": 1_000_000}
        for n in range(models)
    )
    return ChatRouter([(Parrot(), card) for card in cards])


def grown(prompts: Iterator[str], models: int, rounds: int) -> dict[str, Rounds]:
    """Both ways in turn, each call with the next prompt."""

    def asked(model: Any) -> list[float]:
        return each_us([lambda text=text: model.invoke(text) for _, text in zip(range(CALLS), prompts, strict=False)])  # type: ignore[misc]  # bound at once

    return measured(asked, {"bare": Parrot(), "ChatRouter": router(models)}, rounds)


def same() -> Iterator[str]:
    while True:
        yield PROMPT


def of_size(kb: int) -> Iterator[str]:
    return (prompt(kb * 1_000, number) for number in count())


def table(rounds: int) -> Iterator[str]:
    """Line by line as it is measured, as Markdown."""
    yield f"| {' | '.join(HEADS)} |"
    yield f"|{'---|' * len(HEADS)}"
    before = (0, 0.0)
    for models in MODELS:
        seen = grown(same(), models, rounds)
        before, slope = _slope(before, models, seen)
        yield _row(f"{models} model{'s' if models > 1 else ''}, {len(PROMPT)} characters", seen, slope, "a model")
    for models in AMONG:
        before = (0, 0.0)
        for kb in SIZES_KB:
            seen = grown(of_size(kb), models, rounds)
            before, slope = _slope(before, kb, seen)
            yield _row(f"{models} model{'s' if models > 1 else ''}, {kb} kB", seen, slope, "a kB")


def _slope(before: tuple[int, float], size: int, seen: dict[str, Rounds]) -> tuple[tuple[int, float], float | None]:
    us = added(seen["ChatRouter"], seen["bare"], 0.5)
    return (size, us), (us - before[1]) / (size - before[0]) if before[0] else None


def _row(name: str, seen: dict[str, Rounds], slope: float | None, unit: str) -> str:
    bare, ours = seen["bare"], seen["ChatRouter"]
    cells = [f"{mean(bare):.0f}", f"{mean(ours):.0f}", f"{ratio(ours, bare):.2f} x"]
    cells += [f"{added(ours, bare, share):.0f}" for share in (0.5, 0.95)]
    cells.append("" if slope is None else f"{slope:.1f} {unit}")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead.growth", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    for line in table(parser.parse_args().rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
