"""What ChatRouter adds as models and prompts grow: python -m benchmarks.overhead.growth [--rounds 15]

The same fake chat models as in `python -m benchmarks.overhead`, `invoke`, no HTTP; policy `adaptive`. Every prompt of a
size is another piece of this repository's pages, so that no call profits from what was remembered of the one before.
Microseconds of processor time; "added" is a percentile of the calls through the router less that of the bare ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from benchmarks.option import at_least_one
from benchmarks.overhead.parrot import Parrot
from benchmarks.overhead.prompt import PROMPT, of_size, same
from benchmarks.overhead.samples import Rounds, added, each_us, mean, measured, ratio
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


class Case(NamedTuple):
    """A row of the table. `size`: what grows from row to row, models or kB."""

    name: str
    size: int
    models: int
    prompts: Iterator[str]


def asked(way: tuple[Any, Iterator[str]]) -> list[float]:
    """A round of one way, each call with the next prompt."""
    model, prompts = way
    return each_us([partial(model.invoke, text) for text in islice(prompts, CALLS)])


def table(rounds: int) -> Iterator[str]:
    """Line by line, as Markdown, when all that grow together are measured."""
    yield f"| {' | '.join(HEADS)} |"
    yield f"|{'---|' * len(HEADS)}"
    yield from _rows(
        [Case(f"{_told(models)}, {len(PROMPT)} characters", models, models, same()) for models in MODELS],
        "a model", rounds,
    )  # fmt: skip
    for models in AMONG:
        cases = [Case(f"{_told(models)}, {kb} kB", kb, models, of_size(kb)) for kb in SIZES_KB]
        yield from _rows(cases, "a kB", rounds)


def _told(models: int) -> str:
    return f"{models} model{'s' if models > 1 else ''}"


def _rows(cases: Sequence[Case], unit: str, rounds: int) -> Iterator[str]:
    """All cases take turns: a slope is between two of them, and the machine's pace may change from one to the next."""
    ways = {f"bare, {case.name}": (Parrot(), case.prompts) for case in cases}
    ways |= {case.name: (router(case.models), case.prompts) for case in cases}
    found, before = measured(asked, ways, rounds), None
    for case in cases:
        seen = {"bare": found[f"bare, {case.name}"], "ChatRouter": found[case.name]}
        us, slope = added(seen["ChatRouter"], seen["bare"], 0.5), None
        if before is not None:
            slope = (us - before[1]) / (case.size - before[0])
        before = (case.size, us)
        yield _row(case.name, seen, slope, unit)


def _row(name: str, seen: dict[str, Rounds], slope: float | None, unit: str) -> str:
    bare, ours = seen["bare"], seen["ChatRouter"]
    cells = [f"{mean(bare):.0f}", f"{mean(ours):.0f}", f"{ratio(ours, bare):.2f} x"]
    cells += [f"{added(ours, bare, share):.0f}" for share in (0.5, 0.95)]
    cells.append("" if slope is None else f"{slope:.1f} {unit}")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead.growth", description=__doc__)
    parser.add_argument("--rounds", type=at_least_one, default=15)
    for line in table(parser.parse_args().rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
