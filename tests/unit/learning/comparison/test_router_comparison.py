"""Whether routing pays, on logs of which that is known."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

import numpy as np
from unit.learning.comparison.made_up import HARD, one_each, outcomes

from capability_router.learning.comparison.cost_estimator import CostEstimator
from capability_router.learning.comparison.held_out import folds_of, foresight
from capability_router.learning.comparison.panel import panels
from capability_router.learning.comparison.recommendation import remarks, small_panel_recommendation, verdict
from capability_router.learning.comparison.router_comparison import MetricEstimate, RouterComparison, contest
from capability_router.learning.logs.scored_request import ScoredAnswer, ScoredRequest
from capability_router.learning.logs.training_log import read

HARD_WORDS = tuple(what.split()[0] for what in HARD)


def rows_of(tmp_path: Path, told: list[dict[str, Any]]) -> list[ScoredRequest]:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in told), encoding="utf-8")
    return read([path]).rows


def judged(tmp_path: Path, told: list[dict[str, Any]]) -> RouterComparison:
    rows = rows_of(tmp_path, told)
    (panel,) = panels(rows)
    return contest(panel, foresight([panel], rows, 2, lambda _: None)[0], draws=60)


def test_where_words_tell_who_is_needed_routing_pays(tmp_path: Path) -> None:
    found = judged(tmp_path, outcomes(400, pays=True))
    learned = found.figures["learned"]
    assert verdict(found).routes
    assert learned["apgr"].value > 0.68  # knowing who is needed is worth 0.74
    assert learned["gap"].value > 0.5
    assert learned["saved"].value > 0.2
    assert learned["gain"].value > 5 * learned["gain"].error > 0
    assert found.figures["random"]["apgr"].value == pytest.approx(0.5)
    assert found.figures["length"]["gain"].value < learned["gain"].value / 2


def test_where_they_tell_nothing_the_best_model_is_named(tmp_path: Path) -> None:
    found = judged(tmp_path, outcomes(400, pays=False))
    told = verdict(found)
    assert (told.routes, told.use, told.reason) == (False, "strong", "no_gain")
    assert abs(found.figures["learned"]["apgr"].value - 0.5) < 4 * found.figures["learned"]["apgr"].error


def test_of_models_that_do_the_same_the_cheapest_is_enough(tmp_path: Path) -> None:
    alike = outcomes(300, pays=False)
    for row in alike:
        row["outcomes"]["weak"]["score"] = row["outcomes"]["strong"]["score"]
    told = verdict(judged(tmp_path, alike))
    assert (told.routes, told.use) == (False, "weak")


def test_one_outcome_per_request_leads_to_the_same_end(tmp_path: Path) -> None:
    every = outcomes(1_200, pays=True)
    found, whole = judged(tmp_path, one_each(every)), judged(tmp_path, every)
    assert not found.panel.whole
    assert verdict(found).routes
    for one, all_ in zip(found.models, whole.models, strict=True):
        assert one.score == pytest.approx(all_.score, abs=0.05)
        assert one.usd == pytest.approx(all_.usd, rel=0.05)
    estimated, true = (each.figures["learned"]["gain"] for each in (found, whole))
    assert abs(estimated.value - true.value) < 4 * estimated.error
    assert "gap" not in found.figures["learned"]  # what nobody saw can't be closed
    assert any("estimated" in told for told in remarks(found.panel))


@pytest.mark.parametrize("pays", [True, False])
def test_a_log_in_which_hard_requests_went_to_the_strong_model_does_not_praise_the_weak_one(
    tmp_path: Path, pays: bool
) -> None:
    dice, told, every = Random(3), [], outcomes(800, pays=pays)
    for row in every:
        model = "strong" if dice.random() < (0.8 if row["prompt"].startswith(HARD_WORDS) else 0.2) else "weak"
        told.append({**row, "outcomes": {model: row["outcomes"][model]}})
    scores = [row["outcomes"]["weak"]["score"] for row in told if "weak" in row["outcomes"]]
    true = np.mean([row["outcomes"]["weak"]["score"] for row in every])
    found = judged(tmp_path, told)
    (weak,) = (point for point in found.models if point.name == "weak")
    plain = abs(np.mean(scores) - true)  # what a mean of the weak model's own scores would be off by
    assert plain > 0.2 or not pays
    assert abs(weak.score - true) < max(0.6 * plain, 0.05)
    assert verdict(found).routes == pays


def test_parts_of_a_lead_that_is_noise_are_no_figures(tmp_path: Path) -> None:
    """They would be in the dozens, or below none."""
    alike = outcomes(300, pays=False)
    for row in alike:
        row["outcomes"]["weak"]["score"] = row["outcomes"]["strong"]["score"]
    found = judged(tmp_path, one_each(alike))
    assert not found.panel.whole
    assert not {"apgr", "cpt50", "cpt80"} & found.figures["learned"].keys()


def test_kinds_that_each_know_one_model_are_told(tmp_path: Path) -> None:
    """Of a few requests each, so that this may be chance."""
    told = one_each(outcomes(300, pays=True))
    for at, row in enumerate(told):
        row["task"] = f"{next(iter(row['outcomes']))} {at // 10}"
    (panel,) = panels(rows_of(tmp_path, told))
    assert any(told.startswith("100%") for told in remarks(panel))


def test_figures_do_not_need_costs(tmp_path: Path) -> None:
    told = outcomes(400, pays=True)
    for row in told:
        for outcome in row["outcomes"].values():
            outcome["cost_usd"] = None
    found = judged(tmp_path, told)
    assert not found.priced
    assert found.figures["learned"]["apgr"].value > 0.68  # knowing who is needed is worth 0.74
    assert np.isnan(found.figures["learned"]["usd"].value)
    assert verdict(found).why.endswith("no costs are logged")
    assert set(found.figures) == {"learned", "best fixed", "random", "length"}


@pytest.mark.parametrize(("costs", "why"), [
    (1, "costs are not compared, because fewer than 30 are logged of weak (1)"), (29, "of weak (29)"), (30, ""),
])  # fmt: skip
def test_a_few_costs_of_a_model_do_not_decide(tmp_path: Path, costs: int, why: str) -> None:
    """One cost is in one fold, and the other folds know nothing of the model's price."""
    told = outcomes(400, pays=True)
    for row in told[costs:]:
        del row["outcomes"]["weak"]["cost_usd"]
    found = judged(tmp_path, told)
    assert (verdict(found).routes, found.priced) == (True, not why)
    assert verdict(found).why.endswith(why or "at each of six cost weights")


