"""Evaluation beside the traffic: who is asked, where, within which bounds, and what becomes of the score."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from unit.evaluation.judged import ALL, closed, made

from capability_router import ConfigError, Price, Request
from capability_router.evaluation import loop_thread
from capability_router.evaluation.answer import Answer
from capability_router.evaluation.grade import Ungraded
from capability_router.request import Finish, Reply
from capability_router.router import Router
from capability_router.testing import ScriptedEndpoint, ask, assert_books_balanced, scripted_router


@contextmanager
def held() -> Iterator[tuple[Any, threading.Event]]:
    """An evaluator that waits until it may go on."""
    go = threading.Event()

    def judge(request: Request, answer: Answer) -> float:
        assert go.wait(10)
        return 1.0

    try:
        yield judge, go
    finally:
        go.set()


def test_a_score_comes_as_feedback_does_and_says_whose_it_is() -> None:
    seen: list[tuple[Request, Answer]] = []
    router, records = made(lambda request, answer: seen.append((request, answer)) or 0.25, policy="adaptive")
    before = router.explain(Request(("hello",))).candidates[0].quality
    run = ask(router)
    assert closed(router) == {"scored": 1}
    ((request, answer),) = seen
    assert request is run.request
    assert (answer.text, answer.model, answer.finish) == ("yes", "a", "stop")
    assert "yes" not in repr(answer)
    (row,) = records.of("feedback")
    assert (row["request_id"], row["model"], row["score"], row["source"]) == (run.request.id, "a", 0.25, "evaluator")
    moved = {c.id: c.quality for c in router.explain(Request(("hello",))).candidates}
    assert moved["a"] < before


def test_a_stream_is_scored_by_all_of_it() -> None:
    texts: list[str] = []
    router, _ = made(lambda request, answer: texts.append(answer.text) or True)
    router.scripted["a"].steps = ["ok"]  # type: ignore[attr-defined]  # its script
    ask(router, stream=True)
    assert closed(router) == {"scored": 1}
    assert texts == ["one two three"]


def test_without_an_evaluator_nothing_is_there() -> None:
    router = scripted_router({"a": ["ok"]})
    ask(router)
    assert router.evaluations() == {}
    assert not router.settings.budgets


def test_the_share_is_drawn_from_the_requests_id() -> None:
    def sampled() -> set[str]:
        seen: set[str] = set()
        router, _ = made(lambda request, answer: seen.add(request.id), {"share": 0.3, "waiting": 1_000})
        for number in range(200):
            ask(router, Request(("hello",), id=f"request {number}"))
        router.close()
        return seen

    first = sampled()
    assert len(first) == pytest.approx(60, abs=20)
    assert sampled() == first


def test_an_answer_that_nobody_got_is_not_scored() -> None:
    router, _ = made(lambda request, answer: 1.0)
    run = router.start(Request(("hello",), stream=True), ScriptedEndpoint(router.scripted, router.clock, stream=True))  # type: ignore[attr-defined]  # its script
    chunks = iter(run)
    next(chunks)
    chunks.close()
    assert closed(router) == {}


def test_nobody_waits_for_it_and_the_queue_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    with held() as (judge, go):
        router, _ = made(judge, {**ALL, "at_once": 2, "waiting": 3})
        for _ in range(9):
            assert ask(router).outcome is not None
        counted = router.evaluations()
        assert (counted["under_way"], counted["waiting"], counted["dropped"]) == (2, 3, 4)
        go.set()
        assert closed(router) == {"scored": 5, "dropped": 4}
    assert caplog.text.count("3 wait already") == 1


def broken(request: Request, answer: Answer) -> float:
    raise ZeroDivisionError(f"{request.texts} {answer.text} secret")


def leaving(request: Request, answer: Answer) -> float:
    raise SystemExit("secret")


@pytest.mark.parametrize(
    ("evaluator", "kind", "told"),
    [
        (broken, "ZeroDivisionError", "raised ZeroDivisionError"), (leaving, "RuntimeError", "raised RuntimeError"),
        (lambda request, answer: "secret", "no_score", "gave a str"), (lambda r, a: 7, "out_of_range", "gave 7"),
        (lambda request, answer: float("nan"), "nan", "NaN"),
    ],
    ids=["raises", "exits", "text", "seven", "nan"],
)  # fmt: skip
def test_what_goes_wrong_in_it_is_counted_told_once_and_holds_no_text(
    evaluator: Any, kind: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    router, records = made(evaluator)
    assert [ask(router, "secret").outcome.ok for _ in range(3)] == [True] * 3  # type: ignore[union-attr]  # it is over
    counted = closed(router)
    assert counted == {"failed": 3, "failures": {kind: 3}}
    assert caplog.text.count(told) == 1
    assert "secret" not in caplog.text
    assert records.of("feedback") == []


def test_no_opinion_is_none() -> None:
    router, records = made(lambda request, answer: None)
    ask(router)
    assert closed(router) == {"no_opinion": 1}
    assert records.of("feedback") == []


def test_the_users_score_is_not_replaced() -> None:
    with held() as (judge, go):
        router, records = made(judge)
        run = ask(router)
        router.feedback(run.request.id, 0.0)
        go.set()
        assert closed(router) == {"too_late": 1}
    assert [(row["score"], row["source"]) for row in records.of("feedback")] == [(0.0, "user")]


# -- where it works -------------------------------------------------------------------------------


async def asked(router: Router) -> None:
    run = router.start(Request(("hello",)), ScriptedEndpoint(router.scripted, router.clock))  # type: ignore[attr-defined]  # its script
    async for _ in run:
        pass


def where() -> tuple[list[tuple[Any, str]], Any]:
    seen: list[tuple[Any, str]] = []

    async def judge(request: Request, answer: Answer) -> float:
        await asyncio.sleep(0)
        seen.append((asyncio.get_running_loop(), threading.current_thread().name))
        return 1.0

    return seen, judge


def test_an_awaited_one_works_in_its_requests_loop() -> None:
    seen, judge = where()
    router, _ = made(judge)

    async def main() -> asyncio.AbstractEventLoop:
        await asked(router)
        await router.aclose()
        return asyncio.get_running_loop()

    loop = asyncio.run(main())
    assert [each[0] for each in seen] == [loop]
    assert router.evaluations()["scored"] == 1


def test_an_awaited_one_of_a_blocking_request_works_in_a_thread() -> None:
    seen, judge = where()
    router, _ = made(judge)
    ask(router)
    ask(router)
    assert closed(router) == {"scored": 2}
    assert {name for _, name in seen} == {"router evaluation"}
    assert len({loop for loop, _ in seen}) == 1, "its clients are at home in one loop"


async def test_a_blocking_one_does_not_block_the_loop() -> None:
    with held() as (judge, go):
        router, _ = made(judge)
        await asyncio.wait_for(asked(router), 5)
        await asyncio.sleep(0)
        go.set()
        await router.aclose()
    assert router.evaluations()["scored"] == 1


def test_a_function_that_gives_an_awaitable_is_awaited() -> None:
    _, judge = where()
    router, _ = made(lambda request, answer: judge(request, answer))
    ask(router)
    assert closed(router) == {"scored": 1}


def test_what_a_loop_leaves_is_counted_and_hinders_nobody() -> None:
    async def judge(request: Request, answer: Answer) -> float:
        await asyncio.Event().wait()
        return 1.0

    router, _ = made(judge, {**ALL, "at_once": 1})

    async def main() -> None:
        await asked(router)
        await asked(router)
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert router.evaluations()["left"] == 2
    _, quick = where()
    router._evaluation._evaluator = router._evaluation._evaluator._replace(ask=quick)  # type: ignore[union-attr]  # it has one
    ask(router)
    assert closed(router) == {"left": 2, "scored": 1}


def test_one_that_takes_too_long_is_given_up() -> None:
    with held() as (judge, _):
        router, _ = made(judge, {**ALL, "deadline_s": 0.05})
        ask(router)
        assert closed(router) == {"failed": 1, "failures": {"TimeoutError": 1}}


def test_one_that_hangs_has_so_many_threads_and_no_more() -> None:
    with held() as (judge, _):
        router, _ = made(judge, {**ALL, "deadline_s": 0.05, "at_once": 2})
        for _ in range(9):
            ask(router)
        assert closed(router) == {"failed": 9, "failures": {"TimeoutError": 4, "hangs": 5}}
        hanging = [each for each in threading.enumerate() if each.name == "router evaluator"]
        assert len(hanging) == 4
    for each in hanging:
        each.join(10)
    ask(router)
    assert closed(router)["scored"] == 1, "they have come back"


def test_one_that_cancels_itself_fails_alone() -> None:
    async def judge(request: Request, answer: Answer) -> float:
        raise asyncio.CancelledError

    router, _ = made(judge, {**ALL, "at_once": 1})
    for _ in range(3):
        ask(router)
    assert closed(router) == {"failed": 3, "failures": {"CancelledError": 3}}


def test_it_goes_on_after_close() -> None:
    router, _ = made(lambda request, answer: 1.0)
    for number in (1, 2):
        ask(router)
        assert closed(router) == {"scored": number}
    for each in threading.enumerate():  # an evaluator's own thread hands its score over before it ends
        if each.name.startswith("router eval"):
            each.join(10)
            assert not each.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_begins_with_none_and_can_evaluate(tmp_path: Path) -> None:
    with held() as (judge, go):
        router, _ = made(judge, {**ALL, "at_once": 1})
        ask(router)
        ask(router)
        child = os.fork()
        if not child:
            go.set()
            before = router.evaluations()["waiting"]
            ask(router)
            router.close()
            (tmp_path / "told").write_text(f"{before} {router.evaluations()['scored']}")
            os._exit(0)
        os.waitpid(child, 0)
        go.set()
        assert closed(router) == {"scored": 2}
    assert (tmp_path / "told").read_text() == "0 1"


def test_what_waits_at_the_end_of_a_process_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with held() as (judge, _), caplog.at_level(logging.INFO):
        router, _ = made(judge)
        ask(router)
        router._evaluation.at_exit()  # type: ignore[union-attr]  # it has one
    assert "1 answers were not evaluated before the process ended; router.close() waits for them" in caplog.text
    router.close()


def test_a_router_that_is_forgotten_leaves_no_evaluation() -> None:
    router, _ = made(lambda request, answer: 1.0)
    ask(router)
    router.close()
    evaluations = [each for each in gc.get_objects() if type(each).__name__ == "Evaluation"]
    assert evaluations
    before = len(evaluations)
    del router, evaluations
    gc.collect()
    assert len([each for each in gc.get_objects() if type(each).__name__ == "Evaluation"]) < before


# -- a shadow's answers ---------------------------------------------------------------------------


def test_both_answers_of_an_executed_shadow_are_scored_whatever_the_share(tmp_path: Path) -> None:
    from capability_router.decision_log.reading import read_log
    from capability_router.report.trials import compared

    cards = {"a": {"price": Price(9, 9)}, "b": {"price": Price(1, 1)}}
    shadow = {"name": "cheapest", "execute": 0.5, "budget_usd": 1}
    router, records = made(
        lambda request, answer: 1.0 if answer.model == "a" else 0.25, {"share": 0.0, "waiting": 1_000},
        cards=cards, shadow=shadow, telemetry={"jsonl": tmp_path / "log.jsonl"},
    )  # fmt: skip
    for _ in range(60):
        own = ScriptedEndpoint(router.scripted, router.clock)  # type: ignore[attr-defined]  # its script
        run = router.start(Request(("hello",)), own, again=partial(ScriptedEndpoint, own.models, router.clock))
        assert "".join(run) == "yes"
        router._shadow_calls.close()
    counted = closed(router)
    called = {row["request_id"]: row["shadow_id"] for row in records.of("shadow")}
    assert 15 < len(called) < 45
    assert counted == {"scored": 2 * len(called)}
    assert {row["request_id"]: row["score"] for row in records.of("feedback")} == dict.fromkeys(called, 1.0)
    scored = {row["request_id"]: (row["shadow_id"], row["score"]) for row in records.of("shadow_score")}
    assert scored == {id: (shadow_id, 0.25) for id, shadow_id in called.items()}
    assert [[*scored] for scored in router._lessons.prior._scored.values()] == [["a"]], "shadows teach nothing"
    (found,) = compared(read_log(tmp_path / "log.jsonl"))
    (line,) = (line for line in found.lines if line.name == "score, called")
    assert (line.now, line.other, line.requests) == (1.0, 0.25, (len(called),) * 2)
    assert_books_balanced(router)


def test_a_pair_whose_answer_a_user_scored_first_is_in_the_comparison_and_teaches_the_users_score(
    tmp_path: Path,
) -> None:
    from capability_router.decision_log.reading import read_log
    from capability_router.report.trials import compared

    cards = {"a": {"price": Price(9, 9)}, "b": {"price": Price(1, 1)}}
    with held() as (judge, go):
        router, records = made(
            judge, {"share": 0.0}, cards=cards, shadow={"name": "cheapest", "execute": 1.0, "budget_usd": 1},
            telemetry={"jsonl": tmp_path / "log.jsonl"},
        )  # fmt: skip
        own = ScriptedEndpoint(router.scripted, router.clock)  # type: ignore[attr-defined]  # its script
        run = router.start(Request(("hello",)), own, again=partial(ScriptedEndpoint, own.models, router.clock))
        assert "".join(run) == "yes"
        router.feedback(run.request.id, 0.0)
        go.set()
        assert closed(router) == {"too_late": 1, "scored": 1}
    told = [(row["model"], row["score"], row["source"]) for row in records.of("feedback")]
    assert told == [("a", 0.0, "user"), ("a", 1.0, "evaluator")]
    (found,) = compared(read_log(tmp_path / "log.jsonl"))
    assert found.facts["scored"] == 1
    assert router._lessons.outcomes.source(run.request.id) == "user"


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evaluator", "told"),
    [
        (7, "must be a function (request, answer)"), (Answer, "Answer is a class; give an instance"),
        (lambda answer: 1.0, "must take (request, answer)"),
        (lambda *, inputs, outputs, reference_outputs: 1.0, "missing a required argument: 'reference_outputs'"),
    ],
    ids=["number", "class", "one", "reference"],
)  # fmt: skip
def test_what_is_no_evaluator_is_told_at_once(evaluator: Any, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        made(evaluator)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("evaluate", "told"),
    [({"share": 2}, "share"), ({"scale": [5, 1]}, "scale"), ({"window": "fort"}, "fort"), ({"shar": 1}, "share")],
    ids=str,
)  # fmt: skip
def test_impossible_settings(evaluate: Any, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        made(lambda request, answer: 1.0, evaluate)
    assert told in str(raised.value)


def test_settings_without_an_evaluator_are_warned_of() -> None:
    router = scripted_router({"a": ["ok"]}, evaluate={"share": 0.5})
    assert any("evaluate is set, but has no effect without evaluator=" in told for told in router.settings.warnings)


def test_a_pickle_has_no_evaluator() -> None:
    router, _ = made(lambda request, answer: 1.0)
    again = pickle.loads(pickle.dumps(router))  # noqa: S301 - our own
    assert again.settings.evaluator is None
    assert again.evaluations() == {}


def test_inputs_and_outputs_are_given_by_name() -> None:
    seen: list[Any] = []

    def judge(*, outputs: str, inputs: str, reference_outputs: str | None = None) -> dict[str, Any]:
        seen.append((inputs, outputs, reference_outputs))
        return {"key": "correct", "score": True}

    router, _ = made(judge)
    ask(router, Request(("be brief", "hello")))
    assert closed(router) == {"scored": 1}
    assert seen == [("be brief\n\nhello", "yes", None)]


def test_an_answer_that_was_refused_is_scored_as_any() -> None:
    router, _ = made(lambda request, answer: answer.finish == "refusal")
    router.scripted["a"].steps = [Reply(finish=Finish.REFUSAL, text="no")]  # type: ignore[attr-defined]  # its script
    ask(router)
    assert closed(router) == {"scored": 1}


def test_without_a_thread_an_answer_is_given_unscored_and_a_later_one_is_scored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for awaited in (False, True):  # in a thread of its own, or in the thread of the loop
        router, _ = made(_awaited if awaited else lambda request, answer: 1.0)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", _no_thread)
            assert ask(router, "one").outcome.ok
        assert router.evaluations()["failures"] == {"no_thread": 1}
        ask(router, "two")
        assert closed(router) == {"failed": 1, "scored": 1, "failures": {"no_thread": 1}}


def test_a_loop_whose_evaluator_finds_no_thread_counts_it_as_over(monkeypatch: pytest.MonkeyPatch) -> None:
    router, _ = made(lambda request, answer: 1.0, {"share": 1.0, "at_once": 1})
    evaluation = router._evaluation
    assert evaluation is not None

    async def asked() -> None:
        with pytest.raises(Ungraded, match="no thread"):
            evaluation._in_thread(lambda: 1.0)

    with monkeypatch.context() as patch:
        patch.setattr(loop_thread, "Thread", _Unstarted)
        for _ in range(4):
            asyncio.run(asked())
    ask(router, "two")
    assert closed(router) == {"scored": 1}


async def _awaited(request: Request, answer: Answer) -> float:
    return 1.0


def _no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


class _Unstarted(threading.Thread):
    start = _no_thread
