"""What is a bill and what is not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from capability_router import Usage, routing
from capability_router.money.bill import billed
from capability_router.request import Finish, Reply, requested_service_tier, service_tier
from capability_router.testing import ask, scripted_router

HEADER = {"x-litellm-response-cost": "0.5"}


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({}, None), ({"cost": None}, None), ({"cost": "n/a"}, None), ({"cost": True}, None), ({"cost": -1}, None),
        ({"cost": float("nan")}, None), ({"cost": [1]}, None), ({"cost": {}}, None),
        ({"cost": {"total_cost": "x"}}, None),
        ({"cost": 0}, 0), ({"cost": "0.25"}, Decimal("0.25")), ({"cost": 1e-07}, Decimal("1E-7")),
        ({"cost": {"total_cost": 0.3, "request_cost": 0.1}}, Decimal("0.3")),
        ({"cost_in_usd_ticks": 94_000}, Decimal("0.0000094")),
        ({"cost": 0.2, "cost_in_usd_ticks": 1}, Decimal("0.2")),
        # One's own key at the maker: the fee and the maker's bill. On OpenRouter's account the one holds the other.
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.036}}, Decimal("0.036")),
        ({"cost": 0.95, "cost_details": {"upstream_inference_cost": 19}}, Decimal("19.95")),
        ({"cost": 0.2, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.3}}, Decimal("0.2")),
        ({"cost": 0.2, "cost_details": {"upstream_inference_cost": 0.2}}, Decimal("0.2")),
        ({"cost": 0.2, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, Decimal("0.2")),
    ],
)  # fmt: skip
def test_a_bill_among_the_counts(usage: dict[str, Any], told: Any) -> None:
    assert billed(usage) == told


def test_a_proxys_header_goes_first_but_not_on_a_stream() -> None:
    assert billed({"cost": 0.2}, HEADER) == Decimal("0.5")
    assert billed({}, HEADER) == Decimal("0.5")
    assert billed({"cost": 0.2}, HEADER, stream=True) == Decimal("0.2")
    assert billed({}, HEADER, stream=True) is None
    assert billed({"cost": 0.2}, {"x-litellm-response-cost": "None"}) == Decimal("0.2")


def test_the_order_of_truth() -> None:
    """A cache first, then the provider's bill, then the price of its counts, then that of an estimate."""
    usage = Usage(10, 5)
    replies = {
        "cached": Reply(usage, Finish.STOP, "x", cost_usd="0.5", cached=True),
        "billed": Reply(usage, Finish.STOP, "x", cost_usd=Decimal("0.5")),
        "counted": Reply(usage, Finish.STOP, "x"), "guessed": Reply(None, Finish.STOP, "word " * 50),
    }  # fmt: skip
    router = scripted_router({name: [reply] for name, reply in replies.items()})
    costs, marks = {}, {}
    for name in replies:
        with routing(pin=name):
            costs[name] = ask(router).outcome.cost_pico
        marks[name] = router.ledger.calls()[-1].estimated
    assert (costs["cached"], costs["billed"], costs["counted"]) == (0, 5 * 10**11, 20 * 10**6)
    assert costs["guessed"] > 0
    assert [name for name, mark in marks.items() if mark] == ["guessed"]


@pytest.mark.parametrize(
    ("word", "tier"),
    [
        (None, ""), ("", ""), ("auto", ""), ("default", ""), ("standard", ""), ("on_demand", ""), ("ON_DEMAND", ""),
        ("TRAFFIC_TYPE_UNSPECIFIED", ""), (3, ""), ("priority", "priority"), ("FLEX", "flex"), ("fast", "priority"),
        ("ON_DEMAND_PRIORITY", "priority"), ({"type": "reserved"}, "reserved"), ("batch", "batch"), ("scale", "scale"),
    ],
)  # fmt: skip
def test_words_for_service_tiers(word: object, tier: str) -> None:
    assert service_tier(word) == tier


def test_what_a_call_asks_for() -> None:
    assert requested_service_tier({"service_tier": "flex"}) == "flex"
    assert requested_service_tier({"extra_body": {"service_tier": "priority"}}) == "priority"
    assert requested_service_tier({"service_tier": "auto", "extra_body": {"x": 1}}) == ""
    assert requested_service_tier({}) == requested_service_tier({"extra_body": None}) == ""


def test_counts_add_up_and_come_apart() -> None:
    first = Usage(10, 5, 3, service_tier="flex")
    second = Usage(20, 7, 4, cache_audio_read_tokens=2, estimated=True)
    both = Usage.together([first, second])
    assert both == Usage(30, 12, 7, cache_audio_read_tokens=2, service_tier="flex", estimated=True)
    assert both.since(first) == Usage(20, 7, 4, cache_audio_read_tokens=2, service_tier="flex", estimated=True)
