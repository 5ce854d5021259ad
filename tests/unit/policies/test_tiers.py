"""Steps of a rule in which something else than the order decides: shares, speed, cost, calls under way."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from capability_router import ConfigError, Price, Request, Router
from capability_router.health.permit import Permit
from capability_router.routing import Routing
from capability_router.testing import scripted_router

CARDS: dict[str, dict[str, Any]] = {
    "a": {"price": Price(5, 20), "latency": {"ttft_s": 2.0, "tokens_per_s": 20}, "tags": ["group"]},
    "b": {"price": Price(1, 4), "latency": {"ttft_s": 1.0, "tokens_per_s": 50}, "tags": ["group"]},
    "c": {"price": None, "tags": ["group"]},
    "d": {"price": Price(0.1, 0.2), "latency": {"ttft_s": 0.1, "tokens_per_s": 500}},
}


def routed(*rules: Any) -> Router:
    return scripted_router({name: ["ok"] for name in CARDS}, cards=CARDS, policy={"name": "rules", "rules": [*rules]})


def order(router: Router, id: str = "r", **terms: Any) -> list[str]:
    request = Request(("hello",), id=id, routing=Routing(**terms))
    return [candidate.id for candidate in router.explain(request).candidates]


def test_a_share_of_the_requests_goes_first_to_each_by_its_weight_and_the_next_steps_come_behind() -> None:
    router = routed({"then": [{"share": {"a": 6, "b": 3, "c": 1}}, "d"]})
    orders = [order(router, f"r{n}") for n in range(2_000)]
    firsts = Counter(each[0] for each in orders)
    assert [round(firsts[name] / 2_000, 1) for name in "abc"] == [0.6, 0.3, 0.1]
    assert {each[3] for each in orders} == {"d"}
    seconds = Counter(each[1] for each in orders if each[0] == "c")  # of what is left, by what is left
    assert 0.55 < seconds["a"] / seconds.total() < 0.78


def test_the_same_request_is_drawn_alike_in_every_process() -> None:
    rule = {"then": [{"share": ["a", "b", "c"]}]}
    assert [order(routed(rule), f"r{n}") for n in range(50)] == [order(routed(rule), f"r{n}") for n in range(50)]
    firsts = Counter(order(routed(rule), f"r{n}")[0] for n in range(300))
    assert min(firsts["a"], firsts["b"], firsts["c"]) > 70


def test_a_weight_of_nothing_is_a_last_resort_and_nothing_but_nothing_is_equal_shares() -> None:
    router = routed({"then": [{"share": {"a": 0, "b": 1, "c": 2}}, "d"]})
    assert {order(router, f"r{n}")[2] for n in range(100)} == {"a"}
    idle = routed({"then": [{"share": {"a": 0, "b": 0}}]})
    assert {order(idle, f"r{n}")[0] for n in range(100)} == {"a", "b"}


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ([{"share": {"a": 6, "b": 3, "c": 1}}, "d"], {"a": 0.6, "b": 0.3, "c": 0.1}),
        ([{"share": {"a": 0, "b": 1, "c": 3}}], {"b": 0.25, "c": 0.75}),
        ([{"least_busy": ["a", "b"]}], {"a": 0.5, "b": 0.5}),
        (["d", {"share": ["a", "b"]}], {}),
        ([{"share": {"a": 1, "b": 0}}], {}),
        ([{"cheapest": ["a", "b"]}, {"share": ["c", "d"]}], {}),
    ],
    ids=["a share", "a weight of nothing", "equals", "behind a model", "a share of all", "behind the cheapest"],
)
def test_the_plan_has_the_chance_with_which_each_model_was_first(then: list[Any], expected: dict[str, float]) -> None:
    router = routed({"then": then})
    for n in range(20):
        plan = router.explain(Request(("hello",), id=f"r{n}"))
        assert dict(plan.chances) == pytest.approx(expected)
        assert plan.propensity == pytest.approx(expected.get(plan.chosen.id, 1.0))
        assert [id for id, _ in plan.chances][:1] == ([plan.chosen.id] if expected else [])


def test_a_model_that_may_not_be_asked_has_no_chance() -> None:
    router = routed({"then": [{"share": {"a": 6, "b": 3, "c": 1}}, "d"]})
    plan = router.explain(Request(("hello",), id="r", routing=Routing(deny=("a",))))
    assert dict(plan.chances) == pytest.approx({"b": 0.75, "c": 0.25})
    assert router.explain(Request(("hello",), id="r", routing=Routing(pin="b"))).propensity == 1.0


@pytest.mark.parametrize(("how", "expected"), [("fastest", ["b", "a", "c"]), ("cheapest", ["b", "a", "c"])])
def test_the_fastest_or_cheapest_of_a_step_is_first_and_the_unknown_last(how: str, expected: list[str]) -> None:
    assert order(routed({"then": [{how: ["a", "c", "b"]}, "d"]})) == [*expected, "d"]


def test_the_least_busy_of_a_step_is_first_and_equals_take_turns() -> None:
    router = routed({"then": [{"least_busy": ["a", "b"]}, "d"]})
    assert {order(router, f"r{n}")[0] for n in range(60)} == {"a", "b"}
    permit = router.board.admit("b", router.clock.now())
    assert isinstance(permit, Permit)
    assert {order(router, f"r{n}")[0] for n in range(60)} == {"a"}


def test_rules_may_ask_for_the_tags_that_a_request_requires() -> None:
    router = routed({"when": {"require_tags": "group"}, "then": ["c", "a"]}, {"then": "d"})
    assert order(router, require_tags=("group",)) == ["c", "a", "b"]  # d has no such tag
    assert order(router) == ["d", "a", "b", "c"]
    assert order(router, tags=("group",)) == ["d", "a", "b", "c"]


def test_the_reason_names_the_rule_and_how_it_chose() -> None:
    plan = routed({"then": [{"share": {"a": 1}}, "b"]}).explain(Request(("hello",)))
    assert plan.reason == "rule 1: always, share"


def test_the_reason_names_conditions_as_the_configuration_does() -> None:
    when = {"tags": ["nightly", "eu"], "task": ["code", "math"], "max_input_tokens": 900, "stream": False}
    request = Request(("hello",), routing=Routing(tags=("nightly", "eu"), task="code"))
    plan = routed({"when": when, "then": ["b"]}).explain(request)
    assert plan.reason == "rule 1: tags nightly and eu, task code or math, max_input_tokens 900, stream no"


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ([{"shares": ["a"]}], "did you mean 'share'"),
        ([{"share": {"a": -1}}], "needs finite weights of 0 or more"),
        ([{"share": {"a": "much"}}], "needs finite weights"),
        ([{"share": {"a": float("inf")}}], "needs finite weights"),
        ([{"share": []}], r"needs models behind share: [model, ...] or {model: weight}"),
        ([{"fastest": {"a": 1}}], "needs models behind fastest"),
        ([{"share": ["a"], "fastest": ["b"]}], "must list models, or steps such as"),
        ([["a"]], "must list models"),
        ([{"share": {"x": 1}}], "policy.rules: no model 'x' is registered; known: a, b"),
        ([7], "must list models"),
    ],
)
def test_what_is_no_step_is_told(then: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        routed({"then": then})


def test_a_name_of_several_models_stands_for_each_of_them() -> None:
    cards = {name: {"provider": "p", "model": "m"} for name in ("one", "two")}
    router = scripted_router(
        {name: ["ok"] for name in cards}, cards=cards,
        policy={"name": "rules", "rules": [{"then": [{"share": {"p:m": 1}}]}]},
    )  # fmt: skip
    firsts = Counter(router.explain(Request(("hello",), id=f"r{n}")).candidates[0].id for n in range(100))
    assert min(firsts["one"], firsts["two"]) > 25


def test_a_model_that_is_named_before_a_step_and_again_in_it_keeps_its_first_place() -> None:
    router = routed({"then": ["a", {"share": ["a", "b"]}, "a"]})
    assert {tuple(order(router, f"r{n}")[:2]) for n in range(30)} == {("a", "b")}