def test_costs_that_all_fall_into_one_fold_make_no_figure_a_nan(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, outcomes(400, pays=True))
    folds = folds_of(rows, 2)
    for row in rows:
        if folds[row.id]:
            row.answers["weak"] = row.answers["weak"]._replace(cost_usd=None)
    (panel,) = panels(rows)
    (seen,) = foresight([panel], rows, 2, lambda _: None)
    assert np.isnan(seen.usd).any()
    found = contest(panel, seen, draws=20)
    assert found.priced
    assert found.figures["learned"]["gain"].value > 0.0
    assert all(point.usd > 0.0 for point in found.models)


@pytest.mark.parametrize("usd", [{"strong": 0.01, "weak": 0.0}, {"strong": 0.0, "weak": 0.0}], ids=["one", "both"])
def test_free_models_have_figures_too(tmp_path: Path, usd: dict[str, float]) -> None:
    told = outcomes(300, pays=True)
    for row in told:
        for model, outcome in row["outcomes"].items():
            outcome["cost_usd"] = usd[model]
    found = judged(tmp_path, told)
    learned = found.figures["learned"]
    assert learned["gain"].value > 0
    assert np.isnan(learned["saved"].value) == (usd["strong"] == 0.0)
    assert verdict(found).why.endswith("it is free, so costs are not weighed") == (usd["strong"] == 0.0)
    assert 0.0 < learned["gap"].value <= 1.0 or usd["strong"] == 0.0


@pytest.mark.parametrize(
    ("told", "use", "reason"),
    [
        (
            [{**row, "outcomes": {"only": row["outcomes"]["weak"]}} for row in outcomes(80, pays=True)],
            "only", "one_model",
        ),
        (outcomes(20, pays=True), "strong", "too_few_outcomes"),
        (outcomes(60, pays=True)[:29] + [
            {**row, "outcomes": {"strong": row["outcomes"]["strong"]}} for row in outcomes(90, pays=True, seed=1)
        ], "strong", "too_few_outcomes"),
    ],
)  # fmt: skip
def test_too_little_to_compare_is_told(tmp_path: Path, told: list[dict[str, Any]], use: str, reason: str) -> None:
    (panel,) = panels(rows_of(tmp_path, told))
    found = small_panel_recommendation(panel)
    assert found is not None
    assert (found.routes, found.use, found.reason) == (False, use, reason)


