"""What an ended request teaches, and what it must not: told to the real rooms, and read from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from capability_router import ConfigError
from capability_router.learning.context_windows import ContextWindows
from capability_router.learning.outcomes import AnsweredRequest, Outcomes
from capability_router.learning.output_lengths import OutputLengths
from capability_router.learning.prior import Prior, StatedQuality
from capability_router.learning.token_scales import TokenScales
from capability_router.plan import Candidate, Plan
from capability_router.policies.affinity import Affinity, StickyModel
from capability_router.policies.lessons import OutcomeLessons
from capability_router.request import AttemptRecord, Outcome, Reply, Request, Usage
from capability_router.testing import scripted_router

ASKED = Request(("hello",))
GOES_ON = Request(("hello", "answer", "and now?"))
USAGE = Usage(2_000, 600)
NOW = 100.0


@pytest.fixture
def lessons() -> OutcomeLessons:
    prior = Prior([StatedQuality("a", {"default": 0.5}, None), StatedQuality("b", {"default": 0.5}, None)])
    return OutcomeLessons(OutputLengths(), TokenScales(), ContextWindows(), prior, Affinity({"a", "b"}), Outcomes())


@pytest.fixture
def plan() -> Plan:
    """1,000 tokens of prose were foreseen for "a", and 2,000 for "b", which is known to count twice as many."""
    made = scripted_router({"a": ["ok"], "b": ["ok"]}).explain(ASKED)
    one, other = made.candidates
    candidates: tuple[Candidate, ...] = (
        one._replace(input_tokens=1_000, scale=1.0), other._replace(input_tokens=2_000, scale=2.0),
    )  # fmt: skip
    return replace(made, candidates=candidates, output_tokens=300, task="chat", bucket="prose")


def ended(
    lessons: OutcomeLessons, plan: Plan, model: str | None = "a", request: Request = ASKED, **fields: Any
) -> None:
    """The request has ended with an answer of this model, or with none."""
    outcome = Outcome("r", model, "scripted", (), "", "single", 0, 1.0, None, USAGE, "stop")
    lessons.ended(request, plan, replace(outcome, **fields), Reply(text="answer"), NOW)


def turned_away(model: str, fault: str = "context_overflow", window: int | None = None) -> AttemptRecord:
    return AttemptRecord(1, model, "scripted", fault, "", 0.0, 1.0, None, Usage(), 0, None, window)


def test_the_conversation_is_at_home_with_who_answered_and_its_prompt_is_cached_there(
    lessons: OutcomeLessons, plan: Plan
) -> None:
    ended(lessons, plan, "b")
    assert lessons.affinity.of(GOES_ON, NOW + 300.0) == StickyModel("b", False, 2_000)
    assert lessons.affinity.of(GOES_ON, NOW + 301.0) == StickyModel("b", False, 0)


def test_a_score_finds_who_answered_and_moves_what_is_believed_of_it(lessons: OutcomeLessons, plan: Plan) -> None:
    request = Request(("hello",))
    ended(lessons, plan, "b", request)
    assert lessons.scored(request.id, 1) == AnsweredRequest("b", "chat")
    believed = lessons.prior.on("chat")
    assert believed["b"].level > 0.5 == believed["a"].level
    with pytest.raises(ConfigError, match="no such answered request"):
        lessons.scored("another", 1.0)


def test_a_request_without_an_answer_teaches_nothing_of_one(lessons: OutcomeLessons, plan: Plan) -> None:
    ended(lessons, plan, None)
    assert lessons.affinity.of(GOES_ON, NOW) == StickyModel("")
    assert lessons.lengths.on("chat").by_model == {}
    with pytest.raises(ConfigError):
        lessons.scored(ASKED.id, 1.0)


def test_answers_teach_their_length_where_they_end_by_themselves(lessons: OutcomeLessons, plan: Plan) -> None:
    ended(lessons, plan, finish="length")
    assert lessons.lengths.on("chat").by_model == {}
    ended(lessons, plan)
    assert 1.0 < lessons.lengths.on("chat").common < lessons.lengths.on("chat").by_model["a"] < 2.0


def test_of_several_answers_the_length_of_one_is_learned(lessons: OutcomeLessons, plan: Plan) -> None:
    three = tuple(candidate._replace(answers=3) for candidate in plan.candidates)
    ended(lessons, replace(plan, candidates=three), usage=Usage(2_000, 900))
    assert lessons.lengths.on("chat").by_model == {"a": 1.0}


def test_models_teach_how_they_count_against_what_was_estimated_without_what_was_learned(
    lessons: OutcomeLessons, plan: Plan
) -> None:
    ended(lessons, plan, "a")
    assert lessons.sizes.on("prose")["a"].factor > 1.0
    ended(lessons, plan, "b", usage=Usage(1_000, 1))
    assert lessons.sizes.on("prose")["b"].factor == 1.0


def test_text_of_which_nothing_is_to_be_learned_teaches_no_counts(lessons: OutcomeLessons, plan: Plan) -> None:
    ended(lessons, replace(plan, bucket=""))
    assert lessons.sizes.on("") == {}
    assert lessons.lengths.on("chat").by_model


@pytest.mark.parametrize("odd", [{"usage": replace(USAGE, estimated=True)}, {"resumed": 1}])
def test_counts_that_are_not_one_models_own_of_one_prompt_teach_no_sizes(
    lessons: OutcomeLessons, plan: Plan, odd: dict[str, Any]
) -> None:
    lessons.windows.turned_away("a", 1_500, None, NOW)
    ended(lessons, plan, **odd)
    assert lessons.sizes.on("prose") == {}
    assert lessons.windows.shown("a", NOW)["too_long"] == 1_500
    assert bool(lessons.lengths.on("chat").by_model) == ("resumed" in odd)


def test_another_model_that_was_asked_for_teaches_nothing_of_the_candidate(lessons: OutcomeLessons, plan: Plan) -> None:
    other = Request(("hello",), model="another")
    lessons.windows.turned_away("a", 1_500, None, NOW)
    ended(lessons, plan, "a", other, attempts=(turned_away("b"),))
    assert lessons.sizes.on("prose") == {}
    assert lessons.windows.shown("a", NOW)["too_long"] == 1_500
    assert lessons.windows.shown("b", NOW)["too_long"] is None


def test_a_longer_prompt_that_was_answered_proves_a_window_wrong(lessons: OutcomeLessons, plan: Plan) -> None:
    lessons.windows.turned_away("a", 1_500, None, NOW)
    lessons.windows.turned_away("b", 1_500, None, NOW)
    ended(lessons, plan)
    assert [lessons.windows.shown(id, NOW)["too_long"] for id in "ab"] == [None, 1_500]


def test_who_turned_a_prompt_away_as_too_long_is_known_for_it_though_nobody_answered(
    lessons: OutcomeLessons, plan: Plan
) -> None:
    attempts = (turned_away("a", "overloaded", 8_192), turned_away("b"))
    ended(lessons, plan, None, attempts=attempts)
    assert lessons.windows.shown("a", NOW) == {"window": None, "too_long": None}
    assert lessons.windows.shown("b", NOW) == {"window": None, "too_long": 2_000}
    ended(lessons, plan, None, attempts=(turned_away("a", window=8_192),))
    assert lessons.windows.shown("a", NOW) == {"window": 8_192, "too_long": None}
    assert lessons.windows.shown("b", NOW + 1_800.0)["too_long"] == 2_100, "the bound is as old as the request"


def test_a_limit_that_nobody_named_may_be_one_of_bytes_where_there_are_images(
    lessons: OutcomeLessons, plan: Plan
) -> None:
    shown = Request(("what is this?",), media=("image",))
    ended(lessons, plan, None, shown, attempts=(turned_away("a"), turned_away("b", window=8_192)))
    assert lessons.windows.shown("a", NOW) == {"window": None, "too_long": None}
    assert lessons.windows.shown("b", NOW) == {"window": 8_192, "too_long": None}


def test_a_score_that_is_given_again_counts_once_and_a_corrected_one_as_it_was_corrected(
    lessons: OutcomeLessons, plan: Plan
) -> None:
    """Whoever presses a button fifty times has said one thing."""
    ended(lessons, plan)
    for score in (1.0, *[0.0] * 50):
        lessons.scored(ASKED.id, score)
    assert lessons.prior.on("chat")["a"].level == pytest.approx(0.5 * 20 / 21)


@pytest.mark.parametrize("number", ["float32(0.5)", "float64(0.5)", "int64(1)"])
def test_an_evaluator_s_numbers_are_numbers(lessons: OutcomeLessons, plan: Plan, number: str) -> None:
    numpy = pytest.importorskip("numpy")
    kind, _, value = number.rstrip(")").partition("(")
    ended(lessons, plan)
    lessons.scored(ASKED.id, getattr(numpy, kind)(float(value)))
    assert lessons.prior.on("chat")["a"].level >= 0.5


@pytest.mark.parametrize("version", ["a-2026", {"name": "a-2026"}, ["a"]])
def test_whatever_a_server_calls_the_model_that_answered_the_answer_is_remembered(
    lessons: OutcomeLessons, plan: Plan, version: Any
) -> None:
    outcome = Outcome("r", "a", "scripted", (), "", "single", 0, 1.0, None, USAGE, "stop")
    lessons.ended(ASKED, plan, outcome, Reply(text="answer", model=version), NOW)
    assert lessons.scored(ASKED.id, 1.0) == AnsweredRequest("a", "chat", version=str(version))


def test_answers_that_are_alike_share_one_record(lessons: OutcomeLessons, plan: Plan) -> None:
    one, other, third = (Request(("hello",)) for _ in range(3))
    ended(lessons, plan, request=one)
    ended(lessons, plan, request=other)
    ended(lessons, plan, "b", request=third)
    assert lessons.scored(one.id, 1.0) is lessons.scored(other.id, 0.0)
    assert lessons.scored(third.id, 1.0).model == "b"
