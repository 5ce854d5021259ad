from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router import ConfigError, Price, Tier, Usage
from capability_router.money.price import pico, usd

prices = st.decimals(min_value=0, max_value=1_000, places=6)
tokens = st.integers(min_value=0, max_value=10_000_000)


@given(prices, prices, tokens, tokens)
def test_cost_is_exact(inp: Decimal, out: Decimal, n_in: int, n_out: int) -> None:
    cost = Price(input_mtok=inp, output_mtok=out).cost(Usage(n_in, n_out))
    assert cost is not None
    assert usd(cost) == (inp * n_in + out * n_out) / 1_000_000


@given(prices, prices, prices, tokens, tokens, st.integers(0, 1_000_000))
def test_cached_tokens_are_part_of_the_input(inp, out, read, n_in, n_out, cached) -> None:
    cached = min(cached, n_in)
    price = Price(input_mtok=inp, output_mtok=out, cache_read_mtok=read)
    cost = price.cost(Usage(n_in, n_out, cache_read_tokens=cached))
    assert usd(cost) == (inp * (n_in - cached) + read * cached + out * n_out) / 1_000_000


def test_without_a_cache_price_cached_tokens_cost_the_plain_price() -> None:
    price = Price(input_mtok=2, output_mtok=8)
    assert price.cost(Usage(100, 0, cache_read_tokens=60)) == price.cost(Usage(100, 0))


def test_output_audio_without_a_price_costs_the_output_price() -> None:
    assert Price(1, 8).cost(Usage(0, 10, output_audio_tokens=4)) == Price(1, 8).cost(Usage(0, 10))


def test_tiers_hold_for_the_whole_request() -> None:
    price = Price(1, 2, tiers=(Tier(200_000, Price(2, 4)), Tier(500_000, Price(3, 6))))
    assert price.cost(Usage(200_000, 10)) == 200_000 * 10**6 + 10 * 2 * 10**6
    assert price.cost(Usage(200_001, 10)) == 200_001 * 2 * 10**6 + 10 * 4 * 10**6
    assert price.estimate(600_000, 1) == 600_000 * 3 * 10**6 + 6 * 10**6


def test_a_fixed_price_per_request_is_added_once() -> None:
    assert Price(1, 1, per_request="0.001").cost(Usage(0, 0)) == 10**9


def test_unknown_is_not_zero() -> None:
    assert Price(input_mtok=1).cost(Usage(5, 5)) is None
    assert Price().estimate(5, 5) is None
    assert not Price(output_mtok=1).known


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), "abc", True])
def test_impossible_prices_are_refused(bad: object) -> None:
    with pytest.raises(ConfigError, match="input_mtok"):
        Price(input_mtok=bad, output_mtok=1)  # type: ignore[arg-type]


def test_parse_names_unknown_keys() -> None:
    with pytest.raises(ConfigError, match="inputs"):
        Price.parse({"inputs": 1})
    tiered = Price.parse(
        {"input_mtok": 1, "output_mtok": 2, "tiers": [{"above": 10, "price": {"input_mtok": 3, "output_mtok": 4}}]}
    )
    assert tiered.estimate(11, 0) == 33 * 10**6


def test_float_prices_are_taken_as_written() -> None:
    assert Price(0.025, 0.1).cost(Usage(1, 1)) == 25_000 + 100_000
    assert pico(0.1) == 10**11
