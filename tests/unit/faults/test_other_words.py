"""Hints and refusals in the words of further providers, gateways and local servers."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router.faults import classify
from capability_router.faults.hints import retry_after_s
from capability_router.faults.rate_limit_headers import rate_limits

NOW = 1_790_000_000.0


class Response:
    def __init__(self, status: int, headers: dict[str, str]) -> None:
        self.status_code, self.headers = status, headers


class Refused(Exception):
    """As the SDKs raise a status: the body's `error` object, or the text of a page."""

    def __init__(self, status: int | None, text: str = "", body: Any = None, **headers: str) -> None:
        super().__init__(text or str(body))
        self.status_code, self.body = status, body
        self.response = Response(status, headers) if status else None


def refusal(status: int | None, text: str, **error: Any) -> Refused:
    return Refused(status, text, {"error": {"message": text, **error}})


@pytest.mark.parametrize(("text", "seconds"), [
    ("Please wait 42 seconds before retrying.", 42), ("Too many requests, wait 10s", 10),
    ("please wait 1m0s and try again", 60), ("It is available again in 30s.", 30),
    ("Try again in about 20 seconds", 20), ("Try again in 5 minutes and 30 seconds", 330),
    ("Please slow down. Retry-After: 30", 30), ("Please try again later or in 20s", 20),
    ("Your request waited 10s in the queue", None), ("retry-after: 30.5.1", None), ("wait a moment", None),
])  # fmt: skip
def test_a_wait_in_a_sentence(text: str, seconds: float | None) -> None:
    assert classify(refusal(429, text), NOW).retry_after_s == seconds


