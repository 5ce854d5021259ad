"""What reaches the caller unchanged, and what counts as a mistake in the calling code."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json

import pytest
from unit.faults.shapes import CASES, build, class_of

from capability_router.endpoints.errors import EndpointStatusError, EndpointTimeout
from capability_router.errors import AllCandidatesFailed, BudgetExceeded, ConfigError, NoEligibleModel, RouterError
from capability_router.faults import is_programming_error, passes_through

GRAPH = ["langgraph.errors:GraphBubbleUp", "builtins:Exception"]


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        SystemExit(1),
        GeneratorExit(),
        asyncio.CancelledError(),
        concurrent.futures.CancelledError(),
        class_of(GRAPH)(),
        class_of(["langgraph.errors:GraphInterrupt", *GRAPH])(),
        class_of(["langgraph.errors:ParentCommand", *GRAPH])(),
        class_of(["trio:Cancelled", "builtins:BaseException"])(),
        RouterError("x"),
        ConfigError("x"),
        BudgetExceeded("x"),
        NoEligibleModel(()),
        AllCandidatesFailed(()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_passes(error: BaseException) -> None:
    assert passes_through(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        TimeoutError(),
        ConnectionError(),
        EndpointStatusError("x", status_code=500),
        EndpointTimeout("x"),
        RuntimeError("CancelledError"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_a_providers_fault_or_a_mistake_does_not_pass(error: BaseException) -> None:
    assert not passes_through(error)


def test_the_real_interrupts_of_langgraph_pass() -> None:
    errors = pytest.importorskip("langgraph.errors")
    assert passes_through(errors.GraphInterrupt())
    assert passes_through(errors.GraphBubbleUp())
    assert not passes_through(errors.GraphRecursionError())


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Unsupported content block type"),
        TypeError("x"),
        KeyError("x"),
        IndexError(),
        AttributeError("x"),
        AssertionError(),
        NotImplementedError(),
        NameError("x"),
        ValueError("prompt is too long: 9 tokens > 8 maximum"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_mistakes_in_the_calling_code(error: BaseException) -> None:
    assert is_programming_error(error)


def _json_error() -> BaseException:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("<html>")
    return caught.value


def _behind_a_status() -> BaseException:
    return build(
        {
            "classes": ["builtins:KeyError"],
            "args": ["choices"],
            "cause": {"classes": ["x:HTTPError", "builtins:Exception"], "attrs": {"status_code": 502}},
        }
    )


@pytest.mark.parametrize(
    "error",
    [
        _json_error(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"),
        _behind_a_status(),
        RuntimeError("x"),
        OSError("x"),
        TimeoutError(),
        ValueError({"message": "busy", "code": 429}),
        class_of(["pydantic_core._pydantic_core:ValidationError", "builtins:ValueError"])(),
        class_of(["some_sdk:BadStatus", "builtins:ValueError"])("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_no_mistake_of_the_caller(error: BaseException) -> None:
    if type(error).__name__ == "BadStatus":
        error.status_code = 503  # type: ignore[attr-defined]  # an SDK's subclass with a status
    assert not is_programming_error(error)


def test_no_provider_fault_of_the_corpus_is_taken_for_a_mistake() -> None:
    taken = {case["id"] for case in CASES if is_programming_error(build(case["raised"]))}
    assert taken == {
        "python-value",
        "python-key",
        "anthropic-no-key-set",
    }  # the last: a TypeError, told by its text alone
