"""Trials are few, cheap enough, of models that may be better, and the same whenever they are drawn."""

from __future__ import annotations

import math
import os
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

from capability_router import NoEligibleModel, Price, Request
from capability_router.learning.learner import Learner
from capability_router.learning.quality.levels import Level
from capability_router.learning.quality.model import QualityModel
from capability_router.policies.exploration.budget import LocalExplorationBudget
from capability_router.policies.exploration.explorer import MOST, ExplorationChoice, evenly
from capability_router.request import Routing, Usage
from capability_router.router import Router
from capability_router.testing import ScriptedModel, ask, scripted_router

IDS = [f"request {number}" for number in range(3_000)]
QUALITY = {"a": 0.7, "b": 0.68, "c": 0.66, "hopeless": 0.01}
KNOWN = 400  # scores of `a`; nobody else has any, so `b` is the most hopeful, and the last one can't be as good


def router(path: Path, price: float = 0.001, **policy: Any) -> Router:
    prices = {name: Price(price * (1 if name == "a" else 2), price) for name in QUALITY}
    cards = {name: {"price": prices[name], "quality": {"default": quality}} for name, quality in QUALITY.items()}
    named = {"name": "adaptive", "state": str(path / "state.json"), "cost_weight": 0, "latency_weight": 0, **policy}
    as_predicted = {name: ScriptedModel(["ok"] * 100, usage=Usage(8, 220)) for name in QUALITY}
    made = scripted_router(as_predicted, cards=cards, policy=named)
    learned = made.planner.learned
    assert isinstance(learned, Learner)
    learned.quality = QualityModel(levels={"a": Level(QUALITY["a"] * KNOWN, KNOWN, seen=KNOWN)}, scored=KNOWN)
    return made


def test_the_share_goes_to_the_most_hopeful_and_a_part_of_it_evenly_and_each_plan_has_its_propensity(
    tmp_path: Path,
) -> None:
    made = router(tmp_path, exploration=0.1, seed=7)
    plans = [made.explain(Request(("hello",), id=id)) for id in IDS]
    counts = Counter(plan.chosen.id for plan in plans)
    even = evenly(0.1) / 2  # drawn among b and c
    expected = {"a": 0.9, "b": 0.1 - even, "c": even}
    assert set(counts) == set(expected), "the hopeless is never tried"
    for plan in plans:
        assert dict(plan.chances) == pytest.approx(expected)
        assert plan.propensity == pytest.approx(expected[plan.chosen.id])
    for id, chance in expected.items():
        assert counts[id] == pytest.approx(chance * len(IDS), abs=4 * math.sqrt(chance * len(IDS)))
    tried = [plan for plan in plans if plan.chosen.id == "b"]
    assert all(plan.candidates[1].id == "a" for plan in tried), "the pick is the first to fall back to"
    assert tried[0].reason.startswith("tried, at a chance of 8.50%: quality 0.6")


def test_who_can_beat_nobody_any_more_is_drawn_evenly_alone(tmp_path: Path) -> None:
    made = router(tmp_path, exploration=0.1, seed=7)
    learned = made.planner.learned
    assert isinstance(learned, Learner)
    for id in ("b", "c"):
        learned.quality.levels[id] = Level(QUALITY[id] * KNOWN, KNOWN, seen=KNOWN)
    chances, even = {made.explain(Request(("hello",), id=id)).chances for id in IDS[:100]}, evenly(0.1) / 2
    assert len(chances) == 1
    assert dict(chances.pop()) == pytest.approx({"a": 1 - 2 * even, "b": even, "c": even})


def test_every_request_may_be_a_trial_and_the_pick_has_a_chance_still(tmp_path: Path) -> None:
    chances = dict(router(tmp_path, exploration=1.0).explain(Request(("hello",))).chances)
    assert min(chances.values()) == pytest.approx(evenly(MOST) / 2)
    assert chances["b"] == pytest.approx(MOST - evenly(MOST) / 2)


def mostly(made: Router, ids: list[str]) -> bool:
    """Whether these requests are trials, but for what the even draw leaves to the pick."""
    return sum(made.explain(Request(("hello",), id=id)).chosen.id == "a" for id in ids) <= 3


def test_a_seed_and_an_id_give_the_same_trial_in_every_router(tmp_path: Path) -> None:
    def chosen(seed: int) -> list[str]:
        made = router(tmp_path, exploration=0.3, seed=seed)
        return [made.explain(Request(("hello",), id=id)).chosen.id for id in IDS[:200]]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)


def test_trials_end_when_the_days_money_is_spent_and_looking_spends_none(tmp_path: Path) -> None:
    made = router(tmp_path, price=100.0, exploration=1.0, exploration_usd_per_day=0.01, seed=7)
    plan = made.explain(Request(("hello",), id="x"))
    costs = {c.id: c.cost_usd or 0.0 for c in plan.candidates}
    extra = costs["b"] - costs["a"]
    assert 0.0005 < extra < 0.01
    assert mostly(made, IDS[:100])
    answers = [ask(made, Request(("hello",), id=id)).outcome for id in IDS[:100]]
    models = [answer.model for answer in answers if answer is not None]
    few = sum(model != "a" for model in models)
    assert few == pytest.approx(0.01 / extra, rel=0.1)
    assert models[few + 3 :] == ["a"] * (97 - few)
    made.clock.advance(86_400.0)  # type: ignore[attr-defined]  # the manual clock of the scripted router
    assert made.explain(Request(("hello",), id="y")).chosen.id != "a"


