"""Which version answers behind a model's name, by what replies call it; and what its change does to what is known."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

from unit.learning.quality.world import MODELS, World

from capability_router.learning.guard import BaselineGuard, PlanPrediction
from capability_router.learning.learner import Learner
from capability_router.learning.quality.state import dumped, loaded, state_snapshot, text_of
from capability_router.learning.quality.versions import BACK_IN_A_ROW, IN_A_ROW, ModelVersions
from capability_router.request import Request

OLD, NEW = "gpt-5.4-2026-03-05", "gpt-5.4-2026-08-01"


def told(versions: ModelVersions, *names: str) -> list[str]:
    return [before for name in names if (before := versions.told("m", name))]


def test_another_version_counts_once_several_answers_in_a_row_were_its() -> None:
    versions = ModelVersions()
    assert told(versions, OLD, *[NEW] * (IN_A_ROW - 1), OLD, *[NEW] * (IN_A_ROW - 1)) == []
    assert told(versions, NEW, NEW) == [OLD]
    assert versions.of("m") == NEW
    assert versions.of("another") == ""


def test_an_alias_and_the_version_it_stands_for_are_one() -> None:
    versions = ModelVersions()
    ways = ["gpt-5.4", f"openai/{OLD}", "GPT-5.4", OLD, f"models/{OLD}", "", "gpt-5.4"]
    assert told(versions, *ways * IN_A_ROW) == []
    assert versions.of("m") == OLD, "the longer says more"
    assert told(versions, *[NEW] * IN_A_ROW) == [OLD]
    assert told(ModelVersions(), *["gpt-4"] * 3, *["gpt-4o"] * 3) == ["gpt-4"], "another name is no date"


def test_two_that_take_turns_and_old_answers_that_are_scored_late_change_nothing_more() -> None:
    versions = ModelVersions()
    assert len(told(versions, *([OLD] * 4 + [NEW] * 4) * 30)) == 1
    late = ModelVersions()
    assert told(late, OLD, *[NEW] * IN_A_ROW, *[OLD] * (BACK_IN_A_ROW - 1), NEW) == [OLD]
    assert told(late, *[OLD] * BACK_IN_A_ROW) == [NEW], "but one that was brought back is noticed"


def test_what_a_provider_sends_as_a_name_is_kept_short_and_can_be_printed() -> None:
    versions = ModelVersions()
    told(versions, "x" * 10_000, "\x1b[31mred\n")
    assert len(versions.of("m")) <= 100
    assert versions.known["m"].other == "[31mred"


def opened(path: Path) -> tuple[Learner, World]:
    learner = Learner.open(path)
    learner._work_out = lambda: None  # type: ignore[method-assign]  # it is fitted when the test says so
    return learner, World()


def scored(learner: Learner, world: World, of_twenty: int, version: str, times: int) -> None:
    """So many of twenty answers were right, evenly spread."""
    for number in range(times):
        request, score = Request((world.prompt("bug"),)), float(number * 7 % 20 < of_twenty)
        learner.scored(request.id, learner.sketch(request), MODELS[0], score, None, version=version)


def test_a_new_version_is_told_and_its_scores_outweigh_those_of_the_old_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    learner, world = opened(tmp_path / "state.json")
    scored(learner, world, 18, OLD, 200)
    scored(learner, world, 15, NEW, 60)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert OLD in warnings[0]
    assert NEW in warnings[0]
    quality = learner.quality
    quality.refit()
    assert quality.levels[MODELS[0]].alarms == 0, "no run of scores told it"
    assert quality.levels[MODELS[0]].mean == pytest.approx(0.78, abs=0.03)
    now = quality.memory.scores[: len(quality.memory), quality.memory.column(MODELS[0])]
    assert sum(score == score for score in now.tolist()) == 60, "the old version's are a former model's"


def test_the_same_scores_of_one_version_leave_what_was_known(tmp_path: Path) -> None:
    learner, world = opened(tmp_path / "state.json")
    scored(learner, world, 18, OLD, 200)
    scored(learner, world, 15, OLD, 60)
    assert learner.quality.levels[MODELS[0]].mean > 0.85


def test_the_guard_forgets_the_former_version(tmp_path: Path) -> None:
    learner, world = opened(tmp_path / "state.json")
    guard, foreseen = BaselineGuard(), PlanPrediction(MODELS[1], MODELS[:2], (0.5, 0.5), (0.0, 0.0))
    learner.tell(guard)
    for number in range(200):
        guard.note(foreseen, MODELS[number % 2], float(number % 2 == 0), f"r{number}")
    assert guard.fixed == MODELS[0]
    scored(learner, world, 18, OLD, 5)
    scored(learner, world, 18, NEW, IN_A_ROW)
    assert guard.fixed is None


def test_versions_are_in_the_state_and_a_state_without_them_is_read(tmp_path: Path) -> None:
    learner, world = opened(tmp_path / "state.json")
    scored(learner, world, 18, OLD, 10)
    scored(learner, world, 18, NEW, IN_A_ROW)
    again = loaded(dumped(learner.quality))
    assert again.versions.known == learner.quality.versions.known
    assert again.versions.of(MODELS[0]) == NEW
    body = {key: value for key, value in state_snapshot(learner.quality).items() if key != "versions"}
    assert loaded(text_of(body)).versions.known == {}
