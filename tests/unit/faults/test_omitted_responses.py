"""What an SDK held of an answer, and left out of the exception that it raised."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse
from loopback.chat_server import ChatServer, reply
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


def _over_no_stream(status: int) -> Exception:
    """As ChatZhipuAI of langchain-community reads its streams."""

    def read(url: str) -> None:
        with httpx.Client() as client, connect_sse(client, "POST", url, json={}) as source:
            list(source.iter_sse())

    with ChatServer(reply({"error": {"message": "no"}}, status, ["retry-after: 7"])) as server:
        with pytest.raises(httpx.TransportError) as caught:
            read(server.base_url)
        return caught.value


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "auth"), (404, "not_found"), (400, "bad_request"), (503, "overloaded")]
)
def test_a_refused_stream_that_is_said_to_be_no_stream_counts_by_its_status(status: int, kind: str) -> None:
    fault = classify(_over_no_stream(status), NOW)
    assert (fault.kind, fault.status, fault.retry_after_s, fault.started) == (kind, status, 7, False)


def test_an_answer_that_is_said_to_be_no_stream_and_is_no_refusal_is_the_servers_fault() -> None:
    fault = classify(_over_no_stream(200), NOW)
    assert (fault.kind, fault.started) == ("server_error", True)


def test_an_answer_that_is_no_refusal_tells_nothing() -> None:
    assert classify(_raised(200, "request failed"), NOW).kind == "unknown"


class WMLClientError(Exception):
    """As ibm_watsonx_ai 1.8 has it: without arguments, because it is called with keywords alone."""

    def __init__(self, error_msg: str, reason: str) -> None:
        self.error_msg, self.reason = error_msg, reason

    def __str__(self) -> str:
        return f"{self.error_msg}\nReason: {self.reason}"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (" Rate limit reached, try again in 7s", "rate_limited"), (" The model is overloaded", "overloaded"),
        (" Downstream request failed", "server_error"),
        (' {"errors": [{"code": "x"}], "status_code": 500}', "server_error"),
        (" You exceeded your current quota", "quota_exhausted"),
    ],
)  # fmt: skip
def test_an_error_event_of_plain_text_is_what_it_says_and_else_the_servers(said: str, kind: str) -> None:
    fault = classify(WMLClientError(error_msg="Error event occurred during chat stream.", reason=said), NOW)
    assert (fault.kind, fault.started) == (kind, True)
    assert said not in repr(fault)


def test_an_error_event_in_a_sentence_is_what_it_says() -> None:
    event = SDKError('Error event occurred.\nReason: {"error": {"code": "overloaded", "message": "busy"}}')
    assert classify(event, NOW).kind == "overloaded"
    assert classify(Exception("InternalServerError: oops"), NOW).kind == "server_error"
