"""What the endpoint raises is understood by the classifier, and keeps what it knows when it is pickled."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from capability_router.endpoints import error_answers
from capability_router.endpoints.errors import (
    EndpointConnectionError,
    EndpointError,
    EndpointReplyError,
    EndpointStatusError,
    EndpointStreamError,
    EndpointTimeout,
)
from capability_router.faults import classify


def refused(status: int, error: Any = None, **headers: str) -> EndpointError:
    body = error if isinstance(error, bytes) else json.dumps({"error": error}).encode()
    return error_answers.refusal(status, body).error("m", b"", "", status, headers, "")


def event(error: Any) -> EndpointError:
    return error_answers.error_event(error).error("m", b"", "", 200, {}, "")


LONG = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused(429, {"message": "Rate limit reached", "code": "rate_limit_exceeded"}), "rate_limited"),
        (refused(429, {"message": "You exceeded your current quota", "code": "insufficient_quota"}), "quota_exhausted"),
        (refused(402, {"message": "Insufficient Balance"}), "quota_exhausted"),
        (refused(400, {"message": LONG, "code": "context_length_exceeded"}), "context_overflow"),
        (refused(400, {"message": "prompt is too long: 210000 tokens > 200000 maximum"}), "context_overflow"),
        (refused(400, {"message": "no", "code": "content_filter"}), "content_filtered"),
        (refused(400, {"message": "no", "type": "invalid_request_error"}), "bad_request"),
        (refused(400, {"message": "no", "code": "unsupported_parameter"}), "unsupported"),
        (refused(401, {"message": "Incorrect API key provided"}), "auth"),
        (refused(404, {"message": "no", "code": "model_not_found"}), "not_found"),
        (refused(502, b"<html>"), "server_error"),
        (refused(503, b""), "overloaded"),
        (event({"message": "Overloaded", "type": "overloaded_error"}), "overloaded"),
        (event({"message": "Provider returned error", "code": 429}), "rate_limited"),
        (event({"type": "server_error"}), "server_error"),
        (error_answers.not_a_reply("an HTML page").error("m", b"", "", 200, {}, ""), "server_error"),
        (EndpointTimeout("m", clock="first_token"), "timeout"),
        (EndpointConnectionError("m"), "connection"),
    ],
)
def test_every_error_has_its_kind(error: EndpointError, kind: str) -> None:
    assert classify(error).kind == kind


def test_hints_reach_the_classifier() -> None:
    assert classify(refused(429, {"message": "slow down"}, **{"retry-after": "3"})).retry_after_s == 3
    assert classify(refused(400, {"message": LONG, "code": "context_length_exceeded"})).window == 8192


@pytest.mark.parametrize(
    "error",
    [
        EndpointStatusError("a", model="m", status_code=429, code="c", type="t", headers={"retry-after": "1"}),
        EndpointStreamError("a", status_code=500),
        EndpointReplyError("a", request_id="r"),
        EndpointTimeout("a", clock="total", limit_s=2.0, model="m"),
        EndpointConnectionError("a"),
    ],
)
def test_errors_survive_pickling(error: EndpointError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_a_body_nested_too_deep_to_be_read_is_told_by_its_status() -> None:
    assert classify(refused(503, b'{"error":' * 9_000)).kind == "overloaded"


def test_what_was_being_handled_meanwhile_does_not_hide_what_the_server_meant() -> None:
    """An event without a status or a known code is followed to its context, which is the caller's own affair."""
    event = error_answers.error_event({"message": "prompt is too long: 9 tokens > 4096 maximum"})
    error = event.error("m", b"prompt is too long: tokens maximum 4096", "", 200, {}, "")
    error.__context__ = ValueError("the caller's own")
    told = classify(error)
    assert (told.kind, told.window) == ("context_overflow", 4096)
