"""Real processes that learn together over a store: each score counts once, whatever becomes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

from stores.learning_child import MODELS, made

from capability_router import Router
from capability_router.learning.shared_learner import SharedLearner

CHILD = Path(__file__).with_name("learning_child.py")
PATIENCE_S = 240.0


def child(url: str, who: str, count: int, end: str, *state: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(CHILD), url, who, str(count), end, *state]
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # eight times all cores are too many
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=alone)  # noqa: S603 - our own words


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def ended(process: subprocess.Popen[str]) -> list[str]:
    out, _ = process.communicate("go\n", timeout=PATIENCE_S)
    assert process.returncode == 0
    return [word for word in out.split() if word not in ("ready", "holding")]


def learner(router: Router) -> SharedLearner:
    known = router.planner.learned
    assert isinstance(known, SharedLearner)
    return known


def learned(url: str, state: str = "store") -> Counter[str]:
    """The ids that a new process finds, and how many scores it thinks that they were."""
    router = made(url, state)
    quality = learner(router).quality
    found = Counter(row.id for row in quality.memory.rows)
    assert quality.scored == len(found)
    router.close()
    return found


def test_eight_processes_learn_two_hundred_scores_each_exactly_once(url: str) -> None:
    children = [child(url, f"tenant {number}", 200, "exit" if number % 2 else "close") for number in range(8)]
    with ThreadPoolExecutor(8) as together:
        told = [id for ids in together.map(ended, children) for id in ids]
    assert len(told) == 1_600
    assert learned(url) == Counter(told)
    router = made(url)
    known, marks = learner(router).quality, learner(router).scribe._known.marks
    assert sum(marks.values()) == 1_600
    assert len(known.tenants.known) == 8
    assert set(known.memory.models) == set(MODELS)
    assert [(column == column).sum() for column in known.memory.scores[:1_600].T] == [800, 800]
    plan = router.explain("mend the loop of somebody")
    assert plan.chosen.id == "coder"
    router.close()


def test_scores_are_heard_by_living_processes(url: str) -> None:
    router = made(url)
    assert router.explain("mend the loop").chosen.quality == pytest.approx(0.7, abs=0.1)
    told = ended(child(url, "a tenant", 60, "close"))
    known = learner(router)
    known.scribe.round()
    assert Counter(row.id for row in known.quality.memory.rows) == Counter(told)
    chosen = router.explain("mend the loop").chosen
    assert chosen.id == "coder"
    router.close()


def test_what_was_written_before_a_kill_is_kept_and_nothing_is_there_twice(url: str) -> None:
    told: list[str] = []
    for turn in range(4):
        process = child(url, f"tenant {turn}", 400, "hang")
        go(process)
        assert process.stdout is not None
        told += [process.stdout.readline().strip() for _ in range(40 + 60 * turn)]
        process.kill()  # in the midst of whatever it does: telling, reading, summing up
        told += process.stdout.read().split()
        process.wait()
        process.stdout.close()
        process.stdin.close()  # type: ignore[union-attr]
    asked = {id for id in told if id not in ("ready", "holding")}
    found = learned(url)
    assert set(found.values()) == {1}
    assert set(found) <= asked
    assert len(found) > 0
    more = ended(child(url, "last", 20, "close"))
    assert learned(url) == found + Counter(more)


def test_a_forked_child_has_a_part_of_its_own(url: str) -> None:
    told = ended(child(url, "a tenant", 30, "fork"))
    assert len(told) == 90
    assert learned(url) == Counter(told)
