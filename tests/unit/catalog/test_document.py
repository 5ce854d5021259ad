"""A stored catalog: what of a row can be a card's field, and what is left out."""

from __future__ import annotations

import pytest

from capability_router.catalog.known import document
from capability_router.money.price import AMOUNTS

PLAIN = {"input_mtok": 1, "output_mtok": 2}
TIER = {"above": 5, "price": PLAIN}
WHOLE = {**PLAIN, "tiers": [TIER], "services": {"batch": {**PLAIN, "tiers": [TIER]}}}


def known(price: object) -> dict[str, object]:
    data = {
        "schema": 2, "as_of": "2026-11-25", "sources": {"acme": {"as_of": "2026-11-25"}},
        "providers": {"acme": {"models": {"house": {"context_window": 10, "price": price}}}},
    }  # fmt: skip
    return dict(document.parsed(data, "a test").known("acme", "house").fields)


def test_a_whole_price_is_read():
    price = {**WHOLE, **dict.fromkeys(AMOUNTS, 1.5)}
    assert known(price) == {"context_window": 10, "price": price}


@pytest.mark.parametrize(
    "odd",
    [
        *({name: "x"} for name in AMOUNTS),
        {"input_mtok": True}, {"tiers": "x"}, {"tiers": [{"above": 5}]}, {"tiers": [{"above": "x", "price": PLAIN}]},
        {"tiers": [{"above": 5, "price": {"input_image_mtok": "x"}}]}, {"services": ["batch"]},
        {"services": {"batch": {"output_mtok": "x"}}},
    ],
)  # fmt: skip
def test_a_price_of_which_a_part_is_of_a_wrong_kind_is_left_out(odd):
    assert known({**WHOLE, **odd}) == {"context_window": 10}