@pytest.mark.parametrize(("headers", "seconds"), [
    ({"retry-after": "7, 9"}, 9), ({"retry-after": "7,x"}, None), ({"retry-after": "7, soon"}, None),
    ({"retry-after": '"30"'}, 30), ({"x-ms-retry-after-ms": "30000"}, 30), ({"x-retry-after": "30"}, 30),
    ({"ratelimit": "limit=100, remaining=0, reset=50"}, 50), ({"ratelimit": '"default";r=0;t=50'}, 50),
    ({"ratelimit": '"burst";r=10;t=1, "daily";r=0;t=3600'}, 3600), ({"x-ratelimit-timeremaining": "42"}, 42),
    ({"retry-after": "7", "x-ratelimit-timeremaining": "42"}, 7),
    ({"x-tokenlimit-remaining": "0", "x-tokenlimit-limit": "1000", "x-tokenlimit-reset": "7"}, 7),
    ({"ratelimit": "nonsense"}, None), ({"ratelimitbysize-remaining": "0", "ratelimitbysize-reset": "25"}, 25),
    ({"x-ratelimit-remaining-requests-hour": "0", "x-ratelimit-reset-requests-hour": "1800"}, 1800),
    ({"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": str(int(NOW) + 90)}, 90),
    ({"anthropic-ratelimit-unified-status": "allowed", "anthropic-ratelimit-unified-reset": str(int(NOW) + 90)}, None),
])  # fmt: skip
def test_a_wait_in_a_header(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


@pytest.mark.parametrize(("error", "seconds"), [
    ({"retry_after": 30}, 30), ({"retry_after": "7.5"}, 7.5), ({"retry_after_seconds": 30}, 30),
    ({"retry_after_ms": 1500}, 1.5), ({"retryAfter": "30s"}, 30), ({"retry_after": True}, None),
    ({"details": [{"retryDelay": {"seconds": "7", "nanos": 500_000_000}}]}, 7.5),
    ({"details": [{"retryDelay": {"seconds": -1, "nanos": "many"}}]}, 0),
])  # fmt: skip
def test_a_wait_in_a_body(error: dict[str, Any], seconds: float | None) -> None:
    assert classify(refusal(429, "slow", **error), NOW).retry_after_s == seconds


def test_of_several_limits_the_tightest_counts() -> None:
    day = {"x-ratelimit-remaining-requests-day": "0", "x-ratelimit-reset-requests-day": "3600"}
    minute = {"x-ratelimit-remaining-requests-minute": "5", "x-ratelimit-reset-requests-minute": "10"}
    said = rate_limits({**minute, **day}, NOW)
    assert (said.remaining_requests, said.reset_requests_s) == (0, 3600)
    kinds = {
        "anthropic-ratelimit-input-tokens-remaining": "50000", "anthropic-ratelimit-input-tokens-reset": "5s",
        "anthropic-ratelimit-output-tokens-remaining": "0", "anthropic-ratelimit-output-tokens-reset": "40s",
    }  # fmt: skip
    said = rate_limits(kinds, NOW)
    assert (said.remaining_tokens, said.reset_tokens_s) == (0, 40)


@pytest.mark.parametrize(("said", "left", "reset_s"), [
    ('"burst";r=10;t=1, "daily";r=0;t=3600', 0, 3600), ('"burst";r=0;t=1,"daily";r=500;t=3600', 0, 1),
    ('"a, b";r=3;t=1, c;t=3600;r=2', 2, 3600), ("burst;r=10, daily;t=5, other;r=7", 7, None),
    ("limit=100, remaining=4, reset=50", 4, 50), ('"' + "a, " * 1000 + '";r=0', None, None),
])  # fmt: skip
def test_of_the_limits_in_one_header_the_tightest_counts(said: str, left: int | None, reset_s: float | None) -> None:
    told = rate_limits({"ratelimit": said}, NOW)
    assert (told.remaining_requests, told.reset_requests_s) == (left, reset_s)


def test_fireworks_counts_of_prompts_and_of_output() -> None:
    headers = {
        "x-ratelimit-limit-tokens-prompt": "60000", "x-ratelimit-remaining-tokens-prompt": "900",
        "x-ratelimit-limit-tokens-generated": "6000", "x-ratelimit-remaining-tokens-generated": "100",
    }  # fmt: skip
    said = rate_limits(headers, NOW)
    assert (said.remaining_tokens, said.limit_tokens) == (900, 60_000)
    assert rate_limits({**headers, "x-ratelimit-remaining-tokens-generated": "0"}, NOW).remaining_tokens == 0


@pytest.mark.parametrize(("error", "kind"), [
    (refusal(403, "Key limit exceeded (monthly limit). Manage it in your settings", code=403), "quota_exhausted"),
    (refusal(400, "You have reached your specified workspace API usage limits."), "quota_exhausted"),
    (refusal(400, "Access denied, please keep your account in good standing.", code="Arrearage"), "quota_exhausted"),
    (Refused(429, "", {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}),
     "quota_exhausted"),
    (refusal(400, "The prompt (total length 5000) is too long to fit into the model (context length 4096)."),
     "context_overflow"),
    (refusal(400, "System detected potentially unsafe or sensitive content in input", code="1301"), "content_filtered"),
    (refusal(400, "You uploaded an unsupported image.", code="invalid_image_format"), "bad_request"),
    (refusal(429, "Resource Unavailable", code="resource_unavailable"), "overloaded"),
    (Refused(403, "<html><head><title>Attention Required! | Cloudflare</title></head></html>"), "server_error"),
    (Refused(403, "<html><head><title>Just a moment...</title></head></html>"), "server_error"),
    (Refused(403, "<html><head><title>403 Forbidden</title></head></html>"), "server_error"),
    (Refused(401, "<html><head><title>401 Unauthorized</title></head></html>"), "auth"),
    (Refused(None, "llama runner process has terminated: exit status 2"), "server_error"),
    (Refused(None, "an error was encountered while running the model: unexpected EOF"), "server_error"),
    (Refused(None, "model runner has unexpectedly stopped, this may be due to resource limitations"), "server_error"),
    (Refused(None, "mlx runner failed"), "server_error"),
], ids=lambda one: str(one)[:40])  # fmt: skip
def test_what_it_means(error: Refused, kind: str) -> None:
    assert classify(error, NOW).kind == kind


def test_a_request_that_quotes_a_refusal_does_not_ban_the_key() -> None:
    quoting = "Invalid 'messages[0].name': 'insufficient credits' does not match the pattern."
    assert classify(refusal(400, quoting, code="invalid_value"), NOW).kind == "bad_request"
    assert classify(refusal(400, "Insufficient credits"), NOW).kind == "quota_exhausted"


QUOTED = ("balance is too low", "Your API key is invalid", "The model does not exist", "Prompt is too long")


@pytest.mark.parametrize("said", QUOTED)
@pytest.mark.parametrize("text", [
    "[{'type': 'missing', 'loc': ('body', 'model'), 'msg': 'Field required', 'input': {'content': 'SAID'}}]",
    '[{"type":"missing","loc":["body","model"],"msg":"Field required","input":{"content":"SAID"}}]',
    "1 validation error\nmessages.0.role\n  Field required [type=missing, input_value={'content': 'SAID'}]",
], ids=["vllm", "json", "pydantic"])  # fmt: skip
def test_the_request_that_a_refusal_quotes_tells_nothing(text: str, said: str) -> None:
    assert classify(refusal(400, text.replace("SAID", said)), NOW).kind == "bad_request"
    assert classify(refusal(400, said), NOW).kind != "bad_request"


@pytest.mark.parametrize(("code", "kind"), [
    ("tool_use_failed", "malformed_tool_call"), ("json_validate_failed", "unparsable"),
])  # fmt: skip
def test_the_answer_that_groq_could_not_use_tells_nothing(code: str, kind: str) -> None:
    told = f"Error code: 400 - {{'error': {{'code': '{code}', 'failed_generation': 'SAID'}}}}"
    error = Refused(400, told.replace("SAID", "You have insufficient funds, and your credit balance is too low"))
    error.body = {"code": code}
    assert classify(error, NOW).kind == kind


@pytest.mark.parametrize("code", ["invalid_value", "invalid_function_parameters"])
@pytest.mark.parametrize("said", QUOTED[:3])
def test_codes_about_the_requests_own_values_disable_nothing(code: str, said: str) -> None:
    assert classify(refusal(400, f"Invalid: '{said}' is no name.", code=code), NOW).kind == "bad_request"


@pytest.mark.parametrize(("error", "kind"), [
    (refusal(403, "Your account has been disabled for violating our usage policies."), "auth"),
    (refusal(400, "This organization has been disabled for violating the usage policies."), "auth"),
    (refusal(403, "Content violates usage guidelines."), "content_filtered"),
    (refusal(429, "At its limit. Access to the model resumes in 3 s"), "rate_limited"),
    (refusal(429, "The prompt has 9000 tokens, which exceeds the limit of 6000 tokens per minute"), "rate_limited"),
    (refusal(429, "Too many tokens: slow down"), "rate_limited"),
    (refusal(400, "response_format: pydantic model does not exist in $defs"), "bad_request"),
    (refusal(400, "'may contain sensitive information' is no keyword"), "bad_request"),
    (refusal(400, "grammar: 'blocked output' is no rule"), "bad_request"),
    (refusal(400, "metadata: 'spend limit' is no text"), "bad_request"),
], ids=lambda one: str(one)[:40])  # fmt: skip
def test_words_of_one_refusal_in_another(error: Refused, kind: str) -> None:
    assert classify(error, NOW).kind == kind


def test_the_window_is_read_where_a_prompt_does_not_fit() -> None:
    told = "The prompt (total length 5000) is too long to fit into the model (context length 4096)."
    assert classify(refusal(400, told), NOW).window == 4096


@pytest.mark.parametrize(("status", "detail", "kind"), [
    (422, [{"type": "value_error", "loc": ["body"], "msg": "The prompt has 9000 tokens; maximum context length is 4096",
            "input": "rate limit exceeded"}], "context_overflow"),
    (422, [{"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"}],
     "unsupported"),
    (400, {"error": "prompt is too long: 210000 tokens > 200000 maximum"}, "context_overflow"),
    (400, {"message": "Your credit balance is too low"}, "quota_exhausted"),
    (422, [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required"}], "bad_request"),
    (422, ["odd"], "bad_request"), (422, [], "bad_request"),
])  # fmt: skip
def test_the_detail_of_fastapis_servers(status: int, detail: Any, kind: str) -> None:
    assert classify(Refused(status, body={"detail": detail}), NOW).kind == kind
    assert classify(Refused(status, "no text", body={"detail": detail}), NOW).kind == kind
