"""Our arithmetic against genai-prices' on its own prices, and our catalog's prices against its.

The first must agree to the picodollar. The second are two tables by two hands: where they differ, a row of
disagreements.jsonl says why, and what is not said there fails. `python -m unit.money.disagreements` (in tests/)
prints what is left to explain and which rows explain nothing any more.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.money.disagreements import differences, explanation, rows
from unit.money.second_opinion import CONTEXTS, KINDS, catalog_pairs, converted, every_model, their_cost

from capability_router import Price, Usage
from capability_router.money.price import usd

MODELS = [(provider, model, converted(model)) for provider, model in every_model()]
PAIRS = catalog_pairs()
DIFFERENT = {(pair.provider, pair.model): differences(pair) for pair in PAIRS}


def used(
    plain: int, out: int, read: int = 0, write: int = 0, hour: int = 0, audio: int = 0, heard: int = 0, image: int = 0,
    seen: int = 0, audio_out: int = 0, image_out: int = 0, service: str = "",
) -> Usage:  # fmt: skip
    """Counts whose parts fit into their wholes, from how many tokens there are of each kind."""
    return Usage(
        plain + read + write + hour + audio + heard + image + seen, out + audio_out + image_out,
        cache_read_tokens=read + heard + seen, cache_creation_tokens=write + hour, cache_creation_1h_tokens=hour,
        input_audio_tokens=audio + heard, cache_audio_read_tokens=heard, input_image_tokens=image + seen,
        cache_image_read_tokens=seen, output_audio_tokens=audio_out, output_image_tokens=image_out,
        service_tier=service,
    )  # fmt: skip


SHAPES = {
    "plain": used(1_000, 300), "nothing": used(0, 0), "cached": used(200, 300, 3_000), "written": used(10, 20, 30, 400),
    "hour": used(10, 20, 30, 40, 500), "audio": used(100, 20, audio=700, audio_out=90),
    "cached audio": used(100, 20, 50, audio=300, heard=400), "images": used(100, 20, image=700, image_out=90),
    "cached images": used(100, 20, 50, image=300, seen=400), "long": used(1_000_000, 5_000),
    "long, cached": used(100, 5_000, 900_000), "all": used(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
}  # fmt: skip
COUNTS = st.one_of(st.just(0), st.integers(0, 1_000), st.integers(0, 600_000))
USAGES = st.builds(used, *[COUNTS] * 11, service=st.sampled_from(sorted(CONTEXTS)))


def whole(price: Price) -> bool:
    """Whether each token costs a whole number of picodollars."""
    prices = (price, *(tier.price for tier in price.tiers), *price.services.values())
    amounts = [Decimal(str(a)) for p in prices for key in KINDS.values() if (a := getattr(p, key)) is not None]
    return all(amount == round(amount, 6) for amount in amounts)


def assert_same(entry: tuple[Any, Any, Price], usage: Usage) -> None:
    provider, model, price = entry
    ours, theirs = price.cost(usage), their_cost(provider, model, usage)
    off = abs(usd(ours) - theirs) * 10**12
    # A price with more than six decimals is rounded, by at most half a picodollar for each token.
    most = 0 if whole(price) else (usage.input_tokens + usage.output_tokens) / 2
    assert off <= most, (provider.id, model.id, usage, usd(ours), theirs)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_model_costs_the_same_in_every_shape(shape: str) -> None:
    assert len(MODELS) > 1_500
    for entry in MODELS:
        for service in ("", *entry[2].services):
            assert_same(entry, replace(SHAPES[shape], service_tier=service))


@given(st.sampled_from(MODELS), USAGES)
@settings(max_examples=400, deadline=None)
def test_generated_usages_cost_the_same(entry: tuple[Any, Any, Price], usage: Usage) -> None:
    assert_same(entry, usage)


TIERED = [entry for entry in MODELS if entry[2].tiers]


@given(st.sampled_from(TIERED), st.data())
@settings(max_examples=200, deadline=None)
def test_a_tier_begins_behind_its_threshold_whatever_the_input_is_made_of(entry: Any, data: st.DataObject) -> None:
    price = entry[2]
    above = data.draw(st.sampled_from([tier.above for tier in price.tiers]))
    read = data.draw(st.integers(0, above))
    for size in (above, above + 1):
        assert_same(entry, used(size - read, 10, read))
    assert price.at(above) != price.at(above + 1)


def test_the_catalog_agrees_or_it_is_explained_why_not() -> None:
    assert len(PAIRS) >= 300
    table = rows()
    unexplained = [d for found in DIFFERENT.values() for d in found if explanation(d, table) is None]
    assert not unexplained, "\n".join(map(str, unexplained))


def test_most_of_the_catalog_agrees_outright() -> None:
    apart = [found for found in DIFFERENT.values() if any(d.what in ("input", "output") for d in found)]
    assert len(apart) <= 0.2 * len(PAIRS)


@given(st.sampled_from(PAIRS), USAGES)
@settings(max_examples=400, deadline=None)
def test_where_the_tables_agree_so_do_the_costs(pair, usage: Usage) -> None:
    """Usages that hold nothing of what the tables disagree on; in a service tier, where they agree on that tier."""
    touched = {d.what for d in DIFFERENT[pair.provider, pair.model]}
    kinds = {
        "input": usage.input_tokens, "output": usage.output_tokens, "read": usage.cache_read_tokens,
        "write": usage.cache_creation_tokens, "write_1h": usage.cache_creation_1h_tokens,
        "audio": usage.input_audio_tokens, "audio_out": usage.output_audio_tokens,
        "audio_read": usage.cache_audio_read_tokens, "image": usage.input_image_tokens,
        "image_out": usage.output_image_tokens, "image_read": usage.cache_image_read_tokens,
        "tiers": usage.input_tokens > 30_000, usage.service_tier: True, "request": True,
    }  # fmt: skip
    if any(kinds.get(what) for what in touched):
        return
    assert pair.ours.cost(usage) == pair.theirs.cost(usage)
