"""How soon trials find a model that was unlucky at first, or that fell and recovered: python -m benchmarks.trials

Made-up streams of scores for two models, whose words are no matter: levels, upper values and the share that is drawn
evenly are those of a router whose models are known by their prices alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from random import Random

from capability_router import ModelCard
from capability_router.learning.prior import PRICE_WEIGHT, UNSTATED
from capability_router.learning.quality.exploration_bonus import exploration_bonus
from capability_router.learning.quality.levels import Level
from capability_router.policies.base import EligibleModel, Scored
from capability_router.policies.exploration.budget import LocalExplorationBudget
from capability_router.policies.exploration.explorer import Explorer

Chance = Callable[[int, int], float]  # of a right answer, of a model by its place, to a request by its number
RUNS, REQUESTS = 40, 5_000
UNLUCKY = 6  # answers, all of them wrong
FALLS, RECOVERS = 150, 250  # request numbers
_CARDS = ModelCard("first"), ModelCard("second")


def lived(share: float, chance: Chance, seed: int, levels: Sequence[Level], begin: int = 0) -> list[int]:
    """Whom each request was sent to: 0 or 1."""
    dice, explorer, asked = Random(seed), Explorer(share, LocalExplorationBudget(10**18), seed), []
    for number in range(begin, REQUESTS):
        ranked = sorted(((_seen(at, level, number), at) for at, level in enumerate(levels)), key=lambda e: -e[0][0])
        at = ranked[explorer.choose(str(number), [row for row, _ in ranked], 0.0).at][1]
        told(levels[at], float(dice.random() < chance(at, number)), number)
        asked.append(at)
    return asked


def told(level: Level, score: float, number: int) -> None:
    """A model has this score, of a request of this number."""
    level.told(number)
    level.learn(score, score - level.mean if level.count else 0.0)


def _seen(at: int, level: Level, number: int) -> Scored:
    worth = level.count + PRICE_WEIGHT
    quality, variance = (level.total + PRICE_WEIGHT * UNSTATED) / worth, level.variance / worth
    unseen = level.unseen(number)
    more = exploration_bonus(variance, number, unseen if level.changed else 0.0)
    error = (variance + unseen) ** 0.5
    return quality, EligibleModel(_CARDS[at], quality, 0, None, 0.0, 0, "", error=error, bonus=more)


def unlucky(share: float, seed: int) -> int:
    """Requests until a model that is right in 70 % is asked again, after a bad start; the other is right in 50 %."""
    levels = Level(), Level()
    for number in range(UNLUCKY):
        told(levels[0], 0.0, number)
    asked = lived(share, lambda at, _: (0.7, 0.5)[at], seed, levels, UNLUCKY)
    tries = [number for number, at in enumerate(asked) if not at]
    return next((n for n in tries if n > 30 and asked[n : n + 100].count(0) >= 60), REQUESTS)


def recovered(share: float, seed: int) -> int:
    """Requests until a model has most of them back that is right always, but for 100 requests; another is in 80 %."""

    def chance(at: int, number: int) -> float:
        return 0.8 if at else 0.1 if FALLS <= number < RECOVERS else 1.0

    asked = lived(share, chance, seed, (Level(), Level()))
    return next((n for n in range(RECOVERS + 50, REQUESTS) if asked[n - 50 : n].count(0) >= 40), REQUESTS)


def main() -> int:
    """Print a table of both."""
    argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__).parse_args()
    print(f"| {RUNS} streams | exploration | found again | after, of these: least, median, most |\n|---|---|---|---|")
    for name, what in (("unlucky at first", unlucky), ("fell and recovered", recovered)):
        for share in (0.1, 1.0):
            after = sorted(found for seed in range(RUNS) if (found := what(share, seed)) < REQUESTS)
            told_of = ", ".join(f"{after[at]:,}" for at in (0, len(after) // 2, -1)) if after else "-"
            print(f"| {name} | {share} | {len(after)} | {told_of} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
