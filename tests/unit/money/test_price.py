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
    with pytest.raises(ConfigError, match="price: unknown key 'input'; did you mean 'input_mtok'"):
        Price.parse({"input": 1, "output_mtok": 2})
    with pytest.raises(ConfigError, match="price must be a mapping such as"):
        Price.parse(3)  # type: ignore[arg-type]  # as a file may say it
    tiered = Price.parse(
        {"input_mtok": 1, "output_mtok": 2, "tiers": [{"above": 10, "price": {"input_mtok": 3, "output_mtok": 4}}]}
    )
    assert tiered.estimate(11, 0) == 33 * 10**6


def test_float_prices_are_taken_as_written() -> None:
    assert Price(0.025, 0.1).cost(Usage(1, 1)) == 25_000 + 100_000
    assert pico(0.1) == 10**11


FULL = Price.parse({
    "input_mtok": 1, "output_mtok": 10, "cache_read_mtok": 0.1, "cache_write_mtok": 1.25, "cache_write_1h_mtok": 2,
    "input_audio_mtok": 40, "output_audio_mtok": 80, "cache_audio_read_mtok": 4,
    "input_image_mtok": 5, "output_image_mtok": 30, "cache_image_read_mtok": 0.5,
    "services": {
        "flex": {"input_mtok": 0.5, "output_mtok": 5},
        "priority": {
            "input_mtok": 2, "output_mtok": 20,
            "tiers": [{"above": 1_000, "price": {"input_mtok": 4, "output_mtok": 40}}],
        },
    },
})  # fmt: skip


def test_each_kind_of_token_has_its_price_and_is_counted_once() -> None:
    usage = Usage(
        1_000, 500, cache_read_tokens=300, cache_creation_tokens=200, cache_creation_1h_tokens=50,
        input_audio_tokens=100, cache_audio_read_tokens=40, input_image_tokens=60, cache_image_read_tokens=10,
        output_audio_tokens=70, output_image_tokens=30,
    )  # fmt: skip
    plain = 1_000 - 300 - 200 - 60 - 50
    expected = (
        plain * 1 + 250 * Decimal("0.1") + 150 * Decimal("1.25") + 50 * 2
        + 60 * 40 + 40 * 4 + 50 * 5 + 10 * Decimal("0.5") + 400 * 10 + 70 * 80 + 30 * 30
    )  # fmt: skip
    assert usd(FULL.cost(usage) or 0) == expected / 1_000_000


def test_cached_audio_and_images_that_are_not_told_overlap_as_much_as_they_must() -> None:
    # 700 cached and 500 of audio in 1,000: at least 200 of the audio was cached
    told = Usage(1_000, 0, cache_read_tokens=700, input_audio_tokens=500, cache_audio_read_tokens=200)
    untold = Usage(1_000, 0, cache_read_tokens=700, input_audio_tokens=500)
    assert FULL.cost(untold) == FULL.cost(told)
    assert FULL.cost(Usage(100, 0, cache_read_tokens=80, input_image_tokens=50)) == FULL.cost(
        Usage(100, 0, cache_read_tokens=80, input_image_tokens=50, cache_image_read_tokens=30)
    )


def test_what_is_not_told_of_special_tokens_falls_back() -> None:
    plain = Price(1, 10, cache_read_mtok="0.1", cache_write_mtok="1.25")
    hour = Usage(10, 0, cache_creation_tokens=10, cache_creation_1h_tokens=10)
    assert plain.cost(hour) == 12_500_000
    heard = Usage(10, 0, cache_read_tokens=10, input_audio_tokens=10, cache_audio_read_tokens=10)
    assert plain.cost(heard) == 1_000_000  # audio is priced as text here, cached audio as cached text
    dear = Price(1, 10, cache_read_mtok="0.1", input_audio_mtok=40)
    assert dear.cost(heard) == 400_000_000  # a discount that nobody states is not assumed


def test_a_service_tier_has_its_price_and_its_own_tiers() -> None:
    assert FULL.cost(Usage(1_000, 10, service_tier="flex")) == 500_000_000 + 50_000_000
    assert FULL.cost(Usage(1_000, 10, service_tier="priority")) == 2_000_000_000 + 200_000_000
    assert FULL.cost(Usage(1_001, 0, service_tier="priority")) == 4_004_000_000
    assert FULL.cost(Usage(10, 10, service_tier="batch")) == FULL.cost(Usage(10, 10))
    assert FULL.under("flex").estimate(1_000, 10) == 550_000_000


@pytest.mark.parametrize("services", [{"flexi": {}}, ["flex"], {"flex": {"services": {"batch": {}}}}])
def test_impossible_services_are_refused(services: object) -> None:
    with pytest.raises(ConfigError, match="services"):
        Price.parse({"input_mtok": 1, "output_mtok": 1, "services": services})
