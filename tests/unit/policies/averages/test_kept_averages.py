"""Targets of cost and latency in a whole router: what is asked, what plans say, who shares what."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from capability_router import Price, Request, routing
from capability_router.request import Usage
from capability_router.router import Router
from capability_router.testing import ManualClock, ScriptedModel, ask, assert_books_balanced, scripted_router

CARDS: dict[str, dict[str, Any]] = {
    "weak": {"price": Price(0.1, 0.1), "quality": {"default": 0.5}},
    "middle": {"price": Price(1, 1), "quality": {"default": 0.7}},
    "strong": {"price": Price(10, 10), "quality": {"default": 0.9}},
}
TEXT = "hello there"


def router(scripts: dict[str, ScriptedModel] | None = None, **settings: Any) -> Router:
    settings.setdefault("policy", {})
    policy = {"name": "adaptive", "latency_weight": 0, **settings.pop("policy")}
    made = scripts or {name: ScriptedModel(["ok"], usage=Usage(10, 220)) for name in CARDS}
    return scripted_router(made, cards=CARDS, policy=policy, **settings)


def spends(made: Router, count: int, text: str = TEXT) -> float:
    """USD per request, over the last three quarters."""
    outcomes = [ask(made, Request((text,))).outcome for _ in range(count)][count // 4 :]
    return sum((o.cost_pico or 0) for o in outcomes if o is not None) / 1e12 / len(outcomes)


@pytest.mark.parametrize("usd", [0.0001, 0.0006, 0.0015])
def test_the_ledgers_average_is_the_target(usd: float) -> None:
    made = router(policy={"cost_target_usd": usd})
    assert spends(made, 400) == pytest.approx(usd, rel=0.03)
    assert_books_balanced(made)


def test_what_failed_calls_and_long_answers_cost_is_within_the_target_too() -> None:
    """The lengths of answers are learned; what a partial answer cost before the fallback is not foreseen at first."""
    scripts = {
        "weak": ScriptedModel(["ok"], usage=Usage(10, 220)),
        "middle": ScriptedModel(["ok", "ok", "ok", "cut:2"] * 200, usage=Usage(10, 500)),
        "strong": ScriptedModel(["ok"], usage=Usage(10, 700)),
    }
    assert spends(router(scripts, policy={"cost_target_usd": 0.0008}), 500) == pytest.approx(0.0008, rel=0.05)


def test_plans_tell_the_target_and_how_it_stands() -> None:
    made = router(policy={"cost_target_usd": 0.0006})
    before = made.explain(Request((TEXT,)))
    assert "to keep $0.000600 per request" in before.reason
    assert "now" not in before.reason
    spends(made, 100)
    plan = made.explain(Request((TEXT,)))
    told = re.search(
        r"a quality point may cost \$([0-9.]+), to keep \$0.000600 per request: now \$(0.000[0-9]+)", plan.reason
    )
    assert told is not None
    numbers = json.loads(plan.to_json())["settings"]
    assert float(told[1]) == pytest.approx(1 / numbers["price_of_quality"], rel=0.01)
    assert float(told[2]) == pytest.approx(numbers["cost_target_usd_now"], abs=1e-6)
    assert numbers["cost_target_usd"] == 0.0006
    assert numbers["cost_target_usd_least"] < 0.00003


def test_an_impossible_target_is_told() -> None:
    made = router(policy={"cost_target_usd": 1e-6})
    run = ask(made, Request((TEXT,)))
    assert run.outcome is not None
    assert run.outcome.model == "weak"
    assert re.search(
        r"the cheapest, as no choice keeps \$0.00000100 per request: \$0.0000[0-9]+ at best", run.plan.reason
    )


def test_explaining_moves_nothing() -> None:
    one, other = (router(policy={"cost_target_usd": 0.0006, "latency_target_s": 5}) for _ in range(2))
    for at in range(60):
        for _ in range(at % 3):
            other.explain(Request((TEXT,)))
        models = [ask(made, Request((TEXT,), id=f"r{at}")).outcome for made in (one, other)]
        assert models[0] is not None
        assert models[1] is not None
        assert models[0].model == models[1].model
    assert one.explain(Request((TEXT,), id="x")).to_json() == other.explain(Request((TEXT,), id="x")).to_json()


def test_latency_is_kept_by_what_calls_really_took() -> None:
    clock = ManualClock()
    scripts = {
        "weak": ScriptedModel(["ok"], usage=Usage(10, 220), delay_s=0.5),
        "middle": ScriptedModel(["ok"], usage=Usage(10, 220), delay_s=1.0),
        "strong": ScriptedModel(["ok"], usage=Usage(10, 220), delay_s=4.0),
    }
    made = scripted_router(
        scripts, cards={n: {**c, "latency": {"ttft_s": 1.0, "tokens_per_s": 1e9}} for n, c in CARDS.items()},
        clock=clock, policy={"name": "adaptive", "latency_target_s": 2, "cost_weight": 0},
    )  # fmt: skip
    seconds = [o.elapsed_s for _ in range(400) if (o := ask(made, Request((TEXT,))).outcome) is not None]
    assert sum(seconds[100:]) / 300 == pytest.approx(2.0, rel=0.05)
    plan = made.explain(Request((TEXT,)))
    assert re.search(r"a second counts [0-9.]+ quality points, to keep 2 s per request: now [12][.0-9]* s", plan.reason)
    assert dict(plan.settings)["latency_weight"] > 0.01


def test_a_requests_own_quality_target_goes_before_and_its_cost_counts() -> None:
    made = router(policy={"cost_target_usd": 0.0006})
    models = []
    for at in range(400):
        with routing(quality_target=0.99 if at % 5 == 0 else None):
            outcome = ask(made, Request((TEXT,))).outcome
        assert outcome is not None
        models.append((outcome.model, outcome.cost_pico or 0))
    assert {model for model, _ in models[::5]} == {"strong"}
    assert sum(cost for _, cost in models[100:]) / 300 / 1e12 == pytest.approx(0.0006, rel=0.06)


def test_the_floor_holds_whatever_the_target_asks_for() -> None:
    made = router(policy={"cost_target_usd": 1e-7, "min_quality": 0.75})
    assert {ask(made, Request((TEXT,))).outcome.model for _ in range(60)} == {"middle"}  # type: ignore[union-attr]  # it is over
    assert "the cheapest, as no choice keeps" in made.explain(Request((TEXT,))).reason


def test_a_low_quality_target_does_not_break_the_floor_either() -> None:
    """Two models that cost almost the same make the price of quality so high that no fixed penalty outweighs a cost."""
    near = {
        "poor": {"price": Price(0.001, 0.001), "quality": {"default": 0.2}},
        "one": {"price": Price(0.1, 0.1), "quality": {"default": 0.6}},
        "other": {"price": Price(0.1001, 0.1001), "quality": {"default": 0.9}},
    }
    made = scripted_router(
        {name: ["ok"] for name in near}, cards=near,
        policy={"name": "adaptive", "quality_target": 0.01, "min_quality": 0.6, "latency_weight": 0},
    )  # fmt: skip
    assert {ask(made, Request((TEXT,))).outcome.model for _ in range(40)} == {"one"}  # type: ignore[union-attr]  # it is over


@pytest.mark.parametrize("place", ["canary", "shadow"])
def test_a_second_policy_keeps_a_target_of_its_own(place: str) -> None:
    second = {"name": "adaptive", "cost_target_usd": 0.0001, "latency_weight": 0}
    made = router(
        policy={"cost_target_usd": 0.0012}, **{place: {**second, "share": 0.5} if place == "canary" else second}
    )
    kept: list[dict[str, Any]] = []
    made.add_sink(kept.append)
    runs = [ask(made, Request((TEXT,), id=f"r{at}")) for at in range(800)]
    assert made.flush()
    own = [r.outcome.cost_pico or 0 for r in runs[200:] if r.outcome is not None and not r.outcome.canary]
    assert sum(own) / len(own) / 1e12 == pytest.approx(0.0012, rel=0.05)
    if place == "canary":
        other = [(r.outcome.cost_pico or 0) / 1e12 for r in runs[200:] if r.outcome is not None and r.outcome.canary]
    else:
        other = [record["shadow"]["cost_usd"] for record in kept[200:]]
    assert sum(other) / len(other) == pytest.approx(0.0001, rel=0.05)


def test_scores_that_were_learned_are_traded_at_the_targets_price(tmp_path: Path) -> None:
    """Who is good at what is known, so what the target allows for the dear model goes to the requests that need it."""
    pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")
    from unit.learning.quality.world import World

    from capability_router.learning.learner import Learner
    from capability_router.learning.quality.state import dumped

    learner, path, world = Learner.open(tmp_path / "state.json"), tmp_path / "state.json", World(2)
    learner.quality.learn_log(World().log(600))
    path.write_text(dumped(learner.quality), encoding="utf-8")
    made = scripted_router(
        {"lawyer": ScriptedModel(["ok"]), "coder": ScriptedModel(["ok"])},
        cards={"lawyer": {"price": Price(0.1, 0.1)}, "coder": {"price": Price(10, 10)}},
        policy={"name": "adaptive", "state": str(path), "cost_target_usd": 0.00005},
    )  # fmt: skip
    asked: dict[str, list[str]] = {"bug": [], "contract": []}
    costs = []
    for at in range(300):
        kind = "bug" if at % 2 else "contract"
        outcome = ask(made, Request((world.prompt(kind),), id=f"r{at}")).outcome
        assert outcome is not None
        asked[kind].append(outcome.model or "")
        costs.append(outcome.cost_pico or 0)
    assert sum(costs[100:]) / 200 / 1e12 == pytest.approx(0.00005, rel=0.05)
    assert set(asked["contract"]) == {"lawyer"}
    assert set(asked["bug"]) == {"lawyer", "coder"}
    assert "learned: " in (reason := made.explain(Request((world.prompt("bug"),))).reason)
    assert "per request: now" in reason


def test_nothing_is_said_where_no_target_is_set() -> None:
    plan = router().explain(Request((TEXT,)))
    assert set(dict(plan.settings)) == {"price_of_quality", "cost_weight", "latency_weight"}
    assert "per request" not in plan.reason


def test_a_price_that_nobody_knows_is_warned_of() -> None:
    cards = {**CARDS, "middle": {"price": None, "quality": {"default": 0.7}}}
    made = scripted_router({n: ["ok"] for n in cards}, cards=cards, policy={"name": "adaptive", "cost_target_usd": 1})
    assert any("policy.cost_target_usd is set, but the price of middle" in told for told in made.settings.warnings)
    assert ask(made, Request((TEXT,))).outcome.model == "strong"  # type: ignore[union-attr]  # it is over


def test_a_request_that_ends_in_the_middle_of_a_judgement_waits_for_nothing() -> None:
    """As when the garbage collector closes a stream that nobody reads any more."""
    made = router(policy={"cost_target_usd": 0.0006})
    policy: Any = made.planner.policy
    outcome, chosen = ask(made, Request((TEXT,))).outcome, made.explain(Request((TEXT,))).chosen

    def within() -> None:
        with policy._lock:
            policy.settled(chosen, outcome)

    thread = threading.Thread(target=within, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
