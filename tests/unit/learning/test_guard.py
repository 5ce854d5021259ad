"""Learned picks against the best fixed model, on scores that came in."""

from __future__ import annotations

import logging
from random import Random

import pytest

from capability_router.learning.guard import LEAST, WINDOW, BaselineGuard, PlanPrediction
from capability_router.learning.tenants import hashed

MODELS = ("cheap", "dear")


def foreseen(pick: str, quality: float = 0.9, other: float = 0.6) -> PlanPrediction:
    """The pick is thought to be better than the other; both cost nothing."""
    qualities = [quality if model == pick else other for model in MODELS]
    return PlanPrediction(pick, MODELS, tuple(qualities), (0.0, 0.0))


def taught(guard: BaselineGuard, count: int, chance: dict[str, float], seed: int = 1) -> list[str]:
    """Learned picks go either way by the toss of a coin; who answers is the pick, or the fixed model."""
    dice, asked = Random(seed), []
    for _ in range(count):
        pick = dice.choice(MODELS)
        model = guard.fixed or pick
        asked.append(model)
        guard.note(foreseen(pick), model, float(dice.random() < chance[model]))
    return asked


def test_picks_that_are_worse_than_one_model_always_give_way_to_it(caplog: pytest.LogCaptureFixture) -> None:
    guard = BaselineGuard()
    with caplog.at_level(logging.INFO, "capability_router"):
        asked = taught(guard, WINDOW, {"cheap": 0.3, "dear": 0.9})
    assert guard.fixed == "dear"
    assert asked[-40:] == ["dear"] * 40
    assert set(asked[:LEAST]) == set(MODELS), "nothing is said of few scores"
    assert len(caplog.records) == 1
    assert "always using dear would have been worth" in caplog.text
    assert "quality points more per request than the learned choices, with cost and latency counted" in caplog.text
    below, error, count = guard.told
    assert below > error > 0.0
    assert count <= WINDOW


@pytest.mark.parametrize("targets", [False, True])
def test_under_a_target_a_cheaper_model_of_less_quality_is_no_reason_to_leave_the_picks(targets: bool) -> None:
    """At the price of quality that keeps the target, both are worth the same but for chance."""
    guard, dice = BaselineGuard(targets=targets), Random(4)
    for number in range(WINDOW):
        told = PlanPrediction("dear", MODELS, (0.5, 0.9), (0.0, -0.5))
        guard.note(told, "dear" if number % 4 else "cheap", float(dice.random() < (0.9 if number % 4 else 0.5)))
    assert guard.fixed == (None if targets else "cheap")


def test_where_nobody_names_tenants_none_is_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    for tenant in ("", "acme"):
        guard, dice = BaselineGuard(), Random(1)
        for number in range(WINDOW):
            pick = dice.choice(MODELS)
            score = float(dice.random() < {"cheap": 0.3, "dear": 0.9}[pick])
            guard.note(foreseen(pick), pick, score, f"{number}", hashed(tenant))
    told = [record.getMessage() for record in caplog.records]
    assert ["for the tenant" in each for each in told] == [False, True]


def test_under_a_target_a_better_model_is_still_used_instead() -> None:
    guard = BaselineGuard(targets=True)
    taught(guard, WINDOW, {"cheap": 0.3, "dear": 0.9})
    assert guard.fixed == "dear"


def test_it_ends_when_what_showed_it_has_left_the_window(caplog: pytest.LogCaptureFixture) -> None:
    guard = BaselineGuard()
    taught(guard, WINDOW, {"cheap": 0.3, "dear": 0.9})
    caplog.clear()
    with caplog.at_level(logging.INFO, "capability_router"):
        for _ in range(2 * WINDOW):
            if guard.fixed is None:
                break
            guard.note(foreseen("cheap"), "dear", 0.6)
    assert guard.fixed is None
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_a_corrected_score_replaces_the_first_and_a_request_counts_once() -> None:
    guard = BaselineGuard()
    for said in (True, False):
        for number in range(LEAST + 8):
            pick = MODELS[number % 2]
            wrong = float((pick == "dear") == said)
            guard.note(foreseen(pick) if said else None, pick, wrong, str(number))
        assert guard.fixed == ("dear" if said else "cheap")
        assert guard.told.requests == LEAST + 8


def test_of_a_request_without_a_plan_nothing_is_compared() -> None:
    guard = BaselineGuard()
    for number in range(LEAST + 8):
        guard.note(None, "dear", 1.0, str(number))
    assert guard.told.requests == 0


def test_picks_that_are_as_good_as_they_are_thought_stay() -> None:
    guard = BaselineGuard()
    taught(guard, 2 * WINDOW, {"cheap": 0.9, "dear": 0.9})
    assert guard.fixed is None


