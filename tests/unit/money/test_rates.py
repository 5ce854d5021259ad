"""Which price holds for a call, and what each part of it adds up to, number by number."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from capability_router import ConfigError, Price, Tier, Usage
from capability_router.money.price import Rates, pico, usd

M, ONE_QUARTER = 10**6, 10**12 // 4
DEAR, DEARER = Price(2, 4), Price(3, 6)
TIERED = Price(1, 2, tiers=(Tier(500, DEARER), Tier(200, DEAR)))  # not in order
SERVED = Price(
    1, 2, per_request=0.5, services={"flex": Price(0.5, 1), "priority": Price(), "batch": Price(output_mtok=1)}
)


@pytest.mark.parametrize(("size", "holds"), [(0, 1), (200, 1), (201, 2), (500, 2), (501, 3)])
def test_the_highest_tier_that_the_input_exceeds_holds(size: int, holds: int) -> None:
    assert TIERED.at(size) is (TIERED if holds == 1 else DEAR if holds == 2 else DEARER)
    assert TIERED.estimate(size, 1) == holds * (size + 2) * M
    assert TIERED.cost(Usage(size, 1)) == holds * (size + 2) * M


def test_without_tiers_the_price_holds_for_any_size() -> None:
    price = Price(1, 2)
    assert price.at(10**9) is price
    assert price.cost(Usage(10**9)) == 10**9 * M


def test_the_prices_of_each_kind() -> None:
    amounts: dict[str, Any] = {
        "input_mtok": 1, "output_mtok": 2, "cache_read_mtok": 3, "cache_write_mtok": 4, "cache_write_1h_mtok": 5,
        "input_audio_mtok": 6, "output_audio_mtok": 7, "cache_audio_read_mtok": 8, "input_image_mtok": 9,
        "output_image_mtok": 10, "cache_image_read_mtok": 11,
    }  # fmt: skip
    assert Price(**amounts).rates == Rates(*(n * M for n in range(1, 12)))
    assert Price(1).rates is Price(output_mtok=1).rates is None
    assert [Price(1, 2).known, Price(1).known] == [True, False]


@pytest.mark.parametrize(
    ("given", "rates"),
    [
        ({}, (1, 2, 1, 1, 1, 1, 2, 1, 1, 2, 1)),
        ({"cache_read_mtok": 5}, (1, 2, 5, 1, 1, 1, 2, 5, 1, 2, 5)),
        ({"cache_write_mtok": 5}, (1, 2, 1, 5, 5, 1, 2, 1, 1, 2, 1)),
        ({"cache_read_mtok": 5, "input_audio_mtok": 7}, (1, 2, 5, 1, 1, 7, 2, 7, 1, 2, 5)),
        ({"cache_read_mtok": 5, "input_image_mtok": 7}, (1, 2, 5, 1, 1, 1, 2, 5, 7, 2, 7)),
        ({"cache_read_mtok": 0}, (1, 2, 0, 1, 1, 1, 2, 0, 1, 2, 0)),
    ],
)
def test_what_is_not_stated_falls_back(given: dict[str, Any], rates: tuple[int, ...]) -> None:
    assert Price(1, 2, **given).rates == tuple(n * M for n in rates)


def test_a_service_without_a_known_price_is_priced_as_usual_and_planned_for_as_unknown() -> None:
    assert SERVED.under("flex").input_mtok == 0.5
    assert [SERVED.under(name) is SERVED for name in ("", "priority", "batch", "strange")] == [True] * 4
    assert SERVED.asked("") is SERVED
    assert SERVED.asked("flex") is SERVED.under("flex")
    assert SERVED.asked("batch") is SERVED
    assert Price(1, 2).asked("flex") == Price(1, 2).asked("batch") == Price(1, 2)
    assert SERVED.asked("priority") is SERVED.asked("strange") is None


def test_an_estimate_counts_what_is_read_from_a_cache_and_each_request() -> None:
    price = Price(10, 20, cache_read_mtok=1, per_request="0.25")
    assert price.estimate(100, 10) == ONE_QUARTER + 1_200 * M
    assert price.estimate(100, 10, 40) == ONE_QUARTER + (1_200 - 9 * 40) * M
    assert price.estimate(100, 10, 1_000) == ONE_QUARTER + 300 * M
    assert Price().estimate(1, 1) is None
    tiered = Price(1, 1, tiers=(Tier(100, price),))
    assert tiered.estimate(101, 0, 1) == ONE_QUARTER + (1_010 - 9) * M


@pytest.mark.parametrize(
    ("given", "media", "most"),
    [
        ({}, (), 1), ({"cache_read_mtok": 5}, (), 5), ({"cache_write_mtok": 5}, (), 5),
        ({"cache_write_1h_mtok": 5}, (), 5), ({"input_audio_mtok": 5}, (), 1), ({"input_image_mtok": 5}, (), 1),
        ({"input_audio_mtok": 5}, ("audio",), 5), ({"input_audio_mtok": 5}, ("image",), 1),
        ({"input_image_mtok": 5}, ("image",), 5), ({"input_image_mtok": 5}, ("audio", "pdf"), 1),
        ({"cache_audio_read_mtok": 5}, ("audio",), 5), ({"cache_image_read_mtok": 5}, ("image",), 5),
        ({"cache_audio_read_mtok": 5}, (), 1), ({"input_audio_mtok": 0.5}, ("audio",), 1),
    ],
)  # fmt: skip
def test_the_worst_takes_each_token_for_the_dearest_that_can_be(
    given: dict[str, Any], media: tuple[str, ...], most: int
) -> None:
    assert Price(1, 2, **given).worst(99, 10, media=media) == ((99 + 24) * most + 20) * M


@pytest.mark.parametrize(("given", "most"), [({}, 2), ({"output_audio_mtok": 5}, 5), ({"output_image_mtok": 5}, 5)])
def test_the_worst_output_is_of_the_dearest_kind(given: dict[str, Any], most: int) -> None:
    assert Price(1, 2, **given).worst(0, 10) == 10 * most * M


def test_the_worst_is_that_of_the_dearest_tier_up_to_the_size() -> None:
    assert TIERED.worst(160, 0) == 200 * M
    assert TIERED.worst(161, 0) == 201 * 2 * M
    assert TIERED.worst(400, 0) == 500 * 2 * M
    assert TIERED.worst(402, 0) == 502 * 3 * M
    cheaper = Price(3, 3, tiers=(Tier(10, Price(1, 1)),))
    assert cheaper.worst(100, 0) == 125 * 3 * M
    unknown = Price(1, 1, tiers=(Tier(10, Price()), Tier(1_000, Price(1, 1))))
    assert (unknown.worst(8, 0), unknown.worst(100, 0)) == (10 * M, None)
    assert Price().worst(1, 1) is None


def test_the_worst_of_a_service_is_the_dearer_of_it_and_the_usual() -> None:
    dear = Price(1, 2, services={"priority": Price(5, 5), "flex": Price(0.5, 0.5)})
    assert dear.worst(100, 0, service="priority") == 125 * 5 * M
    assert dear.worst(100, 0, service="flex") == 125 * M
    assert dear.worst(100, 0, service="batch") == 125 * M
    assert SERVED.worst(100, 0, service="priority") is None
    assert Price(services={"flex": Price(1, 1)}).worst(1, 1, service="flex") is None
    heard = Price(1, 1, services={"flex": Price(1, 1, input_audio_mtok=9)})
    assert heard.worst(4, 0, service="flex", media=["audio"]) == 5 * 9 * M
    assert SERVED.worst(0, 0) == 10**12 // 2


KINDS = Price(
    1, 10, cache_read_mtok=100, cache_write_mtok=1_000, cache_write_1h_mtok=10**4, input_audio_mtok=10**5,
    output_audio_mtok=10**6, cache_audio_read_mtok=10**7, input_image_mtok=10**8, output_image_mtok=10**9,
    cache_image_read_mtok=10**10,
)  # fmt: skip
PARTS = (
    "cache_read_tokens", "cache_creation_tokens", "cache_creation_1h_tokens", "input_audio_tokens",
    "cache_audio_read_tokens", "input_image_tokens", "cache_image_read_tokens", "output_audio_tokens",
    "output_image_tokens",
)  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "digits"),
    [  # input, output, of which PARTS; the digits from the right are the counts in the order of the prices
        ((9, 9), 99), ((9, 9, 4), 495), ((9, 0, 0, 4), 4_005), ((9, 0, 0, 4, 3), 31_005),
        ((9, 0, 0, 0, 0, 4), 400_005), ((9, 0, 4, 0, 0, 4, 3), 30_100_104),
        ((9, 0, 4, 0, 0, 0, 0, 4, 3), 30_100_000_104),
        ((0, 9, 0, 0, 0, 0, 0, 0, 0, 2, 3), 3_002_000_040), ((0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 2), 2_002_000_000),
        # Overlaps that nobody told: as much as there must be, of images first.
        ((5, 0, 4, 0, 0, 4), 30_100_100), ((5, 0, 4, 0, 0, 0, 0, 4), 30_100_000_100),
        ((5, 0, 4, 0, 0, 3, 0, 2), 20_020_100_000), ((2, 0, 1, 0, 0, 2), 10_100_000),
        ((5, 0, 4, 0, 0, 4, 1, 0), 30_100_100), ((5, 0, 4, 0, 0, 0, 0, 4, 1), 30_100_000_100),
        ((5, 0, 5, 0, 0, 3, 2, 2, 1), 20_030_000_000),
        ((5, 0, 4, 0, 0, 1, 0, 1), 10_000_100_300),
        ((2, 0, 2, 0, 0, 0, 0, 4, 1), 20_200_000_000), ((3, 0, 3, 0, 0, 2, 2, 4), 10_320_000_000),
        ((1, 0, 5, 0, 0, 2, 1), 20_000_300), ((1, 0, 3, 0, 0, 4, 0, 2, 2), 20_010_300_000),
        ((1, 0, 3, 0, 0, 4, 2), 30_100_000),
        # What was read of a kind is no more than there is of it, and no more than was read.
        ((5, 0, 4, 0, 0, 0, 3), 401), ((5, 0, 4, 0, 0, 0, 0, 0, 3), 401), ((5, 0, 0, 2, 3), 20_003),
        ((5, 0, 1, 0, 0, 3, 2), 10_200_002), ((5, 0, 2, 0, 0, 2, 2, 2, 2), 220_000_001),
        # Counts that fit into nothing are taken as they are.
        ((1, 0, 0, 0, 0, 4), 400_000), ((1, 0, 0, 0, 0, 0, 0, 4), 400_000_000),
    ],
)  # fmt: skip
def test_each_token_is_counted_once(parts: tuple[int, ...], digits: int) -> None:
    usage = Usage(parts[0], parts[1], **dict(zip(PARTS, parts[2:], strict=False)))  # type: ignore[arg-type]
    assert KINDS.cost(usage) == digits * M


def test_what_a_price_is_made_of_can_not_be_given_or_seen() -> None:
    for name in ("_rates", "_fixed", "_dearest"):
        with pytest.raises(ConfigError, match=f"unknown key '{name}'"):
            Price.parse({"input_mtok": 1, name: 0})
        assert name not in repr(Price(1, 2))
    assert Price(1, 2) == Price(1.0, 2) != Price(1, 3)
    assert hash(Price(1, 2)) == hash(Price(1, 2))


@pytest.mark.parametrize("name", [
    "input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok", "input_audio_mtok",
    "output_audio_mtok", "cache_audio_read_mtok", "input_image_mtok", "output_image_mtok", "cache_image_read_mtok",
    "per_request",
])  # fmt: skip
def test_every_amount_is_checked_and_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"price.{name} must be a finite number of USD, 0 or more; got -1"):
        Price(**{name: -1})
    assert Price(**{name: 0}) is not None


def test_amounts_in_words_of_a_person() -> None:
    with pytest.raises(ConfigError, match=r"^amount must be"):
        pico("much")
    assert (pico(0), pico("0.0000000000005"), pico("0.0000000000015"), usd(5)) == (0, 0, 2, Decimal("5E-12"))
    assert Price("0.0000005", 0).rates == Rates(*[0] * 11)  # half a picodollar: to the even one
    assert Price("0.0000015", 0).rates[0] == 2  # type: ignore[index]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"services": {"flexx": {}}}, "unknown 'flexx'.*did you mean 'flex'"),
        ({"services": ["flex"]}, "must be a mapping of"),
        ({"services": {"flex": {"services": {"batch": {}}}}}, "no services of its own"),
        ({"tiers": [{"above": 1, "price": {"services": {"batch": {}}}}]}, "no services of its own"),
        ({"inputs": 1, "a": 2}, "unknown key 'a'; known: as_of, cache_audio_read_mtok"),
        (3, "must be a mapping such as .*, got 3"),
    ],
)
def test_what_is_no_price(given: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Price.parse(given)


ABOVE_5 = {"above": 5, "price": {}}


@pytest.mark.parametrize(
    ("tiers", "told"),
    [
        ("x", "must be a list of .*, got 'x'"), (7, "must be a list of .*, got 7"),
        (ABOVE_5, "must be a list of .*, got {'above': 5"),
        (["x"], "each is .*, got 'x'"), ([7], "each is .*, got 7"), ([["above", "price"]], "each is .*, got "),
        ([{"above": 5}], "each is"), ([{"price": {}}], "each is"), ([{**ABOVE_5, "until": 9}], "each is"),
        ([{"above": True, "price": {}}], "each is"), ([{"above": "many", "price": {}}], "each is"),
        ([{"above": 1.5, "price": {}}], "each is"), ([{"above": None, "price": {}}], "each is"),
        ([{"above": -1, "price": {}}], r"0 or more, and each another; got \[-1\]"),
        ([{"above": -1, "price": {}}, {"above": 7, "price": {}}], r"0 or more, and each another; got \[-1, 7\]"),
        ([ABOVE_5, {"above": "5", "price": {}}], r"0 or more, and each another; got \[5, 5\]"),
    ],
)  # fmt: skip
def test_tiers_that_are_none(tiers: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=rf"price\.tiers:? {told}|price\.tiers: above must be {told}"):
        Price.parse({"input_mtok": 1, "output_mtok": 1, "tiers": tiers})


def test_a_tier_may_begin_with_the_first_token_and_be_one_already() -> None:
    found = Price.parse({"input_mtok": 1, "output_mtok": 2, "tiers": iter([Tier(200, DEARER), Tier(0, DEAR)])})
    assert found == Price(1, 2, tiers=(Tier(0, DEAR), Tier(200, DEARER)))
    assert found.at(1) is DEAR
    assert found.at(0) is found
    assert Price.parse({"input_mtok": 1, "output_mtok": 2, "tiers": None}) == Price(1, 2)


def test_what_is_parsed() -> None:
    assert Price.parse(DEAR) is DEAR
    found = Price.parse({
        "input_mtok": 1, "output_mtok": 2, "services": {"flex": {"input_mtok": 0.5, "output_mtok": 1}},
        "tiers": [{"above": "200", "price": {"input_mtok": 2, "output_mtok": 4}}],
    })  # fmt: skip
    assert found == Price(1, 2, tiers=(Tier(200, DEAR),), services={"flex": Price(0.5, 1)})
    assert Price.parse({"services": None}) == Price()


@pytest.mark.parametrize(
    ("kind", "tokens"), [("image", "cache_image_read_tokens"), ("audio", "cache_audio_read_tokens")]
)
@pytest.mark.parametrize(("own", "cents"), [(None, 2), (10, 2), (40, 40)])
def test_cached_media_that_are_priced_as_text_cost_what_cached_text_costs(kind, tokens, own, cents):
    price = Price(input_mtok=10, output_mtok=1, cache_read_mtok=2, **{f"input_{kind}_mtok": own})
    usage = Usage(1, 0, cache_read_tokens=1, **{tokens: 1, f"input_{kind}_tokens": 1})
    assert price.cost(usage) == cents * 1_000_000
