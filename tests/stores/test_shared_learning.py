"""Real processes that learn together over a store: each score counts once, whatever becomes of them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

from stores.learning_child import MODELS, made, score
from unit.learning.quality.world import World

from capability_router import ConfigError, Request, Router, StoreError, routing
from capability_router.clock import ManualClock
from capability_router.learning.quality.model import QualityModel
from capability_router.learning.quality.state import dumped
from capability_router.learning.shared_learner import SharedLearner
from capability_router.learning.tenants import hashed
from capability_router.policies.exploration.budget import SharedExplorationBudget
from capability_router.stores.base import Store
from capability_router.stores.lessons import ScorableAnswer
from capability_router.testing import ask

CHILD = Path(__file__).with_name("learning_child.py")
PATIENCE_S = 240.0


def child(url: str, who: str, count: int, end: str, *state: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(CHILD), url, who, str(count), end, *state]
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # four times all cores are too many
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=alone)  # noqa: S603 - our own words


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def ended(process: subprocess.Popen[str]) -> list[str]:
    out, _ = process.communicate("go\n", timeout=PATIENCE_S)
    assert process.returncode == 0
    return [word for word in out.split() if word not in ("ready", "holding")]


def written(path: Path, seed: int = 1) -> Path:
    """What a log of 200 requests teaches."""
    quality = QualityModel()
    quality.learn_log(World(seed).log(200))
    path.write_text(dumped(quality), encoding="utf-8")
    return path


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


def test_four_processes_learn_two_hundred_scores_each_exactly_once(url: str) -> None:
    children = [child(url, f"tenant {number}", 200, "exit" if number % 2 else "close") for number in range(4)]
    with ThreadPoolExecutor(4) as together:
        told = [id for ids in together.map(ended, children) for id in ids]
    assert len(told) == 800
    assert learned(url) == Counter(told)
    router = made(url)
    known, marks = learner(router).quality, learner(router).scribe._known.marks
    assert sum(marks.values()) == 800
    assert len(known.tenants.known) == 4
    assert set(known.memory.models) == set(MODELS)
    assert [(column == column).sum() for column in known.memory.scores[:800].T] == [400, 400]
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


def test_a_trained_file_is_read_and_never_written(url: str, tmp_path: Path) -> None:
    path = written(tmp_path / "state.json")
    before = path.read_bytes()
    told = ended(child(url, "a tenant", 20, "close", str(path)))
    assert path.read_bytes() == before
    router = made(url, str(path))
    quality = learner(router).quality
    assert {row.id for row in quality.memory.rows} == {*told, *(f"request {n}" for n in range(1, 201))}
    router.close()
    assert learned(url) == Counter(), "who starts from nothing learns in a log of its own"
    other = written(tmp_path / "newer.json", seed=7)
    again = made(url, str(other))
    assert not {row.id for row in learner(again).quality.memory.rows} & set(told)
    again.close()


def test_another_version_of_what_is_written_has_a_log_of_its_own(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ended(child(url, "of today", 10, "close"))
    with monkeypatch.context() as tomorrow:
        tomorrow.setattr("capability_router.learning.shared_learner.FORMAT", 99)
        newer = made(url)
        score(newer, "of tomorrow", 6)
        newer.close()
        assert len(learned(url)) == 6
    assert learned(url) == Counter(told)


def test_a_store_that_can_not_be_written_is_told_once_and_requests_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'router.db'}"
    router = made(url)
    score(router, "a tenant", 4)
    room, known = router.store.lessons, learner(router)

    def full(*_: object) -> None:
        raise StoreError("the store can't be used: database or disk is full")

    with caplog.at_level(logging.WARNING, "capability_router"):
        with monkeypatch.context() as disk:
            disk.setattr(type(room), "append", full)
            score(router, "a tenant", 40)
            for _ in range(3):
                assert not known.scribe._tried(known.scribe.round)
            assert router.explain("mend the loop").chosen.id == "coder"
        assert caplog.text.count("stays in this process until its store is back") == 1
        router.close()
    assert caplog.text.count("is shared again; 0 scores could not be kept") == 1
    assert len(learned(url)) == 44


def test_who_finds_the_store_away_while_another_thread_tells_it_does_not_tell_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = made(f"sqlite:///{tmp_path / 'router.db'}")
    scribe = learner(router).scribe
    told: list[str] = []

    def away(*_: object) -> None:
        raise StoreError("the store is away")

    class Closing(logging.Handler):
        """Has another thread close while the first one is telling."""

        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())
            if len(told) < 3:
                closing = Thread(target=scribe._tried, args=(away,))
                closing.start()
                closing.join(60)

    handler = Closing()
    with monkeypatch.context() as logged:
        logged.setattr(logging.getLogger("capability_router"), "handlers", [handler])
        assert not scribe._tried(away)
    router.close()
    assert len(told) == 1


def test_clocks_that_differ_change_nothing(url: str) -> None:
    routers = [made(url, clock=ManualClock(start)) for start in (0.0, 5e8, 1e9)]
    for number, router in enumerate(routers):
        score(router, f"tenant {number}", 10)
    for router in routers:
        learner(router).scribe.round()
    for router in [*routers, *routers]:
        learner(router).scribe.round()
        assert learner(router).quality.scored == 30
    for router in routers:
        router.close()


def test_the_guard_knows_what_other_processes_scored(url: str) -> None:
    first = made(url)
    guard = first.planner.guard
    assert guard is not None
    ended(child(url, "a tenant", 60, "close"))
    learner(first).scribe.round()
    assert guard.told.requests == 0, "pinned requests leave nothing to choose"
    with routing(tenant="a tenant"):
        for number in range(60):
            request = Request((f"mend the loop {number}",))
            ask(first, request)
            first.feedback(request.id, 1.0)
    first.close()
    second = made(url)
    assert second.planner.guard is not None
    assert second.planner.guard.told.requests == 60
    second.close()


def test_a_damaged_summary_is_told_and_learning_begins_afresh(url: str, caplog: pytest.LogCaptureFixture) -> None:
    router = made(url)
    score(router, "a tenant", 10)
    known = learner(router)
    known.scribe.round()
    known.scribe.overdue = True
    router.close()
    head = router.store.lessons.since(known.scribe.name, 0, 1).head
    found = router.store.lessons.summary(known.scribe.name)
    assert found is not None
    assert router.store.lessons.sum_up(known.scribe.name, found._replace(text=found.text[:-9] + "x" * 9), head.summed)
    with caplog.at_level(logging.WARNING, "capability_router"):
        again = made(url)
    assert "what was learned in the store is damaged (the checksum does not match)" in caplog.text
    score(again, "a tenant", 3)
    again.close()
    assert len(learned(url)) == 3


def test_trials_of_all_processes_share_their_money(shared: Store, clock: ManualClock) -> None:
    one, other = (SharedExplorationBudget(shared.budgets, "router", 1_000_000, clock.unix) for _ in range(2))
    assert one.left(clock.now()) == 0, "nothing was lent yet"
    spent = 0
    for _ in range(400):
        for money in (one, other):
            money.renew(clock.now())
            if (left := money.left(clock.now())) > 0:
                money.took(min(left, 9_999), clock.now())
                spent += min(left, 9_999)
    assert 900_000 < spent <= 1_000_000
    clock.advance(31.0)
    assert (one.left(clock.now()), other.left(clock.now())) == (0, 0), "no loan is for ever"
    clock.advance(86_400.0)
    one.renew(clock.now())
    assert one.left(clock.now()) > 0
    one.renew(clock.now(), final=True)
    assert one.left(clock.now()) == 0


def test_a_trial_dearer_than_a_loan_is_lent_for_if_the_day_has_it(shared: Store, clock: ManualClock) -> None:
    money, other = (SharedExplorationBudget(shared.budgets, "router", 1_000_000, clock.unix) for _ in range(2))
    money.renew(clock.now())
    assert money.left(clock.now()) < 400_000, "a sixteenth"
    money.wants(700_000)
    money.wants(400_000)
    money.renew(clock.now())
    assert 400_000 <= money.left(clock.now()) <= 1_000_000
    assert money.took(400_000, clock.now())
    other.wants(700_000)
    money.renew(clock.now())
    other.renew(clock.now())
    assert other.left(clock.now()) == 0, "the day has not so much left"
    clock.advance(16.0)
    other.renew(clock.now())
    assert other.left(clock.now()) > 0, "and what it has is lent again to who wants less"


def test_feedback_on_another_processes_request_is_learned_as_its_own_is(url: str) -> None:
    ids = ended(child(url, "a tenant", 60, "asks"))
    assert learned(url) == Counter()
    router, records = made(url), list[dict[str, object]]()
    router.add_sink(records.append)
    assert router.explain("mend the loop").chosen.id == "lawyer", "the first one, of two that look alike"
    for number, id in enumerate(ids):
        assert router.feedback(id, float(number % 2)) is True
    assert router.explain("mend the loop").chosen.id == "coder"
    known = learner(router).quality
    assert known.tenants.known.keys() == {hashed("a tenant")}
    assert (known.memory.tokens[:60] > 0).sum() == 60, "and the answers' lengths"
    router.close()
    assert learned(url) == Counter(ids)
    feedback = [(row["request_id"], row["model"]) for row in records if row["kind"] == "feedback"]
    assert feedback == [(id, MODELS[number % 2]) for number, id in enumerate(ids)]
    other = made(url)
    assert other.feedback(ids[0], 1.0) is True, "a second thought, told to yet another process"
    assert learner(other).quality.scored == 60, "counts no further"
    other.close()
    assert learned(url) == Counter(ids)


def quiet(url: str) -> Router:
    """It has no thread: rounds are the test's to make."""
    router = made(url)
    learner(router).scribe.start = lambda: None  # type: ignore[method-assign]  # see above
    return router


