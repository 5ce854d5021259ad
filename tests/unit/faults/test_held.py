"""What an SDK held of an answer, and left out of the exception that it raised."""

from __future__ import annotations

from typing import Any

import pytest
from unit.faults.shapes import NOW, Response

from capability_router.faults import classify


class SDKError(Exception):
    """Of a package that nobody knows."""


def _raised(status: int, text: str, headers: dict[str, str] | None = None) -> Exception:
    def send() -> Any:
        resp = Response(status, headers or {}, "")
        raise SDKError(text.format(resp.status_code))

    with pytest.raises(SDKError) as caught:
        send()
    return caught.value


@pytest.mark.parametrize(("status", "kind"), [(401, "auth"), (404, "not_found"), (500, "server_error")])
def test_a_refusal_that_the_raising_function_holds_counts_by_its_status(status: int, kind: str) -> None:
    """As ibm_watsonx_ai raises over a refused stream, and Mistral's SDK stumbles over an empty body."""
    assert classify(_raised(status, "request failed"), NOW).kind == kind


def test_its_wait_is_read() -> None:
    assert classify(_raised(429, "request failed", {"retry-after": "7"}), NOW).retry_after_s == 7


def test_an_answer_that_is_no_refusal_tells_nothing() -> None:
    assert classify(_raised(200, "request failed"), NOW).kind == "unknown"


def test_an_error_event_in_a_sentence_is_what_it_says() -> None:
    event = SDKError('Error event occurred.\nReason: {"error": {"code": "overloaded", "message": "busy"}}')
    assert classify(event, NOW).kind == "overloaded"
    assert classify(Exception("InternalServerError: oops"), NOW).kind == "server_error"
