"""Which model suits which task: what counts as predicted and as seen, and against whom savings are told."""

from __future__ import annotations

from typing import Any

import pytest
from unit.report.decisions import attempt, decision

from capability_router.report.data import ReportData
from capability_router.report.page import page
from capability_router.report.single_model import Savings
from capability_router.report.task_fit import LEAST, TaskFit, fits, whole

MINI, MID, LARGE = ("mini", 0.6, 0.1), ("mid", 0.85, 0.5), ("large", 0.95, 2.0)


def candidate(name: str, quality: float | None, usd: float | None, **more: Any) -> dict[str, Any]:
    return {"id": name, "quality": quality, "cost_usd": usd, "fallback_usd": 0.0, "held": "", **more}


def planned(*models: tuple[str, float | None, float | None], target: float | None = None) -> dict[str, Any]:
    settings = {} if target is None else {"quality_target": target}
    return {"task": "chat", "candidates": [candidate(*model) for model in models], "settings": settings}


def asked(number: int, model: str, plan: dict[str, Any], fault: str | None = None, pico: int = 10) -> dict[str, Any]:
    return decision(float(number), attempt(model, fault, pico=pico), request_id=f"id-{number}", plan=plan)


def score(number: int, value: float) -> dict[str, Any]:
    return {"schema_version": 1, "kind": "feedback", "request_id": f"id-{number}", "model": "m", "score": value}


def fit(*records: dict[str, Any]) -> TaskFit:
    return whole(fits(ReportData.of(records)).values())


@pytest.mark.parametrize(
    ("used", "target", "predicted"),
    [
        (LARGE, None, 0),  # mid is predicted worse
        (LARGE, 0.8, 10),  # mid reaches what is asked
        (MID, 0.8, 0),  # mini does not, and large is dearer
        (("mid", 0.5, 0.5), None, 10),  # mini is predicted better
    ],
)
def test_a_cheaper_model_is_good_enough_at_the_quality_used_or_asked_for(
    used: tuple[str, float, float], target: float | None, predicted: int
) -> None:
    others = [model for model in (LARGE, MID, MINI) if model[0] != used[0]]
    assert fit(asked(1, used[0], planned(used, *others, target=target))).cheaper_pico == predicted


def test_a_model_that_was_held_back_or_not_eligible_is_no_alternative() -> None:
    plan = planned(LARGE, target=0.8)
    plan["candidates"].append(candidate(*MID, held="breaker open"))
    plan["refusals"] = [{"model": "mini", "rule": "context_window", "detail": ""}]
    found = fit(asked(1, "large", plan))
    assert (found.cheaper_pico, found.predicted_pico) == (0, 10)


def test_a_cheaper_model_that_was_tried_and_failed_is_no_alternative() -> None:
    tried = [attempt("mini", "connection", pico=1), attempt("large", start=1, pico=9)]
    found = fit(decision(1, *tried, plan=planned(MINI, LARGE, target=0.5)))
    assert (found.cheaper_pico, found.predicted_pico) == (0, 10)


def test_what_a_plan_expects_of_others_in_case_of_failure_makes_no_model_dear() -> None:
    plan = planned(MID, target=0.5)
    plan["candidates"].append(candidate("mini", 0.6, 2.1, fallback_usd=2.0))
    assert fit(asked(1, "mid", plan)).cheaper_pico == 10


def test_the_page_tells_what_was_seen_beside_what_was_predicted() -> None:
    dear = [asked(n, "large", planned(LARGE, MINI), pico=10**9) for n in range(LEAST)]
    cheap = [asked(100 + n, "mini", planned(MINI, LARGE), pico=10**8) for n in range(LEAST)]
    scores = [score(n, 1.0) for n in range(LEAST)] + [score(100 + n, 1.0) for n in range(LEAST)]
    told = page([*dear, *cheap, *scores])
    assert "$0 of $0.02200 (0.0 %) went to requests that a cheaper eligible model was predicted to solve." in told
    assert "$0.02000 of $0.02200 (90.9 %) went to requests that one was seen to solve, by scores." in told
    assert fit(*dear, *cheap, *scores).cheaper_seen_pico == 10**9 * LEAST


def test_without_predictions_nothing_is_said() -> None:
    found = fit(asked(1, "large", planned(("large", None, 2.0), ("mini", None, 0.1))))
    assert (found.predicted_pico, found.cheaper_pico) == (0, 0)
    assert "nothing can be said of cheaper models" in page([asked(1, "large", planned(("large", None, 2.0)))])


def test_failures_that_a_stronger_untried_model_was_predicted_to_solve() -> None:
    plan = planned(MINI, MID, LARGE, target=0.8)
    nobody, bad, good = asked(1, "mini", plan, "timeout"), asked(2, "mini", plan), asked(3, "mini", plan)
    found = fit(nobody, bad, good, score(2, 0.0), score(3, 1.0))
    assert (found.failures, found.stronger, found.scored, found.mean_score) == (2, 2, 2, 0.5)
    tried = decision(4, attempt("mini", "timeout"), attempt("large", "timeout", start=1), plan=planned(MINI, LARGE))
    assert fit(tried).stronger == 0, "it was tried, and failed too"
    assert fit(asked(5, "large", planned(LARGE, MID, MINI), "timeout")).stronger == 0


