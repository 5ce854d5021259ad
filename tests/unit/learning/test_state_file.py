"""One file and several who write it: nothing is lost, nothing counts twice, and what was there stays whole."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

from unit.learning.quality.world import MODELS, World

from capability_router.learning.learner import Learner
from capability_router.learning.quality.memory import RequestMemory
from capability_router.learning.quality.model import QualityModel
from capability_router.learning.quality.state import dumped
from capability_router.learning.state_file import StateFile
from capability_router.request import Request


def opened(path: Path) -> Learner:
    """It is fitted when the test says so."""
    learner = Learner.open(path)
    learner._work_out = lambda: None  # type: ignore[method-assign]  # see above
    return learner


def taught(learner: Learner, world: World, count: int, tenant: str = "") -> None:
    for number in range(count):
        request, model = Request((world.prompt(world.kind()),)), MODELS[number % 2]
        learner.scored(request.id, learner.sketch(request), model, float(number % 2), None, tenant)


def test_processes_that_share_a_file_take_each_others_scores_over_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, world = tmp_path / "state.json", World()
    first, second, third = (opened(path) for _ in range(3))
    for turn in range(3):
        for learner, count in ((first, 10), (second, 20), (third, 5)):
            taught(learner, world, count, f"tenant {count}")
            learner.save()
            learner.save()
        assert third.quality.scored == 35 * (turn + 1)
    last = opened(path)
    assert last.quality.scored == len(last.quality.memory) == 105
    counts = {model: level.count for model, level in last.quality.levels.items()}
    assert sum(counts.values()) == pytest.approx(105, abs=3), "they fade a little"
    assert len(last.quality.tenants.known) == 3
    told = [record.getMessage() for record in caplog.records if "another process" in record.getMessage()]
    assert len(told) == 3, "each tells it once"
    assert os.listdir(tmp_path) == ["state.json"]


def test_what_one_has_forgotten_since_does_not_come_back_as_new(tmp_path: Path) -> None:
    path, world = tmp_path / "state.json", World()
    first = opened(path)
    first.quality = QualityModel(RequestMemory(most=20))
    taught(first, world, 20)
    first.save()
    second = opened(path)
    taught(first, world, 60)
    first.save()
    taught(second, world, 1)
    second.quality.memory.rows.reverse()
    second._file._known = "another"  # as if the first had written again meanwhile
    scored = first.quality.scored
    path.write_text(dumped(second.quality), encoding="utf-8")
    first._unsaved = True
    first.save()
    assert first.quality.scored == scored + 1


def score_of(learner: Learner, request: Request) -> list[float]:
    return [result.score for result in learner.quality.memory.of(request.id).values()]


def test_a_score_that_another_process_has_corrected_is_not_set_back(tmp_path: Path) -> None:
    path, world, request = tmp_path / "state.json", World(), Request(("hello",))

    def scored(learner: Learner, score: float) -> None:
        learner.scored(request.id, learner.sketch(request), MODELS[0], score, None, "t")

    first = opened(path)
    scored(first, 0.0)
    first.save()
    second = opened(path)
    scored(first, 0.7)
    first.save()
    taught(second, world, 1)
    second.save()
    assert score_of(second, request) == score_of(opened(path), request) == pytest.approx([0.7])
    scored(first, 0.2)
    first.save()
    scored(second, 0.9)
    second.save()
    assert score_of(opened(path), request) == pytest.approx([0.9]), "of two corrections the one written last"
    assert opened(path).quality.scored == 2


def test_threads_of_many_learners_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    learners = [opened(path) for _ in range(4)]

    def work(number: int) -> None:
        world = World(number)
        for _ in range(5):
            taught(learners[number], world, 4)
            learners[number].save()

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened(path).quality.scored == 80


def test_a_file_that_was_trained_anew_meanwhile_is_taken_over(tmp_path: Path) -> None:
    path, world = tmp_path / "state.json", World()
    learner = opened(path)
    taught(learner, world, 10)
    learner.save()
    trained = QualityModel()
    trained.learn_log(World(5).log(60))
    path.write_text(dumped(trained), encoding="utf-8")
    taught(learner, world, 1)
    learner.save()
    assert opened(path).quality.scored == 71
    assert learner.base is not None
    assert learner.base.scored == 60


OURS = b'{"state": "capability-router quality", "schema": 4, "checksum": "12", "body": '  # and no more of it


def test_what_others_left_damaged_is_kept_aside_and_nothing_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state.json"
    learner = opened(path)
    taught(learner, World(), 10)
    learner.save()
    for damaged in (OURS, OURS + b"\xff\xfe"):
        path.write_bytes(damaged)
        taught(learner, World(2), 1)
        learner.save()
        assert (tmp_path / "state.json.damaged").read_bytes() == damaged
        assert "it is written anew" in caplog.text
        caplog.clear()
    assert opened(path).quality.scored == 12


def test_a_damaged_file_that_another_process_has_mended_is_no_longer_damaged(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(OURS)
    first, second = opened(path), opened(path)
    for learner, scored in ((first, 10), (second, 20)):
        taught(learner, World(scored), 10)
        learner.save()
        assert opened(path).quality.scored == scored
        assert (tmp_path / "state.json.damaged").read_bytes() == OURS


def test_a_link_leads_where_it_led(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    path, whole = tmp_path / "state.json", tmp_path / "volume" / "whole.json"
    whole.write_text(dumped(QualityModel()), encoding="utf-8")
    path.symlink_to(whole)
    learner = opened(path)
    taught(learner, World(), 3)
    learner.save()
    assert path.is_symlink()
    assert opened(whole).quality.scored == 3


def test_a_damaged_file_behind_a_link_is_kept_beside_it_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    path, whole = tmp_path / "state.json", tmp_path / "volume" / "whole.json"
    whole.write_bytes(OURS)
    path.symlink_to(whole)
    learner = opened(path)
    taught(learner, World(), 3)
    learner.save()
    assert (tmp_path / "volume" / "whole.json.damaged").read_bytes() == OURS
    assert path.is_symlink()
    assert opened(path).quality.scored == 3
    assert sorted(os.listdir(tmp_path)) == ["state.json", "volume"]


def test_who_comes_second_with_a_new_file_is_told_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "text"
    mine, told = StateFile(path), list[bytes | None]()

    def made(others: bytes | None) -> str:
        told.append(others)
        if len(told) == 1:
            StateFile(path).write(lambda _: "theirs")
        return "mine"

    mine.write(made)
    assert told == [None, b"theirs"]
    assert path.read_text() == "mine"
    mine.write(made)
    assert told[-1] is None, "nobody has written since"
    assert os.listdir(tmp_path) == ["text"]


def test_drafts_of_processes_that_were_killed_are_taken_away_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "state[1].json"
    names = [
        ".state[1].json.4711.7f00aa", ".state[1].json.4712.7f00aa", ".state[1].json.bak", ".state1.json.4711.7f00aa",
        "state[1].json.4711.7f00aa", ".state[1].json.4711.old.7f00aa",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).write_text("half of it", encoding="utf-8")
    hour_ago = path.parent.stat().st_mtime - 3_600
    for name in (names[0], *names[2:]):
        os.utime(tmp_path / name, (hour_ago, hour_ago))
    StateFile(path).write(lambda _: "whole")
    assert sorted(os.listdir(tmp_path)) == sorted([*names[1:], path.name]), "a draft of just now may be being written"
    assert path.read_text(encoding="utf-8") == "whole"