def test_what_a_trial_has_really_cost_counts_not_what_it_was_expected_to(tmp_path: Path) -> None:
    made = router(tmp_path, price=100.0, exploration=1.0, exploration_usd_per_day=0.01, seed=7)
    scripted: dict[str, ScriptedModel] = made.scripted  # type: ignore[attr-defined]  # set by scripted_router
    for name in ("b", "c"):
        scripted[name].usage = Usage(8, 220_000)
    answers = [ask(made, Request(("hello",), id=id)).outcome for id in IDS[:20]]
    assert sum(answer is not None and answer.model != "a" for answer in answers) == 1
    made.clock.advance(86_400.0)  # type: ignore[attr-defined]  # the manual clock of the scripted router
    made.planner.lengths._factors.clear()  # else one trial costs more than the money of a day
    assert made.explain(Request(("hello",), id=IDS[0])).chosen.id != "a"


def test_off_by_default_and_the_record_tells_the_propensity(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = []

    class Kept:
        def write(self, record: dict[str, Any]) -> None:
            records.append(record)

        def close(self) -> None:
            """Nothing to close."""

    for share, propensity in ((None, 1.0), (1.0, MOST - evenly(MOST) / 2)):
        made = router(tmp_path, exploration=share)
        made.add_sink(Kept())
        ask(made, Request(("hello",), id=IDS[0]))
        assert records.pop()["plan"]["propensity"] == pytest.approx(propensity)


def test_a_conversation_is_not_tried_out(tmp_path: Path) -> None:
    made = router(tmp_path, exploration=1.0)
    first = ask(made, Request(("hello",))).outcome
    assert first is not None
    plans = [made.explain(Request(("hello", "ok", "and now?"), turns=2)) for _ in range(20)]
    assert {plan.propensity for plan in plans} == {1.0}


def test_a_request_that_no_model_can_take_is_refused_as_without_exploration(tmp_path: Path) -> None:
    made = router(tmp_path, exploration=1.0)
    refused = Request(("hello",), routing=Routing(require_tags=("nobody has it",)))
    with pytest.raises(NoEligibleModel, match="require_tags"):
        ask(made, refused)
    assert {refusal.rule for refusal in made.explain(refused).refusals} == {"require_tags"}


def test_without_money_only_what_costs_no_more_is_tried(tmp_path: Path) -> None:
    made = router(tmp_path, exploration=1.0, exploration_usd_per_day=0)
    free = router(tmp_path, price=0.0, exploration=1.0, exploration_usd_per_day=0)
    assert all(made.explain(Request(("hello",), id=id)).chosen.id == "a" for id in IDS[:50])
    assert mostly(free, IDS[:50])


def test_a_trial_whose_money_others_spend_since_it_was_drawn_is_not_made(tmp_path: Path) -> None:
    """A hundred threads that decide at the same moment all see the same money left."""
    made = router(tmp_path, price=100.0, exploration=1.0, exploration_usd_per_day=0.01, seed=7)
    plans = [made.explain(Request(("hello",), id=id)) for id in IDS[:100]]
    assert mostly(made, IDS[:100]), "each would be made if it came first"
    explorer = made.planner.explorer
    assert explorer is not None
    costs = {c.id: c.cost_usd or 0.0 for c in plans[0].candidates}
    extra = round((costs["b"] - costs["a"]) * 1e12)
    drawn = [ExplorationChoice(1, 0.5, extra, "tried") for _ in IDS]
    paid = sum(explorer.pays(each, made.clock.now()) for each in drawn)
    assert 0 < paid * extra <= 1e10 < (paid + 1) * extra


def test_who_finds_the_money_gone_asks_the_pick(tmp_path: Path) -> None:
    made = router(tmp_path, price=100.0, exploration=1.0, exploration_usd_per_day=0.01, seed=7)

    class SpentSince(LocalExplorationBudget):
        def took(self, amount: int, now: float) -> bool:
            while super().took(1_000_000_000, now):
                pass
            return super().took(amount, now)

    assert made.planner.explorer is not None
    made.planner.explorer._money = SpentSince(10**10)
    assert made.explain(Request(("hello",), id="x")).chosen.id != "a"
    outcome = ask(made, Request(("hello",), id="x")).outcome
    assert outcome is not None
    assert outcome.model == "a"
    assert not outcome.reason.startswith("tried")


def test_what_a_trial_would_cost_is_asked_for_where_there_is_less(tmp_path: Path) -> None:
    """A process is lent a part of the day's money, which may be less than the cheapest trial costs."""
    made, wanted = router(tmp_path, price=100.0, exploration=1.0, exploration_usd_per_day=0.01), list[int]()

    class Lent(LocalExplorationBudget):
        def wants(self, amount: int) -> None:
            wanted.append(amount)

    assert made.planner.explorer is not None
    made.planner.explorer._money = Lent(1)
    plan = made.explain(Request(("hello",), id="x"))
    costs = {c.id: c.cost_usd or 0.0 for c in plan.candidates}
    assert plan.chosen.id == "a"
    assert wanted == [round((min(costs["b"], costs["c"]) - costs["a"]) * 1e12)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_child_that_is_forked_while_money_is_counted_counts_on() -> None:
    money = LocalExplorationBudget(100)
    with money._lock:  # as another thread may
        child = os.fork()
        if child == 0:
            asking = threading.Thread(target=money.left, args=(0.0,), daemon=True)
            asking.start()
            asking.join(5)
            os._exit(1 if asking.is_alive() else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
