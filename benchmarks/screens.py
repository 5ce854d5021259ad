"""What a screen costs: the built-in detector per kB of text, and a decision with a screen beside one without.

python -m benchmarks.screens

Decisions are timed in turns, so that none has a quicker machine than another; each figure is the least of its rounds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from random import Random
from time import process_time

from benchmarks.option import at_least_one
from capability_router import ModelCard, Request, Router
from capability_router.screening.detector import Detector
from capability_router.screening.labels import LABELS, PHONE

WORDS = "the router sends a request to the cheapest model that can answer it and writes down why In Paris she said so"
SIZE = 20_000  # characters
FOUND = " jane@example.com 4111 1111 1111 1111 +49 30 901820 DE89 3704 0044 0532 0130 00 123-45-6789 "
PLAIN = [label for label in LABELS if label != PHONE]
CALLS = 500
PROMPT = "Summarise this report for a colleague who has not read it, in five sentences, and say what is missing "


def texts() -> dict[str, str]:
    """Prose, the same with findings (a line of them after every 300 characters), and JSON full of numbers."""
    dice = Random(1)
    prose = " ".join(dice.choices(WORDS.split(), k=SIZE // 2))[:SIZE]
    lines = "".join(prose[at : at + 300] + FOUND for at in range(0, SIZE, 300))[:SIZE]
    rows = [
        {"id": dice.randrange(10**15, 10**16), "at": dice.randrange(10**12, 2 * 10**12), "value": dice.random(),
         "count": dice.randrange(1_000), "day": f"2026-11-{dice.randrange(10, 30)}"}
        for _ in range(SIZE // 60)
    ]  # fmt: skip
    return {"prose": prose, "JSON of numbers": json.dumps(rows)[:SIZE], "with findings": lines}


def least(works: list[Callable[[], object]], rounds: int) -> list[float]:
    """Seconds of the processor, in turns."""
    best = [float("inf")] * len(works)
    for _ in range(rounds):
        for number, work in enumerate(works):
            began = process_time()
            work()
            best[number] = min(best[number], process_time() - began)
    return best


def asking(screen: object, text: str) -> Callable[[], object]:
    """Decisions among ten models."""
    cards = [
        ModelCard(id=f"m{n}", provider="p", model=f"m{n}", data={"retention": "zero", "training": False})
        for n in range(10)
    ]
    router = Router(cards, policy="cheapest", screen=screen)
    return lambda: [router.explain(Request((text,))) for _ in range(CALLS)]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=at_least_one, default=9)
    rounds = parser.parse_args().rounds
    detectors = {"all but phone": Detector(PLAIN), "all": Detector(), "all, phone_region US": Detector(LABELS, "US")}
    print("| µs per kB | " + " | ".join(detectors) + " |\n|---|---|---|---|")
    for name, text in texts().items():
        works = [lambda text=text, each=each: each._looked(text) for each in detectors.values()]
        times = least(works, rounds)
        print(f"| {name} | " + " | ".join(f"{seconds * 1e9 / len(text):.0f}" for seconds in times) + " |")
    screens = [(None, PROMPT), (PLAIN, PROMPT), (PLAIN, PROMPT[:90] + "jane@example.com")]
    times = least([asking(*each) for each in screens], rounds)
    print("\n| a decision among ten models, a prompt of 100 characters | µs | beside none |\n|---|---|---|")
    for name, seconds in zip(
        ("no screen", "a screen that finds nothing", "a screen that finds something"), times, strict=True
    ):
        print(f"| {name} | {seconds / CALLS * 1e6:.0f} | {seconds / times[0]:.2f} |")


if __name__ == "__main__":
    main()
