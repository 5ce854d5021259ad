"""A lesson as it is written: lines of before are read, and a user's is what it was."""

from __future__ import annotations

import json

import pytest

from capability_router.learning.guard import PlanPrediction
from capability_router.learning.sharing.lesson import CorruptLesson, Lesson, line, opened, read, sealed

FORESEEN = PlanPrediction("a", ("a", "b"), (0.5, 0.25), (0.0, -0.5))
LESSON = Lesson("r", "a", 1.0, 12, "acme", None, FORESEEN)
BEFORE = ["r", "a", 1.0, 12, "acme", None, ["a", ["a", "b"], [0.5, 0.25], [0.0, -0.5]]]


def test_a_users_score_is_written_as_it_was_before_and_lines_of_before_are_a_users() -> None:
    assert json.loads(opened(line(LESSON, list))) == BEFORE
    assert read(sealed(json.dumps(BEFORE)), list) == LESSON
    assert LESSON.source == "user"


def test_whose_score_it_is_comes_back() -> None:
    lesson = LESSON._replace(source="evaluator")
    assert read(line(lesson, list), list) == lesson


@pytest.mark.parametrize("source", ["user", "evaluator"])
def test_what_the_reply_called_the_model_comes_back(source: str) -> None:
    lesson = LESSON._replace(source=source, version="m-2026")
    assert read(line(lesson, list), list) == lesson


def test_more_than_a_version_can_not_be_read() -> None:
    with pytest.raises(CorruptLesson):
        read(sealed(json.dumps([*BEFORE, "evaluator", "m-2026", 1])), list)
