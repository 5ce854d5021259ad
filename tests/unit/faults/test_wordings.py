"""Refusals in words that no provider is known for: what they mean decides, not how they say it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from capability_router.faults import KINDS, classify
from capability_router.faults.hints import window_tokens


def _listed(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(__file__).parent / name).read_text("utf-8").splitlines()]


WORDINGS = _listed("wordings.jsonl")
PLAIN = _listed("plain_refusals.jsonl")
"""Refusals of the request itself, of the whole key and of too many calls, with words of the others in them."""


class Refused(Exception):
    """As the SDKs raise a status, with the body's `error` object."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"Error code: {status} - {error}")
        self.status_code, self.body = status, error


def _kind(status: int, text: str, **error: Any) -> str:
    return classify(Refused(status, {"message": text, **error})).kind


@pytest.mark.parametrize("case", WORDINGS, ids=lambda case: str(case["error"])[:50])
def test_a_refusal_is_known_by_its_meaning(case: dict[str, Any]) -> None:
    assert classify(Refused(case["status"], case["error"])).kind == case["kind"]


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: str(case["error"])[:50])
def test_a_refusal_of_the_request_or_the_key_stays_one(case: dict[str, Any]) -> None:
    assert classify(Refused(case["status"], case["error"])).kind == case["kind"]


def test_the_wordings_are_many_and_of_all_kinds_that_another_model_helps_with() -> None:
    assert len(WORDINGS) >= 300
    assert len(PLAIN) >= 200
    told = {"context_overflow", "quota_exhausted", "not_found", "content_filtered", "unsupported", "rate_limited",
            "overloaded", "server_error", "auth"}  # fmt: skip
    assert {case["kind"] for case in WORDINGS} == told <= set(KINDS)


@pytest.mark.parametrize("quoted", ["'SAID'", '"SAID"', "`SAID`", "“SAID”", "«SAID»", "「SAID」"])
@pytest.mark.parametrize(
    "said", ["Rate limit exceeded, please slow down", "The account has no credits left", "model foo was retired"]
)
def test_what_a_refusal_quotes_of_the_request_tells_nothing(quoted: str, said: str) -> None:
    assert _kind(400, f"Cannot use {quoted.replace('SAID', said)} here") == "bad_request"
    assert _kind(400, said) != "bad_request"


def test_a_quoted_name_is_read() -> None:
    assert _kind(400, "The model `foo-7b` has been retired") == "not_found"
    assert _kind(400, "'prompt' is too long for this model") == "context_overflow"


def test_a_link_tells_nothing() -> None:
    assert _kind(400, "Wrong role, see https://x.test/docs/rate-limit-exceeded") == "bad_request"


def test_the_parts_of_a_sense_stand_in_one_sentence() -> None:
    assert _kind(400, "The balance sheet has no title. The name is too long, insufficient detail") == "bad_request"
    assert _kind(400, "You sent 9000 tokens. The maximum is 8192.") == "context_overflow"


def test_a_code_about_the_requests_own_values_comes_before_the_words() -> None:
    assert _kind(400, "Rate limit exceeded, slow down", code="invalid_value") == "bad_request"


def test_a_key_that_is_bound_to_addresses_is_disabled() -> None:
    assert _kind(403, "The API key has an IP address restriction that this call violates") == "auth"
    assert _kind(403, "Your IP address is not allowed") == "server_error"


def test_the_window_is_learned_where_the_text_states_it() -> None:
    for text in ("This request exceeds the model's context window of 8,192 tokens", "Tokens exceeded: 9000 > max 8192"):
        assert window_tokens(Refused(400, {"message": text})) == 8192
    assert window_tokens(Refused(400, {"message": "Your context of 9000 tokens is too large"})) is None


def test_at_403_a_model_that_needs_something_is_disabled_alone() -> None:
    assert _kind(403, "Your organization must be verified to use this model") == "not_found"
    assert _kind(403, "Your account is suspended, so no model is available") == "auth"
    assert _kind(400, "The model must be a string") == "bad_request"


def test_a_code_of_a_failing_server_counts_more_than_the_status_that_says_the_request_is_wrong() -> None:
    assert _kind(400, "refused", type="server_error") == _kind(422, "refused", code="internal_error") == "server_error"
