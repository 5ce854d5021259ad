"""Which logs tell what another model would have scored, and what `train` says of those that don't."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

from click.testing import CliRunner
from unit.learning.comparison.made_up import HARD, one_each, outcomes

from capability_router.cli.main import main
from capability_router.learning.comparison.panel import Panel, panels
from capability_router.learning.comparison.verdict import remarks, without_contest
from capability_router.learning.logs.reading import read
from capability_router.learning.logs.scored_request import Answer

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


def panel_of(tmp_path: Path, told: list[dict[str, Any]], chances: dict[str, float] | None = None) -> Panel:
    """`chances`: by model, with which the log says that it was chosen."""
    rows = read([written(tmp_path / "log.jsonl", told)]).rows
    for row in rows:
        row.chances = {model: chances[model] for model in row.answers if model in chances} if chances else {}
    (panel,) = panels(rows)
    return panel


def reason_of(panel: Panel) -> str:
    found = without_contest(panel)
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


def test_a_shadow_s_answers_tell_of_a_model_that_is_never_chosen(tmp_path: Path) -> None:
    every = outcomes(300, pays=True)
    told = [
        row if at % 5 == 0 else {**row, "outcomes": {"strong": row["outcomes"]["strong"]}}
        for at, row in enumerate(every)
    ]
    assert reason_of(panel_of(tmp_path, told, {"strong": 1.0})) == ""


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
    ("fields", "chances"),
    [
        ({}, {"a": 1.0}),
        ({"canary": False}, {}),
        ({"plan": {"chosen": "a", "propensity": 1.0, "refusals": [{"model": "b", "rule": "pin"}]}}, {}),
    ],
    ids=["a policy", "a canary", "a pin"],
)
def test_a_choice_that_another_made_is_not_called_certain(
    tmp_path: Path, fields: dict[str, Any], chances: dict[str, float]
) -> None:
    """A program that pins models by lot, and the lot of a canary, are no part of the policy's own chance."""
    decision = {
        "schema_version": 1, "kind": "decision", "request_id": "x", "at": 1.0, "elapsed_s": 1.0, "attempts": [],
        "model": "a", "plan": {"chosen": "a", "propensity": 1.0}, **fields,
    }  # fmt: skip
    feedback = {"schema_version": 1, "kind": "feedback", "request_id": "x", "score": 1.0}
    (row,) = read([written(tmp_path / "log.jsonl", [decision, feedback])]).rows
    assert (row.chances, row.answers) == (chances, {"a": Answer(1.0)})
