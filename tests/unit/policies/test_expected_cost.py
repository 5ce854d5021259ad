"""Expected cost: a model's own, and by the chance of its failure that of whom is asked next."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from typing import Any

import pytest

from capability_router import Price, Request, Usage, routing
from capability_router.health.board import Verdict
from capability_router.testing import ManualClock, ScriptedModel, ask, scripted_router


def fixed(usd: float) -> dict[str, Any]:
    """A model that costs this much a call, whatever its size."""
    return {"price": Price(0, 0, per_request=usd)}


def router_with(failures: dict[str, int], cards: dict[str, dict[str, Any]], policy: Any = "cheapest", **settings: Any):
    """A router whose models have lately failed so often (short of what opens a breaker); no longer doubted."""
    clock = settings.setdefault("clock", ManualClock())
    router = scripted_router({id: ["ok"] for id in cards}, cards=cards, policy=policy, **settings)
    for id, count in failures.items():
        for _ in range(count):
            permit = router.board.admit(id, router.clock.now())
            router.board.settle(permit, Verdict(False, blame="breaker"), router.clock.now())
            good = router.board.admit(id, router.clock.now())
            router.board.settle(good, Verdict(True, elapsed_s=0.1), router.clock.now())
    clock.advance(3)
    return router


def costs(router: Any) -> dict[str, float | None]:
    return {c.id: c.cost_usd for c in router.explain(Request(("hello",))).candidates}


def test_while_nothing_fails_a_call_is_expected_to_cost_its_own_price() -> None:
    router = router_with({}, {"a": fixed(1), "b": fixed(10)})
    plan = router.explain(Request(("hello",)))
    assert costs(router) == {"a": 1, "b": 10}
    assert [c["fallback_usd"] for c in plan.to_dict()["candidates"]] == [0, 0]
    assert plan.notes == ()


def test_a_failure_costs_what_the_next_in_line_is_expected_to() -> None:
    # 3 of 6 calls failed, and three more count as well: 3 of 9. b: 1 of 2, and three more: 1 of 5.
    router = router_with({"a": 3, "b": 1}, {"a": fixed(1), "b": fixed(10), "c": fixed(100)}, {"name": "single"})
    expected_b = 10 + 100 / 5
    assert costs(router) == {"a": pytest.approx(1 + expected_b / 3), "b": pytest.approx(expected_b), "c": 100}


def test_a_cheap_model_that_fails_is_no_longer_the_cheapest() -> None:
    cards = {"flaky": fixed(5), "steady": fixed(6), "dear": fixed(100)}
    calm = router_with({}, cards)
    assert calm.explain(Request(("hi",))).chosen.id == "flaky"
    shaky = router_with({"flaky": 3}, cards)
    plan = shaky.explain(Request(("hi",)))
    assert [c.id for c in plan.candidates] == ["steady", "flaky", "dear"]
    assert costs(shaky)["flaky"] == pytest.approx(5 + 6 / 3)
    assert any("flaky" in note and "33%" in note for note in plan.notes)


@pytest.mark.parametrize("policy", ["cheapest", "adaptive", {"name": "weighted", "weights": {"cost": 1, "quality": 1}}])
def test_the_plan_shows_it_as_a_term_of_the_score(policy: Any) -> None:
    plan = router_with({"a": 2}, {"a": fixed(1), "b": fixed(4)}, policy).explain(Request(("hi",)))
    by_id = {c.id: c for c in plan.candidates}
    terms = dict(by_id["a"].terms)
    assert terms["fallback"] < 0
    assert terms["fallback"] / terms["cost"] == pytest.approx(by_id["a"].fallback_pico / 10**12)
    assert sum(terms.values()) == pytest.approx(by_id["a"].score)
    assert "fallback" not in dict(by_id["b"].terms)
    assert plan.to_dict()["candidates"][0].keys() == plan.to_dict()["candidates"][1].keys()


def test_a_failure_is_forgotten_after_half_a_minute() -> None:
    clock = ManualClock()
    router = router_with({"a": 2}, {"a": fixed(1), "b": fixed(4)}, clock=clock)
    assert costs(router)["a"] > 1
    clock.advance(31)
    assert costs(router) == {"a": 1, "b": 4}
    assert router.board.failing(clock.now()) == {}


def test_an_unknown_price_stays_unknown_and_adds_nothing() -> None:
    router = router_with({"dark": 2, "a": 2}, {"a": fixed(1), "dark": {"price": None}}, {"name": "single"})
    assert costs(router) == {"a": 1, "dark": None}


def test_a_held_model_is_nobodys_fallback() -> None:
    router = router_with({"a": 2}, {"a": fixed(1), "b": fixed(4)})
    router.isolate("b")
    assert costs(router) == {"a": 1, "b": 4}


def test_the_actual_cost_is_booked_afterwards() -> None:
    router = router_with({"a": 2}, {"a": fixed(1), "b": fixed(4)}, {"name": "single"})
    run = ask(router)
    assert run.plan.chosen.cost_usd > 1
    assert run.outcome.cost_pico == 10**12


def test_the_expected_length_is_learned_by_task_and_model() -> None:
    per_token = {"price": Price(0, 1)}
    router = scripted_router(
        {"terse": ScriptedModel(["ok"], usage=Usage(10, 20)), "wordy": ScriptedModel(["ok"], usage=Usage(10, 2_000))},
        cards={"terse": per_token, "wordy": per_token}, policy="cheapest",
    )  # fmt: skip
    before = costs(router)
    assert before["terse"] == before["wordy"]
    for id in ("terse", "wordy") * 20:
        with routing(pin=id):
            ask(router)
    after = costs(router)
    assert after["terse"] < before["terse"] < after["wordy"]
    assert after["wordy"] == pytest.approx(2_000e-6, rel=0.5)


@pytest.mark.parametrize(("closed", "times"), [(True, 1), (False, 2)])
def test_a_request_is_judged_twice_only_where_one_that_can_be_used_has_failed(
    closed: bool, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = router_with({"a": 2}, {"a": fixed(1), "b": fixed(10), "c": fixed(100)})
    if closed:
        router.isolate("a")
    policy, seen = router.planner.policy, []
    judge = policy.judge
    monkeypatch.setattr(policy, "judge", lambda scene: seen.append(scene) or judge(scene))
    plan = router.explain(Request(("hi",)))
    assert len(seen) == times
    assert [c.held != "" for c in plan.candidates] == [False, False, closed]


def test_what_is_explained_of_scores_and_costs_is_written_as_json_and_matched_as_tuples() -> None:
    """An application puts them into its own log, or adds a line of its own."""
    plan = router_with({"a": 2}, {"a": fixed(1), "b": fixed(4)}, "cheapest").explain(Request(("hello",)))
    chosen = plan.chosen
    assert plan.notes
    assert type(plan.notes) is tuple
    assert json.loads(json.dumps(plan.notes)) == list(plan.notes)
    assert type(chosen.terms) is tuple
    assert chosen.terms == chosen._asdict()["terms"]
    assert json.loads(json.dumps(chosen._asdict()))["terms"] == [list(term) for term in chosen.terms]
    assert len(json.loads(json.dumps(asdict(plan)))["candidates"]) == 2
    changed = chosen._replace(terms=(*chosen.terms, ("own", 1.0)))
    assert (type(changed), changed.terms[-1]) == (type(chosen), ("own", 1.0))
    assert repr(chosen).startswith("Candidate(id=")
    assert copy.deepcopy(chosen) == chosen
    assert hash(copy.deepcopy(plan)) == hash(plan)