def test_picks_that_are_right_are_hardly_ever_held_back() -> None:
    """Two trades, in each of which one model is better by 0.1, and known to be."""
    dice, held, requests = Random(5), 0, 10_000
    guard = BaselineGuard()
    for _ in range(requests):
        pick = dice.choice(MODELS)
        model = guard.fixed or pick
        held += guard.fixed is not None
        good = 0.65 if model == pick else 0.55
        guard.note(foreseen(pick, 0.65, 0.55), model, float(dice.random() < good))
    assert held < 0.05 * requests


def test_what_a_model_costs_counts_at_the_price_of_quality() -> None:
    guard, dice = BaselineGuard(), Random(2)
    for _ in range(WINDOW):
        pick = dice.choice(MODELS)
        good = {"cheap": 0.5, "dear": 0.8}[pick]
        guard.note(foreseen(pick, 0.8, 0.7)._replace(rest=(0.0, -0.7)), pick, float(dice.random() < good))
    assert guard.fixed == "cheap"


def test_a_model_that_was_hardly_asked_is_no_fixed_model() -> None:
    guard, dice = BaselineGuard(), Random(3)
    for _ in range(WINDOW):
        guard.note(foreseen("cheap", 0.9, 0.88), "cheap", float(dice.random() < 0.2))
    assert guard.fixed is None, "nothing but a prediction says that the other is better"


def test_a_request_that_two_processes_tell_of_counts_once() -> None:
    guard, told = (
        BaselineGuard(),
        [(foreseen("cheap"), "dear", float(n % 2), f"request {n}", "t") for n in range(LEAST)],
    )
    for each in [*told, *told]:
        guard.note(*each)
    assert guard.told.requests == LEAST
    guard.renew([*told, *told])
    assert guard.told.requests == LEAST


def test_what_a_model_was_worth_before_it_changed_holds_nobody_to_it() -> None:
    guard = BaselineGuard()
    taught(guard, WINDOW, {"cheap": 0.3, "dear": 0.9})
    assert guard.fixed == "dear"
    guard.changed("dear")
    assert guard.fixed is None
    taught(guard, WINDOW, {"cheap": 0.9, "dear": 0.3})
    assert guard.fixed == "cheap"


def test_what_can_not_matter_moves_nothing_though_no_score_differs_from_another() -> None:
    guard = BaselineGuard()
    for number in range(WINDOW):
        pick = MODELS[number % 2]
        guard.note(PlanPrediction(pick, MODELS, (0.5, 0.5), (0.0, -0.008)), pick, 0.5)
    assert guard.fixed is None
    for number in range(WINDOW):
        pick = MODELS[number % 2]
        guard.note(PlanPrediction(pick, MODELS, (0.5, 0.5), (0.0, -0.08)), pick, 0.5)
    assert guard.fixed == "cheap"


def flooded(guard: BaselineGuard, hostile: int, tenants: tuple[str, ...]) -> None:
    """Scores of others that show right picks, and then a tenant to whose scores the cheap model is the best."""
    dice = Random(3)
    for number in range(WINDOW):
        asked, hostiles = MODELS[number % 2], number >= WINDOW - hostile
        score = float(asked == "cheap") if hostiles else float(dice.random() < (0.9 if asked == "dear" else 0.6))
        guard.note(foreseen("dear"), asked, score, f"r{number}", "h" if hostiles else tenants[number % len(tenants)])


@pytest.mark.parametrize("tenants", [("a",), ("a", "b", "c")])
def test_the_scores_of_one_tenant_bind_the_others_to_no_model(tenants: tuple[str, ...]) -> None:
    guard = BaselineGuard()
    flooded(guard, 90, tenants)
    assert guard.told.points > guard.told.error, "by all scores it would be"
    assert guard.fixed is None


def test_the_verdict_of_who_gave_most_of_the_scores_is_for_it_and_for_who_gave_none() -> None:
    guard = BaselineGuard()
    flooded(guard, 120, ("a",))
    assert (guard.fixed, guard.only) == ("cheap", "h")
    asking = (("h", True), ("a", True), ("new", False))
    assert [guard.fixed_for(tenant, scored=scored) for tenant, scored in asking] == ["cheap", None, "cheap"]
    again = BaselineGuard()
    again.renew((foreseen("dear"), each.asked, each.score, each.id, each.tenant) for each in guard._scored)
    assert [again.fixed_for(tenant, scored=scored) for tenant, scored in asking] == ["cheap", None, "cheap"]


def test_what_the_scores_of_all_tenants_show_holds() -> None:
    guard, dice = BaselineGuard(), Random(1)
    for number in range(WINDOW):
        asked = MODELS[number % 2]
        guard.note(foreseen("cheap"), asked, float(dice.random() < (0.3, 0.9)[number % 2]), "", f"t{number % 4}")
    assert guard.fixed == "dear"
