"""A stored catalog: what of a row can be a card's field, and what is left out."""

from __future__ import annotations

import pytest

from capability_router.catalog.known import document
from capability_router.errors import ConfigError
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


def catalog_of(*providers: str) -> document.CatalogDocument:
    part = {"models": {"house": {"context_window": 10}}}
    data = {
        "schema": 2, "as_of": "2026-11-25", "sources": {"acme": {"as_of": "2026-11-25"}},
        "providers": {name: part | {"aliases": {}} for name in providers},
    }  # fmt: skip
    return document.parsed(data, "a test")


@pytest.mark.parametrize(
    ("written", "ours"), [("My-Company", "my_company"), ("acme.v2", "acme_v2"), ("gemini", "google")]
)
def test_a_provider_is_found_however_its_name_is_written(written: str, ours: str) -> None:
    assert catalog_of(written).providers == (ours,)
    assert catalog_of(written).known(ours, "house").fields == {"context_window": 10}


def test_a_provider_that_is_there_under_two_names_is_told() -> None:
    with pytest.raises(ConfigError, match="provider 'google' is there more than once, also as 'gemini'"):
        catalog_of("google", "gemini")