def heard(*routers: Router) -> None:
    """What one has taught, the next ones know."""
    for router in routers:
        learner(router).scribe.round()


def answered(router: Router) -> str:
    """The id of a request that left something to choose; its answer is in the store."""
    request = ask(router, Request(("mend the loop",))).request
    learner(router)._answers.flush()
    return request.id


def scores(router: Router, id: str) -> list[float]:
    memory = learner(router).quality.memory
    (at,) = [at for at, row in enumerate(memory.rows) if row.id == id]
    return [score for score in memory.scores[at].tolist() if score == score]


def plans(router: Router) -> int:
    """How many the guard was told of."""
    assert router.planner.guard is not None
    return len(router.planner.guard._scored)


def test_a_users_score_at_another_process_stays_whatever_an_evaluator_says(url: str) -> None:
    home, other = quiet(url), quiet(url)
    id = answered(home)
    assert other.feedback(id, 0.0)
    heard(other, home)
    assert home._evaluated(id, 1.0) is False
    heard(home, other)
    assert scores(home, id) == scores(other, id) == [0.0]
    home.close()
    other.close()


def test_a_users_score_stays_that_the_evaluators_process_has_not_heard_of(url: str) -> None:
    home, other = quiet(url), quiet(url)
    id = answered(home)
    assert other.feedback(id, 0.0)
    heard(other)
    assert home._evaluated(id, 1.0) is True
    heard(home, other)
    late = quiet(url)
    assert [scores(router, id) for router in (home, other, late)] == [[0.0]] * 3
    assert home._evaluated(id, 1.0) is False
    for router in (home, other, late):
        router.close()