def test_no_row_is_judged_by_what_it_taught(tmp_path: Path) -> None:
    """Scores that follow from the id alone are foreseen by nobody who has not seen them."""
    rows = rows_of(tmp_path, [
        {
            "id": f"q{i}", "prompt": f"word{i} thing{i * 7}",
            "outcomes": {"a": {"score": i * 7919 % 2}, "b": {"score": i * 104729 % 3 // 2}},
        } for i in range(200)
    ])  # fmt: skip
    (panel,) = panels(rows)
    (seen,) = foresight([panel], rows, 5, lambda _: None)
    assert not np.isnan(seen.quality).any()
    assert abs(np.corrcoef(seen.quality[:, 0], panel.scores[:, 0])[0, 1]) < 0.3
    assert set(folds_of(rows, 5).values()) == set(range(5))


def by_chance(size: int, runs: int) -> list[dict[str, Any]]:
    """Each text has its own best model, which no word tells; the whole set is run several times."""
    dice = Random(4)
    rows = [
        {
            "prompt": " ".join("".join(dice.choices("bcdfghklmnprst", k=8)) for _ in range(6)),
            "outcomes": {model: {"score": dice.choice((0.0, 1.0)), "cost_usd": 0.01} for model in ("a", "b")},
        }
        for _ in range(size)
    ]
    return [{**row, "id": f"q{at}-run{run}"} for run in range(runs) for at, row in enumerate(rows)]


def test_a_set_that_was_run_three_times_is_not_foreseen_by_its_other_runs(tmp_path: Path) -> None:
    found = judged(tmp_path, by_chance(120, runs=3))
    assert not verdict(found).routes
    assert abs(found.figures["learned"]["apgr"].value - 0.5) < 4 * found.figures["learned"]["apgr"].error
    assert any(told.startswith("240 of the requests have the text of an earlier one") for told in remarks(found.panel))


def test_running_a_set_three_times_proves_no_more_than_running_it_once(tmp_path: Path) -> None:
    once, thrice = (judged(tmp_path, by_chance(120, runs)) for runs in (1, 3))
    assert thrice.errors == pytest.approx(once.errors)
    assert {m: told.error for m, told in thrice.behind.items()} == pytest.approx(
        {m: told.error for m, told in once.behind.items()}
    )
    errors = [each.figures["best fixed"]["score"].error for each in (once, thrice)]
    assert errors[1] == pytest.approx(errors[0], rel=0.3)
    assert not any("an earlier one" in told for told in remarks(once.panel))


def test_equal_texts_are_in_one_fold_and_rows_without_a_text_go_by_id(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, by_chance(40, runs=3))
    folds = folds_of(rows, 5)
    assert all(len({folds[f"q{at}-run{run}"] for run in range(3)}) == 1 for at in range(40))
    assert set(folds.values()) == set(range(5))
    wordless = [{**row, "prompt": ""} for row in by_chance(40, runs=1)]
    assert set(folds_of(rows_of(tmp_path, wordless), 5).values()) == set(range(5))


def test_a_log_of_a_single_text_gives_a_verdict(tmp_path: Path) -> None:
    found = judged(tmp_path, [{**row, "prompt": "the only question"} for row in outcomes(200, pays=True)])
    assert (verdict(found).routes, verdict(found).reason) == (False, "no_gain")


def test_groups_are_compared_by_themselves(tmp_path: Path) -> None:
    rows = [
        {**row, "dataset": name}
        for name, size in (("x", 40), ("y", 60))
        for row in outcomes(size, pays=True, seed=size)
    ]
    assert [(panel.name, len(panel.rows)) for panel in panels(rows_of(tmp_path, rows))] == [("y", 60), ("x", 40)]


def test_groups_that_are_too_small_are_compared_together(tmp_path: Path) -> None:
    rows = outcomes(400, pays=True)
    for at, row in enumerate(rows):
        row["dataset"] = f"d{at % 10}"
    found = judged(tmp_path, rows)
    assert (found.panel.name, len(found.panel.rows)) == ("10 groups of fewer than 50 requests", 400)
    assert verdict(found).routes


def test_in_small_groups_the_group_may_decide_which_models_are_asked(tmp_path: Path) -> None:
    """An easy group's model would seem better than a hard group's."""
    rows = outcomes(160, pays=True)
    for at, row in enumerate(rows):
        group = at // 40
        row["dataset"] = f"d{group}"
        row["outcomes"] = {f"{model} {group % 2}": told for model, told in row["outcomes"].items()}
    (panel,) = panels(rows_of(tmp_path, rows))
    told = small_panel_recommendation(panel)
    assert told is not None
    assert (told.use, told.reason) == ("", "no_overlap")


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        (MetricEstimate(0.6123, 0.0171), "0.612 ± 0.017"),
        (MetricEstimate(0.0059, 0.00042), "0.0059 ± 0.0004"),
        (MetricEstimate(0.00031, 0.000026), "0.00031 ± 0.00003"),
        (MetricEstimate(-0.0001, 0.004), "0.000 ± 0.004"),
        (MetricEstimate(0.5, 3e-17), "0.500 ± 0.000"),
        (MetricEstimate(0.5, 0.0), "0.500 ± 0.000"),
    ],
)
def test_a_small_error_has_a_digit(figure: MetricEstimate, shown: str) -> None:
    assert figure.shown(3) == shown


def test_a_bill_finds_the_prices_behind_it() -> None:
    sizes = [float(100 + 37 * i % 900) for i in range(60)]
    answers = [
        ScoredAnswer(1.0, 20 + 11 * i % 300, 2e-6 * size + 8e-6 * (20 + 11 * i % 300)) for i, size in enumerate(sizes)
    ]
    assert CostEstimator(sizes, answers).usd(500.0, 100.0) == pytest.approx(0.0018)
    uncounted = CostEstimator(
        sizes,
        [answer._replace(tokens=None, cost_usd=1e-6 * s + 0.01) for s, answer in zip(sizes, answers, strict=True)],
    )
    assert uncounted.usd(500.0, float("nan")) == pytest.approx(0.0105)
    assert np.isnan(CostEstimator(sizes, [answer._replace(cost_usd=None) for answer in answers]).usd(1.0, 1.0))
    assert CostEstimator([1.0], [ScoredAnswer(1.0, 2, 0.5)]).usd(100.0, 100.0) == 0.5
