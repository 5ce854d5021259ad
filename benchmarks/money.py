"""What it takes to price a call: python -m benchmarks.money

1,000 candidates with prices from the catalog are priced with seeded calls, best of several rounds; microseconds for
each candidate, beside an empty call made in the same way (the machine's own speed) and genai-prices' calc_price with
its model found beforehand. The target is 1 us; the exit code tells of a miss.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from random import Random
from time import process_time
from typing import Any

from capability_router import Price, Usage
from capability_router.catalog.prices import price_of

SEED, CANDIDATES, ROUNDS, TARGET_US = 20261125, 1_000, 30, 1.0
NAMES = (
    ("openai", "gpt-5-mini"), ("openai", "gpt-5"), ("openai", "gpt-5.4"), ("anthropic", "claude-opus-4-5"),
    ("anthropic", "claude-sonnet-5"), ("google", "gemini-2.5-pro"), ("google", "gemini-2.5-flash"), ("xai", "grok-4.3"),
    ("deepseek", "deepseek-v4-pro"), ("mistral", "mistral-large-4"),
)  # fmt: skip


def candidates(random: Random) -> list[Price]:
    """Prices of the models above in turn, tiered ones among them."""
    known = [price for name in NAMES if (price := price_of(*name)) is not None and price.known]
    return [random.choice(known) for _ in range(CANDIDATES)]


def usage(random: Random) -> Usage:
    """Counts with something of everything."""
    size = random.choice((800, 12_000, 260_000))
    return Usage(
        size, random.randint(50, 2_000), cache_read_tokens=size // 2, cache_creation_tokens=size // 8,
        reasoning_tokens=40, input_audio_tokens=size // 16, output_audio_tokens=10, cache_creation_1h_tokens=size // 16,
    )  # fmt: skip


def measured(step: Callable[[Any, Any], Any], pairs: Sequence[tuple[Any, Any]]) -> float:
    """Microseconds of CPU time for each pair, the best round's."""
    best = float("inf")
    for _ in range(ROUNDS):
        before = process_time()
        for first, second in pairs:
            step(first, second)
        best = min(best, process_time() - before)
    return best / len(pairs) * 1e6


def _nothing(first: Any, second: Any) -> None:
    """An empty call."""


def _estimate(price: Price, size: tuple[int, int]) -> int | None:
    return price.estimate(size[0], size[1], 100)


def _worst(price: Price, size: tuple[int, int]) -> int | None:
    return price.worst(size[0], size[1])


def _cost(price: Price, used: Usage) -> int | None:
    return price.cost(used)


def _others(random: Random) -> float | None:
    """genai-prices on the same models, with simple counts; None where it isn't installed."""
    try:
        from genai_prices import data_snapshot
        from genai_prices.types import Usage as TheirUsage
    except ImportError:
        return None
    known = {provider.id: provider for provider in data_snapshot.get_snapshot().providers}
    homes = [(known[{"xai": "x-ai"}.get(name, name)], model) for name, model in NAMES]
    found = [(provider, model) for provider, name in homes if (model := provider.find_model(name)) is not None]
    used = TheirUsage(input_tokens=12_000, output_tokens=500, cache_read_tokens=6_000)
    pairs = [random.choice(found) for _ in range(CANDIDATES // 10)]
    return measured(lambda provider, model: model.calc_price(used, provider), pairs)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a figure misses its target."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.money", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    seed = parser.parse_args(argv).seed
    random = Random(seed)
    prices = candidates(random)
    sizes = [(random.choice((800, 12_000, 260_000)), random.randint(50, 2_000)) for _ in prices]
    bills = [usage(random) for _ in prices]
    empty = measured(_nothing, list(zip(prices, sizes, strict=True)))
    rows = [
        ("estimate", measured(_estimate, list(zip(prices, sizes, strict=True)))),
        ("worst", measured(_worst, list(zip(prices, sizes, strict=True)))),
        ("cost", measured(_cost, list(zip(prices, bills, strict=True)))),
    ]
    print(f"{CANDIDATES:,} candidates, seed {seed}, an empty call {empty:.3f} us")
    for name, us in rows:
        print(f"{name:<12} {us:7.3f} us per candidate, {us / empty:6.1f} x an empty call, target {TARGET_US:g} us")
    if (others := _others(random)) is not None:
        print(f"genai-prices {others:7.1f} us per calc_price, {others / empty:6.0f} x an empty call")
    return int(any(us > TARGET_US for _, us in rows))


if __name__ == "__main__":
    sys.exit(main())