def test_an_evaluators_score_gives_way_to_a_users_at_another_process(url: str) -> None:
    home, other = quiet(url), quiet(url)
    id = answered(home)
    assert home._evaluated(id, 1.0) is True
    heard(home, other)
    assert other.feedback(id, 0.0)
    heard(other, home)
    assert scores(home, id) == scores(other, id) == [0.0]
    home.close()
    other.close()


@pytest.mark.parametrize("summed", [False, True])
def test_a_plan_that_came_with_another_processes_score_is_told_of_once(url: str, summed: bool) -> None:
    home, other = quiet(url), quiet(url)
    id = answered(home)
    assert other.feedback(id, 0.0)
    heard(other)
    if summed:  # so long ago that its plan is not among those of late
        scribe = learner(other).scribe
        scribe._known.recent.clear()
        scribe._damaged = True
    heard(other, home)
    before = plans(home)
    assert before == (not summed)
    assert home.feedback(id, 0.5)
    assert plans(home) == before
    assert scores(home, id) == [0.5]
    home.close()
    other.close()


def test_a_plan_that_two_processes_tell_of_at_once_counts_once(url: str) -> None:
    home, other = quiet(url), quiet(url)
    id = answered(home)
    assert home.feedback(id, 1.0)
    assert other.feedback(id, 0.0), "it has not heard of the first score"
    heard(home, other, home)
    assert plans(home) == plans(other) == 1
    third = quiet(url)
    assert plans(third) == 1
    assert scores(home, id) == scores(other, id) == scores(third, id) == [0.0], "the later one in the log"
    assert {learner(router).quality.scored for router in (home, other, third)} == {1}
    for router in (home, other, third):
        router.close()


