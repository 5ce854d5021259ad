"""Waits, windows and limits, from the many ways in which providers write them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.faults.shapes import NOW, Headers, Response, build

from capability_router.faults.durations import A_DAY_S, wait_in_text, wait_s
from capability_router.faults.evidence import LONGEST_TEXT, links
from capability_router.faults.hints import headers_of, retry_after_s, window_tokens
from capability_router.faults.rate_limit_headers import RateLimits, rate_limits


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        (" 3 ", 3.0),
        ("7s", 7.0),
        ("20ms", 0.02),
        ("6m0s", 360.0),
        ("1h2m3s", 3723.0),
        ("7.324s", 7.324),
        ("5 minutes", 300.0),
        ("2 hours", 7200.0),
        ("250 milliseconds", 0.25),
        ("1d", A_DAY_S),
        ("86401", A_DAY_S),
        ("172800", A_DAY_S),
        ("2d", A_DAY_S),
        ("2027-10-21T07:28:41Z", A_DAY_S),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("2026-10-21T07:28:41Z", 41.0),
        ("2026-10-21T09:28:05+02:00", 5.0),
        ("2026-10-21T07:28:09", 9.0),
        (str(NOW + 12), 12.0),
        (str(int(NOW * 1000) + 1500), 1.5),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0.0),
        ("2020-01-01T00:00:00Z", 0.0),
    ],
)
def test_a_wait_is_read(told: str, seconds: float) -> None:
    assert wait_s(told, NOW) == pytest.approx(seconds)


def test_a_stamp_without_a_zone_is_universal_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        assert wait_s("2026-10-21T07:28:09", NOW) == 9.0
    time.tzset()


@pytest.mark.parametrize(
    "told",
    [
        "",
        "-1",
        "-5s",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "soon",
        "7 parsecs",
        "7s7",
        "Wed, 99 Oct 2026",
        "1" * 65,
        "٣x",
        "mon, 99 jan 99999 99:99:99 +9999",
        "Mon, 01 Jan 99999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999",
        "0000-00-00T00:00:00Z",
        "\x00",
    ],
)
def test_what_is_no_sane_wait_is_left_out(told: str) -> None:
    assert wait_s(told, NOW) is None


@given(st.text(max_size=80) | st.from_regex(r"[0-9a-zA-Z:,.+ \-]{0,64}", fullmatch=True))
def test_a_wait_is_never_negative_nor_longer_than_a_day(told: str) -> None:
    wait = wait_s(told, NOW)
    assert wait is None or 0 <= wait <= A_DAY_S


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("please try again in 6m0s.", 360.0),
        ("please try again in 853ms. visit", 0.853),
        ("try again in 28 seconds.", 28.0),
        ("please retry after 7 seconds", 7.0),
        ("please retry in 7.324s.", 7.324),
        ("retry your request in 2 minutes", 120.0),
        ("try again later", None),
        ("try again in a while", None),
        ("limit 3, used 3", None),
    ],
)
def test_a_wait_is_found_in_a_sentence(text: str, seconds: float | None) -> None:
    assert wait_in_text(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"Retry-After": "9", "x-ratelimit-reset-requests": "60s"}, 9.0),
        ({"retry-after": "100000"}, 86_400.0),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "8m",
                "x-ratelimit-remaining-tokens": "100",
                "x-ratelimit-reset-tokens": "2s",
            },
            480.0,
        ),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "8m",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "9m",
            },
            540.0,
        ),
        (
            {
                "x-ratelimit-remaining-requests": "5",
                "x-ratelimit-reset-requests": "8m",
                "x-ratelimit-remaining-tokens": "100",
                "x-ratelimit-reset-tokens": "2s",
            },
            2.0,
        ),
        ({"x-ratelimit-reset-requests": "8m"}, 480.0),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-10-21T07:28:02Z",
            },
            2.0,
        ),
        ({}, None),
    ],
)
def test_the_wait_that_headers_ask_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds
    error = build({"classes": ["x:SomeError", "builtins:Exception"], "attrs": {"headers": headers}})
    assert retry_after_s(error, NOW) == seconds


def test_only_hint_headers_are_taken_over() -> None:
    answer = {
        "status_code": 429,
        "body": "",
        "headers": {"Retry-After": "3", "Set-Cookie": "key", "Authorization": "k"},
    }
    error = build({"classes": ["x:SomeError", "builtins:Exception"], "response": answer})
    assert headers_of(error) == {"retry-after": "3"}


def test_limits_of_openai() -> None:
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert rate_limits(headers, NOW) == RateLimits(59, 149_984, 60, 150_000, 1.0, 360.0)


def test_limits_of_anthropic() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-10-21T07:28:02Z",
        "anthropic-ratelimit-input-tokens-limit": "30000",
        "anthropic-ratelimit-input-tokens-remaining": "12000",
        "anthropic-ratelimit-input-tokens-reset": "2026-10-21T07:28:41Z",
    }
    assert rate_limits(headers, NOW) == RateLimits(49, 12_000, 50, 30_000, 2.0, 41.0)


@pytest.mark.parametrize(("left", "tokens", "reset_s"), [("8000", 29_900, 1.0), ("1", 29_900, 1.0), ("0", 0, 40.0)])
def test_a_limit_of_output_tokens_counts_only_once_it_is_exhausted(left: str, tokens: int, reset_s: float) -> None:
    headers = {
        "anthropic-ratelimit-input-tokens-limit": "30000",
        "anthropic-ratelimit-input-tokens-remaining": "29900",
        "anthropic-ratelimit-input-tokens-reset": "1s",
        "anthropic-ratelimit-output-tokens-limit": "8000",
        "anthropic-ratelimit-output-tokens-remaining": left,
        "anthropic-ratelimit-output-tokens-reset": "40s",
    }
    said = rate_limits(headers, NOW)
    assert (said.remaining_tokens, said.reset_tokens_s) == (tokens, reset_s)


def test_limits_that_are_not_told_are_unknown() -> None:
    assert rate_limits({}) == RateLimits()
    assert rate_limits({"x-ratelimit-remaining-requests": "-1", "x-ratelimit-remaining-tokens": "many"}) == RateLimits()


@given(
    st.dictionaries(
        st.sampled_from(["x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "retry-after"]), st.text()
    )
)
def test_limits_never_raise(headers: dict[str, str]) -> None:
    limits = rate_limits(headers, NOW)
    assert limits.remaining_tokens is None or limits.remaining_tokens >= 0
    assert retry_after_s(headers, NOW) is None or retry_after_s(headers, NOW) >= 0  # type: ignore[operator]  # a number


def _told(text: str) -> BaseException:
    return build({"classes": ["x:SomeError", "builtins:Exception"], "args": [text]})


def test_a_window_that_cannot_be_one_is_left_out() -> None:
    assert window_tokens(_told("maximum context length is 8192 tokens")) == 8192
    assert window_tokens(_told("maximum context length is 0 tokens")) is None
    assert window_tokens(_told("maximum context length is 9999999999999 tokens")) is None
    assert window_tokens(_told("the model is tired")) is None


HOSTILE = [
    "1" * 1_000_000,
    "1," * 500_000,
    "a" * 1_000_000,
    "maximum context length " * 50_000,
    "try again in " * 80_000,
    "try again in " + "1s" * 500_000,
    "too long: " + "1" * 1_000_000,
    "context limit: 1 + " * 60_000,
    " " * 1_000_000,
    "does not " * 120_000,
    "[" * 1_000_000,
    "\U0001d7d9" * 1_000_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:14])
def test_a_megabyte_of_hostile_text_is_read_to_four_kilobytes(text: str) -> None:
    answer = {"status_code": 400, "headers": {"retry-after": text}, "body": {"error": {"message": text, "code": text}}}
    error = build({"classes": ["x:SomeError", "builtins:Exception"], "args": [text], "response": answer})
    assert max(len(told) for link in links(error) for told in link.texts) <= LONGEST_TEXT
    assert all(len(code) <= 64 for link in links(error) for code in link.codes)
    assert window_tokens(error) is None
    assert retry_after_s(error, NOW) is None


def test_headers_may_be_any_mapping() -> None:
    error = build({"classes": ["x:SomeError", "builtins:Exception"]})
    error.headers = Headers({"RETRY-AFTER": "4"})  # type: ignore[attr-defined]  # as clients' errors have it
    assert retry_after_s(error, NOW) == 4.0


def test_the_wait_is_read_from_the_answer_that_the_former_client_of_mistral_keeps() -> None:
    error = build({"classes": ["x:SomeError", "builtins:Exception"], "attrs": {"status_code": 429}})
    error.raw_response = Response(429, {"retry-after": "7"}, "")  # type: ignore[attr-defined]  # as the client has it
    assert retry_after_s(error, NOW) == 7.0
