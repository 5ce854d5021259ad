"""An answer that came, and over whose end its SDK raised: its caller gets that error, or a better model's answer."""

from __future__ import annotations

import pytest
from unit.execution.gated import GatedEndpoint, GatedModel

from capability_router import AllCandidatesFailed, Request
from capability_router.faults.kinds import Fault
from capability_router.testing import ask, assert_books_balanced, scripted_router


class Ended(Exception):
    """What an SDK raises."""


def ended(kind: str) -> Fault:
    return Fault(kind, answered=True, error=Ended(kind))


@pytest.mark.parametrize(
    ("scripts", "setting", "reaches"),
    [
        ([ended("content_filtered"), "ok"], "return", "content_filtered"),
        (["overloaded", ended("content_filtered")], "return", "content_filtered"),
        ([ended("length"), "overloaded"], "return", "length"),
        ([ended("length"), ended("content_filtered")], "fallback", "length"),
    ],
)
def test_its_error_reaches_the_caller(scripts: list[str | Fault], setting: str, reaches: str) -> None:
    router = scripted_router(dict(zip("ab", ([s] for s in scripts), strict=True)), on_content_filter=setting)
    with pytest.raises(Ended, match=reaches):
        ask(router)
    assert_books_balanced(router)


@pytest.mark.parametrize("kind", ["content_filtered", "length"])
def test_another_model_does_better_where_it_may(kind: str) -> None:
    router = scripted_router({"a": [ended(kind)], "b": ["ok"]}, on_content_filter="fallback")
    assert ask(router).outcome.model == "b"


def test_a_filter_where_a_fallback_was_asked_for_is_a_failure_among_others() -> None:
    router = scripted_router({"a": [ended("content_filtered")], "b": ["overloaded"]}, on_content_filter="fallback")
    with pytest.raises(AllCandidatesFailed):
        ask(router)


def test_an_error_answer_is_told_as_a_failure() -> None:
    with pytest.raises(AllCandidatesFailed):
        ask(scripted_router({"a": [Fault("content_filtered", status=400, error=Ended())]}))


def test_after_the_first_text_nothing_was_interrupted() -> None:
    router = scripted_router({"a": ["ok"]})
    endpoint = GatedEndpoint({"a": GatedModel(("", "one", ended("length")))}, stream=True)
    with pytest.raises(Ended):
        list(router.start(Request(("hi",), stream=True), endpoint))
    assert_books_balanced(router)