@pytest.mark.parametrize("summed", [False, True])
def test_signs_give_way_to_a_score_at_another_process(url: str, summed: bool) -> None:
    home, other = quiet(url), quiet(url)
    id, signs = answered(home), home.planner.signs
    assert signs is not None
    for model in MODELS:  # whichever answered
        signs.late("", id, model, "retried")
    assert other.feedback(id, 0.0)
    learner(other).scribe._damaged = summed
    heard(other, home)
    assert sorted(signs._all[model].bad for model in MODELS) == [0.0, 0.25]
    assert home._evaluated(id, 1.0) is False
    home.close()
    other.close()


def test_feedback_that_nobody_can_place_goes_to_the_log_or_is_refused(url: str, tmp_path: Path) -> None:
    router = made(url)
    with pytest.raises(ConfigError, match="no such answered request is remembered here"):
        router.feedback("made up", 1.0)
    with pytest.raises(ConfigError, match="a number from 0 to 1"):
        router.feedback("made up", 2.0)
    records: list[dict[str, object]] = []
    router.add_sink(records.append)
    assert router.feedback("made up", 1) is False
    router.close()
    assert [(row["request_id"], row["model"], row["score"]) for row in records] == [("made up", None, 1.0)]
    assert learned(url) == Counter()


def test_what_is_kept_of_answers_may_be_damaged_or_away(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    router = made(url)
    known, room = learner(router), router.store.lessons
    room.keep(known.scribe.name, [ScorableAnswer("damaged", "0123456789abcdef{}")])
    with pytest.raises(ConfigError, match="no such answered request"):
        router.feedback("damaged", 1.0)
    assert "who answered a request can't be read from the store" in caplog.text

    def away(*_: object) -> None:
        raise StoreError("the store is away")

    caplog.clear()
    with monkeypatch.context() as patch:
        for name in ("keep", "kept", "append", "since"):
            patch.setattr(type(room), name, away)
        with routing(pin="coder"):
            request = ask(router, Request(("mend the loop",))).request
        with pytest.raises(ConfigError):
            router.feedback("elsewhere", 1.0)
        with pytest.raises(StoreError):
            known._answers.flush()
    known._answers.flush()
    assert room.kept(known.scribe.name, request.id) is not None, "it has waited"
    router.close()


def test_without_a_store_that_lasts_there_is_nowhere_to_learn() -> None:
    with pytest.raises(ConfigError, match="needs a store that lasts"):
        made("memory://")
