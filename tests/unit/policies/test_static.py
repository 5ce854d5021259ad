"""The policies that learn nothing: what each puts first, and what an unknown number counts as."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router import ConfigError, Price, Request
from capability_router.testing import scripted_router

CARDS: dict[str, dict[str, Any]] = {
    "weak": {"price": Price(0.1, 0.2), "quality": {"default": 0.5}, "latency": {"ttft_s": 2.0, "tokens_per_s": 20}},
    "strong": {"price": Price(5, 20), "quality": {"default": 0.9}, "latency": {"ttft_s": 1.0, "tokens_per_s": 50}},
    "quick": {"price": Price(1, 4), "quality": {"default": 0.7}, "latency": {"ttft_s": 0.2, "tokens_per_s": 200}},
    "dark": {"price": None, "quality": {"default": 0.6}},
}


def order(policy: Any, cards: dict[str, dict[str, Any]] = CARDS) -> list[str]:
    router = scripted_router({name: ["ok"] for name in cards}, cards=cards, policy=policy)
    return [candidate.id for candidate in router.explain(Request(("hello",))).candidates]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("single", ["weak", "strong", "quick", "dark"]),
        ("cheapest", ["weak", "quick", "strong", "dark"]),
        ("fastest", ["quick", "strong", "weak", "dark"]),
        ({"name": "weighted", "weights": {"quality": 1}}, ["strong", "quick", "dark", "weak"]),
        ({"name": "weighted", "weights": {"cost": 1}}, ["weak", "quick", "strong", "dark"]),
    ],
)
def test_what_comes_first(policy: Any, expected: list[str]) -> None:
    assert order(policy) == expected


def test_weights_of_nothing_known_keep_the_order() -> None:
    free = {name: {"price": Price(0, 0)} for name in "ab"}
    unknown: dict[str, dict[str, Any]] = {name: {"price": None} for name in "ab"}
    weights = {"name": "weighted", "weights": {"cost": 1, "latency": 1, "queue": 1}}
    assert order(weights, free) == order(weights, unknown) == ["a", "b"]


def test_a_rule_ranks_its_models_as_written_and_the_others_behind() -> None:
    rules = {
        "name": "rules",
        "rules": [{"when": {"task": "code"}, "then": ["dark"]}, {"then": ["quick", "weak", "quick"]}],
    }
    assert order(rules) == ["quick", "weak", "strong", "dark"]


def test_a_rule_reaches_every_model_that_it_names() -> None:
    cards = {name: {"provider": "p"} for name in ("a", "b", "c")}
    router_rules = {"name": "rules", "rules": [{"then": ["p:c", "b"]}]}
    assert order(router_rules, cards) == ["c", "b", "a"]
    with pytest.raises(ConfigError, match="no model 'p:x'"):
        order({"name": "rules", "rules": [{"then": ["p:x"]}]}, cards)
