"""What a budget reserves is an upper bound of every bill within its bounds, and no looser than the request allows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router import BudgetExceeded, Price, Request, Tier, Usage
from capability_router.money.price import pico
from capability_router.testing import ScriptedModel, ask, assert_books_balanced, scripted_router

AMOUNTS = (
    "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok", "input_audio_mtok", "output_audio_mtok",
    "cache_audio_read_mtok", "input_image_mtok", "output_image_mtok", "cache_image_read_mtok", "per_request",
)  # fmt: skip
SERVICES = st.sampled_from(["", "batch", "flex", "priority"])
usd = st.decimals(min_value=0, max_value=100, places=6)


@st.composite
def plain_prices(draw: st.DrawFn) -> dict[str, Decimal]:
    chosen = {name: draw(usd) for name in AMOUNTS if draw(st.booleans())}
    return {"input_mtok": draw(usd), "output_mtok": draw(usd), **chosen}


@st.composite
def tiered(draw: st.DrawFn, **more: Any) -> Price:
    """Tiers may be dearer or cheaper than what is below them."""
    starts = draw(st.lists(st.integers(0, 2_000), max_size=3, unique=True))
    return Price(**draw(plain_prices()), tiers=tuple(Tier(s, Price(**draw(plain_prices()))) for s in starts), **more)


@st.composite
def priced(draw: st.DrawFn) -> Price:
    services = {name: draw(tiered()) for name in ("batch", "flex", "priority") if draw(st.booleans())}
    return draw(tiered(services=services))


@st.composite
def usages(draw: st.DrawFn, most_in: int, most_out: int, media: tuple[str, ...], services: list[str]) -> Usage:
    """Any within the bounds; parts that fit into their wholes, and of media only what is attached."""
    total_in, total_out = draw(st.integers(0, most_in)), draw(st.integers(0, most_out))

    def part(of: int, kind: str = "") -> int:
        return draw(st.integers(0, of)) if not kind or kind in media else 0

    read = part(total_in)
    write = part(total_in - read)
    audio = part(total_in - write, "audio")
    image = part(total_in - write - audio, "image")
    heard = part(min(read, audio), "audio")
    audio_out = part(total_out)
    return Usage(
        total_in, total_out, cache_read_tokens=read, cache_creation_tokens=write, cache_creation_1h_tokens=part(write),
        input_audio_tokens=audio, cache_audio_read_tokens=heard, input_image_tokens=image,
        cache_image_read_tokens=part(min(read - heard, image), "image"), output_audio_tokens=audio_out,
        output_image_tokens=part(total_out - audio_out), service_tier=draw(st.sampled_from(services)),
    )  # fmt: skip


@given(priced(), st.integers(0, 2_000), st.integers(0, 500), SERVICES, st.data())
def test_no_bill_is_above_what_was_reserved(
    price: Price, tokens: int, most_out: int, service: str, data: st.DataObject
) -> None:
    media = data.draw(st.sampled_from([(), ("audio",), ("image",), ("pdf",), ("video",), ("image", "audio", "pdf")]))
    reserved = price.worst(tokens, most_out, media=media, service=service)
    if reserved is None:
        assert service == "priority"
        assert "priority" not in price.services
        return
    # A call may be served under the tier that it asks for, or as usual.
    usage = data.draw(usages(tokens + tokens // 4, most_out, media, ["", service]))
    cost = price.cost(usage)
    assert cost is not None
    assert cost <= reserved


@given(priced(), st.integers(0, 2_000), st.integers(0, 500))
def test_it_is_reached_by_some_bill(price: Price, tokens: int, most_out: int) -> None:
    """Of a price without tiers: all input of the dearest kind, all output likewise."""
    flat = Price(**{name: getattr(price, name) for name in ("input_mtok", "output_mtok", *AMOUNTS)})
    size = tokens + tokens // 4
    bills = [
        flat.cost(Usage(size, most_out, **into, **out))
        for into in ({}, {"cache_read_tokens": size}, {"cache_creation_tokens": size},
                     {"cache_creation_tokens": size, "cache_creation_1h_tokens": size})
        for out in ({}, {"output_audio_tokens": most_out}, {"output_image_tokens": most_out})
    ]  # fmt: skip
    assert flat.worst(tokens, most_out) == max(bill for bill in bills if bill is not None)


def test_what_the_request_does_not_hold_is_not_reserved_for() -> None:
    price = Price(1, 10, input_audio_mtok=40, input_image_mtok=5)
    assert price.worst(1_000, 0) == 1_250 * 10**6
    assert price.worst(1_000, 0, media=("image",)) == 1_250 * 5 * 10**6
    assert price.worst(1_000, 0, media=("image", "audio")) == 1_250 * 40 * 10**6
    assert price.worst(1_000, 0, media=("pdf",)) == price.worst(1_000, 0, media=("video",)) == price.worst(1_000, 0)


@pytest.mark.parametrize(("service", "usd_per_mtok"), [("", 1), ("flex", 1), ("batch", 1), ("priority", 2)])
def test_a_service_is_reserved_for_where_it_is_asked_for(service: str, usd_per_mtok: int) -> None:
    price = Price(1, 0, services={"flex": Price("0.5", 0), "priority": Price(2, 0)})
    assert price.worst(1_000, 0, service=service) == 1_250 * usd_per_mtok * 10**6


def test_a_dearer_service_without_a_price_can_not_be_reserved_for() -> None:
    price = Price(1, 1)
    assert price.worst(10, 10, service="priority") is price.worst(10, 10, service="provisioned_throughput") is None
    assert price.worst(10, 10, service="flex") == price.worst(10, 10)
    assert Price(1, 1, tiers=(Tier(5, Price(1)),)).worst(10, 10) is None  # above 5 tokens nobody knows


@pytest.mark.parametrize("service", ["", "priority"])
def test_a_router_with_a_cap_holds_it_under_every_service(service: str) -> None:
    """The cap lets exactly as many through as it can pay for at the asked tier's price, and none more."""
    each = Price(0, 0, per_request=1, services={"priority": Price(0, 0, per_request=3)})
    router = scripted_router(
        {"a": ScriptedModel(["ok"], usage=Usage(1, 1, service_tier=service))}, cards={"a": {"price": each}},
        budgets=[{"scope": "global", "limit_usd": 9, "window": "total"}],
    )  # fmt: skip
    for _ in range(3 if service else 9):
        ask(router, Request(("hi",), service=service))
    with pytest.raises(BudgetExceeded, match="global"):
        ask(router, Request(("hi",), service=service))
    assert router.ledger.total().cost_usd * 10**12 == pico(9)
    assert_books_balanced(router)