def test_seen_needs_enough_scores_of_both_on_this_task() -> None:
    plan, numbers = planned(LARGE, MINI, target=0.9), range(LEAST)
    dear = [asked(n, "large", plan) for n in numbers]
    cheap = [asked(100 + n, "mini", planned(MINI, LARGE)) for n in numbers]
    scores = [score(n, 1.0) for n in numbers] + [score(100 + n, 1.0) for n in numbers]
    found = fits(ReportData.of([*dear, *cheap, *scores]))["chat", "large"]
    assert (found.cheaper_pico, found.cheaper_seen_pico, found.seen_pico) == (0, 10 * LEAST, 10 * LEAST)
    fewer = fits(ReportData.of([*dear, *cheap, *scores[:-1]]))["chat", "large"]
    assert (fewer.cheaper_seen_pico, fewer.seen_pico) == (0, 0)
    worse = [*scores[:-3], *(score(100 + n, 0.0) for n in numbers[-3:])]
    lost = fits(ReportData.of([*dear, *cheap, *worse]))["chat", "large"]
    assert (lost.cheaper_seen_pico, lost.seen_pico) == (0, 10 * LEAST)


def test_a_shadows_scored_call_is_seen_at_once() -> None:
    call = {
        "schema_version": 1, "kind": "shadow", "at": 1_800_000_009, "request_id": "id-1", "elapsed_s": 1.0,
        "model": "mini", "cost_pico": 1, "attempts": [],
    }  # fmt: skip
    told = {"schema_version": 1, "kind": "shadow_score", "request_id": "id-1", "score": 1.0}
    assert fit(asked(1, "large", planned(LARGE, MINI)), call, told).cheaper_seen_pico == 10
    assert fit(asked(1, "large", planned(LARGE, MINI)), call, {**told, "score": 0.0}).cheaper_seen_pico == 0
    strong = {**call, "model": "large"}
    assert fit(asked(1, "mini", planned(MINI, LARGE)), strong, told, score(1, 0.0)).stronger_seen == 1


def test_tasks_and_models_are_told_apart_the_dearest_first() -> None:
    rows = [asked(1, "mini", planned(MINI)), {**asked(2, "large", planned(LARGE), pico=99), "task": "code"}]
    assert list(fits(ReportData.of(rows))) == [("code", "large"), ("chat", "mini")]


# -- savings --------------------------------------------------------------------------------------


PRICES = {
    "mini": {"input_mtok": 1, "output_mtok": 2},
    "large": {"input_mtok": 10, "output_mtok": 20, "cache_read_mtok": 1},
}


def saved(*records: dict[str, Any], model: str | None = None) -> Savings | None:
    return ReportData.of(records).alone.savings(model)


def test_tokens_are_priced_anew_with_the_strongest_models_price() -> None:
    told = {**attempt("mini", pico=120_000_000), "cache_read_tokens": 40}
    record = decision(1, told, plan=planned(MINI, LARGE), basis={"prices": PRICES}, input_tokens=100, output_tokens=10)
    found = saved(record)
    assert found is not None
    assert found.strongest == "large"
    assert found.always_pico == (60 * 10 + 40 * 1 + 10 * 20) * 10**6
    assert (found.spent_pico, found.requests, found.guessed) == (120_000_000, 1, 0)
    assert found.saved_pico == found.always_pico - 120_000_000


def test_requests_that_the_strongest_could_not_have_taken_are_left_out_on_both_sides() -> None:
    first = decision(1, attempt("mini", pico=5), plan=planned(MINI, LARGE), basis={"prices": PRICES})
    second = decision(2, attempt("mini", pico=7), plan=planned(MINI), basis={"prices": PRICES})
    nobody = decision(3, attempt("mini", "timeout", pico=9), plan=planned(MINI, LARGE), basis={"prices": PRICES})
    found = saved(first, second, nobody)
    assert found is not None
    assert (found.answered, found.requests, found.spent_pico) == (2, 1, 5)


def test_a_log_without_prices_goes_by_what_plans_expected_and_says_so() -> None:
    record = decision(1, attempt("mini", pico=5), plan=planned(MINI, LARGE))
    found = saved(record)
    assert found is not None
    assert (found.always_pico, found.guessed) == (2 * 10**12, 1)
    assert "the log holds no price of it" in page([record, decision(2, attempt("mini", pico=5), plan=planned(MINI))])


def test_who_is_the_strongest() -> None:
    rare = decision(0, attempt("mini", pico=1), plan=planned(MINI, ("rare", 0.99, 9.0)))
    usual = [decision(n, attempt("mini", pico=1), plan=planned(MINI, LARGE)) for n in (1, 2, 3)]
    found = saved(rare, *usual)
    assert found is not None
    assert (found.strongest, found.chosen_by) == ("large", "the highest predicted quality, 0.95 on average")
    dear = saved(decision(1, attempt("mini", pico=1), plan=planned(("mini", None, 1.0), ("x", None, 2.0))))
    assert dear is not None
    assert (dear.strongest, dear.chosen_by) == ("x", "the dearest: nothing predicts quality")
    assert saved(rare, *usual, model="rare") is not None
    assert saved(decision(1)) is None
    assert "Savings against always the strongest model are unknown" in page([decision(1)])


@pytest.mark.parametrize(
    "price", [None, 7, "x", {"input_mtok": -1}, {"input_mtok": 1e300, "output_mtok": 1e300}, {"no": 1}]
)
def test_what_is_no_price_is_none(price: Any) -> None:
    found = saved(decision(1, attempt("mini", pico=5), plan=planned(MINI, LARGE), basis={"prices": {"large": price}}))
    assert found is None or found.guessed == 1
