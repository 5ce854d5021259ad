"""Which logs tell what another model would have scored, and what `train` says of those that don't."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

import numpy as np
from click.testing import CliRunner
from unit.learning.comparison.made_up import HARD, one_each, outcomes

from capability_router.cli.main import main
from capability_router.learning.comparison.panel import Panel, chances, panels
from capability_router.learning.comparison.recommendation import remarks, small_panel_recommendation
from capability_router.learning.logs.logged_features import terms_of, with_text
from capability_router.learning.logs.scored_request import ScoredAnswer, ScoredRequest
from capability_router.learning.logs.training_log import read

HARD_WORDS = tuple(what.split()[0] for what in HARD)


def of_kinds(size: int, *, other: float = 0.0) -> list[dict[str, Any]]:
    """Hard requests go to the strong model, others to the weak one; a share to whichever the lot names."""
    dice, told = Random(7), []
    for row in outcomes(size, pays=True):
        hard = row["prompt"].startswith(HARD_WORDS)
        model = dice.choice(("strong", "weak")) if dice.random() < other else "strong" if hard else "weak"
        task = {"task": "hard" if hard else "easy"}
        told.append({**row, "outcomes": {model: row["outcomes"][model]}, "routing": task})
    return told


def written(path: Path, told: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in told), encoding="utf-8")
    return path


def panel_of(tmp_path: Path, told: list[dict[str, Any]], logged: dict[str, float] | None = None) -> Panel:
    """`logged`: by model, with which the log says that it was chosen."""
    rows = read([written(tmp_path / "log.jsonl", told)]).rows
    for row in rows:
        row.chances = {model: logged[model] for model in row.answers if model in logged} if logged else {}
    (panel,) = panels(rows)
    return panel


def reason_of(panel: Panel) -> str:
    found = small_panel_recommendation(panel)
    return "" if found is None else found.reason


def test_where_each_task_always_went_to_one_model_no_model_is_named(tmp_path: Path) -> None:
    found = CliRunner().invoke(main, ["train", str(written(tmp_path / "log.jsonl", of_kinds(300)))])
    assert found.exit_code == 3
    assert "=> Nothing can be estimated" in found.output
    assert "exploration: 0.05" in found.output, "what to change is said"
    assert "300 scored requests, 2 models, each asked for requests of its own" in found.output
    assert "always" not in found.output
    assert "APGR" not in found.output


def test_a_lot_for_a_share_of_each_task_is_enough(tmp_path: Path) -> None:
    panel = panel_of(tmp_path, of_kinds(600, other=0.05))
    assert (reason_of(panel), len(panel.rows), panel.alone) == ("", 600, 0)


@pytest.mark.parametrize(("chance", "reason"), [(1.0, "no_overlap"), (0.95, "")])
def test_a_choice_that_the_log_calls_certain_tells_nothing_of_other_models(
    tmp_path: Path, chance: float, reason: str
) -> None:
    """The words decided, which no task shows: all requests are of one kind."""
    told = [{k: v for k, v in row.items() if k != "routing"} for row in of_kinds(300)]
    panel = panel_of(tmp_path, told, {"strong": chance, "weak": chance})
    assert (reason_of(panel), len(panel.rows)) == (reason, 300)


def of_shadows(size: int, *, alike: bool) -> list[ScoredRequest]:
    """Certain choices; a shadow's choice is called for each tenth that differs. `alike`: weak does what is easy."""
    rows: dict[str, list[ScoredRequest]] = {"strong": [], "weak": []}
    for row in both_asked(size):
        hard = row.kind == "hard"
        row.kind, model = "", "strong" if hard or not alike else "weak"
        rows[model].append(row)
        row.chances = {model: 1.0, "weak": 1.0 if model == "weak" else 0.1}
        kept = ("strong", "weak") if len(rows["strong"]) % 10 == 0 and model == "strong" else (model,)
        row.answers = {name: row.answers[name] for name in kept}
    return [*rows["strong"], *rows["weak"]]


def both_asked(size: int) -> list[ScoredRequest]:
    """Requests with both models' answers, and of their kinds."""
    rows = []
    for told in outcomes(size, pays=True):
        hard, answers = told["prompt"].startswith(HARD_WORDS), told["outcomes"]
        own = {model: ScoredAnswer(each["score"], 50, each["cost_usd"]) for model, each in answers.items()}
        seen = with_text([told["prompt"]], terms_of({}))
        rows.append(
            ScoredRequest(told["id"], "", seen.sketch, seen.size, True, "hard" if hard else "easy", answers=own)
        )
    return rows


def test_a_shadow_s_answers_tell_of_a_model_that_is_never_chosen() -> None:
    (panel,) = panels(of_shadows(600, alike=False))
    assert (reason_of(panel), len(panel.rows)) == ("", 600)
    assert np.allclose(chances(panel), [[1.0, 0.1]]), (
        "the shadow's answers stand for all, the model's own for themselves"
    )


def test_a_shadow_s_answers_tell_nothing_of_requests_for_which_it_chose_alike() -> None:
    """They are of the hard requests alone; of the easy ones the strong model's score is unknown."""
    rows = of_shadows(600, alike=True)
    easy = sum("weak" in row.answers and len(row.answers) == 1 for row in rows)
    (panel,) = panels([*rows, *of_shadows(400, alike=False)])
    assert {row.chances["weak"] for row in panel.rows} == {0.1}
    assert panel.alone == easy


