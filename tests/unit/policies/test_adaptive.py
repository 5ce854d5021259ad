"""The target is an average, met at least cost: by prediction, over what a router would really see."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router import Price, Request, routing
from capability_router.request import Finish, Reply, Usage
from capability_router.router import Router
from capability_router.testing import ScriptedModel, ask, scripted_router

CARDS: dict[str, dict[str, Any]] = {
    "weak": {"price": Price(0.1, 0.1), "quality": {"default": 0.5}},
    "middle": {"price": Price(1, 1), "quality": {"default": 0.7}},
    "strong": {"price": Price(10, 10), "quality": {"default": 0.9}},
}


def router(**policy: Any) -> Router:
    named = {"name": "adaptive", "latency_weight": 0, **policy}
    as_predicted = {n: ScriptedModel(["ok"], usage=Usage(6, 220)) for n in CARDS}
    return scripted_router(as_predicted, cards=CARDS, policy=named)


def picks(made: Router, count: int, text: str = "hello there") -> list[str]:
    return [ask(made, Request((text,))).outcome.model or "" for _ in range(count)]


def predicted(made: Router, models: list[str], text: str = "hello there") -> float:
    quality = {c.id: c.quality for c in made.explain(Request((text,))).candidates}
    return sum(quality[m] or 0.0 for m in models) / len(models)


@pytest.mark.parametrize("target", [0.73, 0.78, 0.83, 0.88])
def test_equal_requests_come_to_the_target_on_average(target: float) -> None:
    made = router(quality_target=target)
    chosen = picks(made, 150)
    assert predicted(made, chosen) == pytest.approx(target, abs=0.03)
    assert len(set(chosen)) <= 2, "between two neighbours of the frontier, never the dear one beside the weak one"


def test_one_easy_request_first_does_not_send_the_hard_one_to_the_weakest() -> None:
    made = scripted_router(
        {n: ["ok"] for n in CARDS},
        cards={
            n: {**c, "quality": {"default": 0.6 if n == "weak" else 0.9, "classify": 0.99}} for n, c in CARDS.items()
        },
        policy={"name": "adaptive", "quality_target": 0.85, "latency_weight": 0},
    )
    assert picks(made, 1, "classify: good or bad?") == ["weak"]
    assert picks(made, 1, "hello there") == ["middle"]


def test_a_requests_own_target_is_heard_and_explaining_changes_nothing() -> None:
    made = router()
    with routing(quality_target=0.99):
        assert made.explain(Request(("hello",))).chosen.id == "strong"
    with routing(quality_target=0.1):
        plans = [made.explain(Request(("hello",), id="x")).to_json() for _ in range(40)]
    assert len(set(plans)) == 1
    assert '"chosen":"weak"' in plans[0]


def test_the_floor_keeps_weak_models_for_when_there_is_no_other() -> None:
    made = router(min_quality=0.75, cost_weight=100)
    assert picks(made, 1) == ["middle"]
    with routing(allow=["weak"]):
        assert picks(made, 1) == ["weak"]


@pytest.mark.parametrize(
    "policy", [{"min_quality": 0.995}, {"quality_target": 0.998, "latency_weight": 0}], ids=["floor", "target"]
)
def test_a_floor_and_a_target_above_099_are_kept(policy: dict[str, float]) -> None:
    stated = {"weak": 0.985, "middle": 0.992, "strong": 0.999}
    made = scripted_router(
        {n: ["ok"] for n in CARDS},
        cards={n: {**c, "quality": {"default": stated[n]}} for n, c in CARDS.items()},
        policy={"name": "adaptive", **policy},
    )
    assert picks(made, 40).count("strong") > 30


def test_hidden_output_makes_a_model_dearer_than_its_price() -> None:
    thinking = Reply(text="x", finish=Finish.STOP, usage=Usage(10, 5_000))
    terse = Reply(text="x", finish=Finish.STOP, usage=Usage(10, 50))
    same = {"price": Price(1, 1), "quality": {"default": 0.8}}
    made = scripted_router(
        {"thinks": [thinking], "plain": [terse]}, cards={"thinks": same, "plain": same}, policy="cheapest"
    )
    for model in ("thinks", "plain"):
        with routing(pin=model):
            ask(made)
    assert made.explain(Request(("hello",))).chosen.id == "plain"


def test_feedback_moves_the_choice() -> None:
    made = router(quality_target=0.78)
    before = predicted(made, ["middle"])
    for _ in range(30):
        run = ask(made, Request(("hello there",)))
        if run.outcome.model == "middle":
            made.feedback(run.outcome.request_id, 0.0)
    assert predicted(made, ["middle"]) < before - 0.01


def test_a_long_request_at_the_start_is_not_bought_at_any_price() -> None:
    made = router(quality_target=0.78)
    long = "read this. " * 20_000
    assert made.explain(Request(("hello there",))).chosen.id == "middle"
    assert made.explain(Request((long,))).chosen.id == "weak"
    picks(made, 40, long)  # where all are long, that is what is usual
    assert predicted(made, picks(made, 40, long), long) > 0.68


def away(made: Router, model: str) -> None:
    made.isolate(model)


def test_an_outage_that_passes_does_not_raise_what_quality_may_cost() -> None:
    made = router(quality_target=0.73)
    picks(made, 100)
    before = _price(made)
    away(made, "middle")
    picks(made, 50)
    assert _price(made) == pytest.approx(before, rel=0.6), "it follows what the picks come to, not who is away"


def test_in_a_lasting_outage_the_target_is_kept_by_those_who_are_left() -> None:
    made = router(quality_target=0.8)
    picks(made, 200)
    away(made, "middle")
    picks(made, 1_000)
    assert predicted(made, picks(made, 200)) == pytest.approx(0.8, abs=0.04)


def _price(made: Router) -> float:
    return dict(made.explain(Request(("hello there",))).settings)["price_of_quality"]


def test_a_target_that_nobody_reaches_is_not_pursued_at_any_price() -> None:
    cards = {"good": {"price": Price(0.1, 0.1), "quality": {"default": 0.89}}, "strong": CARDS["strong"]}
    policy = {"name": "adaptive", "quality_target": 0.95, "latency_weight": 0}
    usual = {n: ScriptedModel(["ok"], usage=Usage(6, 220)) for n in cards}
    assert set(picks(scripted_router(usual, cards=cards, policy=policy), 60)[40:]) == {"good"}