def test_the_chances_of_a_log_are_taken_of_each_request() -> None:
    """One kind: a tenth of the hard requests and half of the easy ones go to the weak model, and none to a third."""
    dice, rows = Random(3), both_asked(600)
    for row in rows:
        chance = 0.1 if row.kind == "hard" else 0.5
        row.kind, row.chances = "", {"strong": 1.0 - chance, "weak": chance}
        model = "weak" if dice.random() < chance else "strong"
        row.answers = {model: row.answers[model]}
    (panel,) = panels(
        [*rows, *(replace(row, id=f"n{row.id}", chances={}, answers={"odd": ScoredAnswer(1.0)}) for row in rows[:40])]
    )
    assert (panel.models, panel.apart, len(panel.rows)) == (["strong", "weak"], ("odd",), 600)
    assert np.allclose(chances(panel), [[row.chances["strong"], row.chances["weak"]] for row in panel.rows])


def test_a_model_that_is_asked_for_one_task_alone_is_left_out_and_the_others_are_compared(tmp_path: Path) -> None:
    told = of_kinds(600, other=0.5)
    for row in told[:60]:
        row["routing"], row["outcomes"] = {"task": "rare"}, {"odd": {"score": 1.0}}
    panel = panel_of(tmp_path, told)
    assert (panel.models, panel.apart, len(panel.rows)) == (["strong", "weak"], ("odd",), 540)
    assert any("left out, because most requests could not go to them: odd" in told for told in remarks(panel))


def test_requests_that_could_go_to_one_model_alone_are_not_compared(tmp_path: Path) -> None:
    told = of_kinds(600, other=0.5)
    for row in told[:60]:
        row["routing"], row["outcomes"] = {"task": "rare"}, {"weak": {"score": 1.0}}
    panel = panel_of(tmp_path, told)
    assert (reason_of(panel), len(panel.rows), panel.alone) == ("", 540, 60)
    assert any(told.startswith("60 further scored requests are not compared") for told in remarks(panel))


def test_a_kind_of_a_few_requests_may_lack_a_model_by_chance(tmp_path: Path) -> None:
    told = one_each(outcomes(300, pays=True))
    for at, row in enumerate(told):
        row["routing"] = {"task": f"task {at // 3}"}
    panel = panel_of(tmp_path, told)
    assert (reason_of(panel), len(panel.rows)) == ("", 300)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"a": 1.0}),
        ({"canary": False}, {}),
        ({"plan": {"chosen": "a", "propensity": 1.0, "refusals": [{"model": "b", "rule": "pin"}]}}, {}),
    ],
    ids=["a policy", "a canary", "a pin"],
)
def test_a_choice_that_another_made_is_not_called_certain(
    tmp_path: Path, fields: dict[str, Any], expected: dict[str, float]
) -> None:
    """A program that pins models by lot, and the lot of a canary, are no part of the policy's own chance."""
    (row,) = read([written(tmp_path / "log.jsonl", decided("x", "a", **fields))]).rows
    assert (row.chances, row.answers) == (expected, {"a": ScoredAnswer(1.0)})


def decided(id: str, model: str, **fields: Any) -> list[dict[str, Any]]:
    """A decision and its score."""
    decision = {
        "schema_version": 1, "kind": "decision", "request_id": id, "at": 1.0, "elapsed_s": 1.0, "attempts": [],
        "model": model, "plan": {"chosen": model, "propensity": 1.0}, **fields,
    }  # fmt: skip
    return [decision, {"schema_version": 1, "kind": "feedback", "request_id": id, "score": 1.0}]


def shadow_of(id: str, model: str) -> list[dict[str, Any]]:
    """A shadow's call, and the score of its answer."""
    called = {
        "schema_version": 1, "kind": "shadow", "request_id": id, "shadow_id": f"{id}-s", "at": 1.0, "elapsed_s": 1.0,
        "attempts": [], "model": model,
    }  # fmt: skip
    score = {"schema_version": 1, "kind": "shadow_score", "request_id": id, "shadow_id": f"{id}-s", "score": 0.0}
    return [called, score]


def test_a_shadow_s_choice_has_the_chance_with_which_it_was_called(tmp_path: Path) -> None:
    """Not where both chose alike, nor of a stream, which no shadow is called for."""
    shadow = {"policy": "cheapest", "chosen": "b"}
    told = [line for n in range(8) for line in decided(f"d{n}", "a", shadow=shadow)]
    told += [line for n in range(2) for line in shadow_of(f"d{n}", "b")]
    told += [*decided("alike", "b", shadow=shadow), *decided("stream", "a", shadow=shadow, stream=True)]
    rows = {row.id: row for row in read([written(tmp_path / "log.jsonl", told)]).rows}
    assert {tuple(rows[f"d{n}"].chances.items()) for n in range(8)} == {(("a", 1.0), ("b", 0.25))}
    assert (rows["alike"].chances, rows["stream"].chances) == ({"b": 1.0}, {"a": 1.0})


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ({"a": 0.7, "b": 0.3}, {"a": 0.7, "b": 0.3}),
        ({"a": 0.9, "b": 0.1}, {"a": 0.7}),
        ({"a": 0.7, "b": 0.7}, {"a": 0.7}),
        (["a"], {"a": 0.7}),
    ],
    ids=["they fit", "another chance of the choice", "more than all", "no object"],
)
def test_the_chances_of_models_that_were_not_chosen_are_read_too(
    tmp_path: Path, listed: object, expected: dict[str, float]
) -> None:
    told = decided("x", "a", plan={"chosen": "a", "propensity": 0.7, "chances": listed})
    (row,) = read([written(tmp_path / "log.jsonl", told)]).rows
    assert row.chances == expected
