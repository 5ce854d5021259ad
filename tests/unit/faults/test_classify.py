"""What holds for any exception: a fault comes out, nothing is raised, nothing leaks, no client is imported."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from typing import Any
from unittest.mock import MagicMock

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.faults.shapes import CASES, NOW, build, class_of

from capability_router.clock import SystemClock
from capability_router.errors import RouterError
from capability_router.faults import KINDS, Fault, classify, is_programming_error, passes_through
from capability_router.faults.classify import kind_of
from capability_router.faults.evidence import links
from capability_router.request import Usage

CLASSIFY: Any = import_module("capability_router.faults.classify")  # the package gives its function by that name
CLIENTS = ("openai", "anthropic", "google", "groq", "mistralai", "ollama", "botocore", "httpx", "httpx2", "pydantic",
           "langchain_core", "llama_index", "langgraph", "tenacity", "yaml", "numpy")  # fmt: skip
STATUSES = {400: "bad_request", 401: "auth", 402: "quota_exhausted", 403: "auth", 404: "not_found", 408: "timeout",
            409: "server_error", 413: "context_overflow", 418: "bad_request", 422: "bad_request", 424: "server_error",
            429: "rate_limited", 500: "server_error", 502: "server_error", 503: "overloaded", 504: "timeout",
            522: "timeout", 524: "timeout", 529: "overloaded", 599: "server_error", 302: "unknown"}  # fmt: skip

words = st.text(max_size=12) | st.sampled_from(
    ["code", "error", "rate_limit_error", "429", "type", "message", "sk-abc"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.integers(), inner, max_size=4),
    max_leaves=12,
)
ATTRIBUTES = ("status_code", "status", "code", "type", "body", "details", "response", "headers", "message", "clock",
              "error_code", "error")  # fmt: skip
NAMES = ["RateLimitError", "APIError", "ValidationError", "ReadTimeout", "Odd", "ConnectError", "OutputParserException"]


@st.composite
def exceptions(draw: st.DrawFn, depth: int = 2) -> BaseException:
    base = draw(st.sampled_from(["Exception", "ValueError", "OSError", "BaseException"]))
    names = draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))
    error = class_of([*(f"some_sdk:{name}" for name in names), f"builtins:{base}"])(*draw(st.lists(values, max_size=2)))
    for name in draw(st.lists(st.sampled_from(ATTRIBUTES), max_size=6)):
        setattr(error, name, draw(values))
    if depth and draw(st.booleans()):
        error.__cause__ = draw(exceptions(depth=depth - 1))
    if depth and draw(st.booleans()):
        error.__context__ = draw(exceptions(depth=depth - 1))
    return error


@given(exceptions())
def test_any_shape_gives_a_fault(error: BaseException) -> None:
    fault = classify(error, NOW)
    assert fault.kind in KINDS
    assert fault.error is error
    assert fault.status is None or 300 <= fault.status <= 599
    assert fault.retry_after_s is None or 0 <= fault.retry_after_s <= 86_400
    assert fault.window is None or fault.window > 0
    assert len(fault.told) < 300
    assert classify(error, NOW) == fault
    assert isinstance(passes_through(error), bool)
    assert isinstance(is_programming_error(error), bool)


class Hostile(Exception):
    """Raises on every look at it, but carries a status."""

    status_code = 429

    @property
    def response(self) -> Any:
        raise RuntimeError("no response")

    @property
    def body(self) -> Any:
        raise ValueError

    @property
    def headers(self) -> Any:
        raise KeyError

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


TPM = "Request too large for m on tokens per min (TPM): {}. Visit https://x.example/account/rate-limits to learn more."


@pytest.mark.parametrize(("said", "alone"), [
    ("Limit 30000, Requested 45000", True), ("Limit 30000, Used 12, Requested 30001", True),
    ("Limit: 30,000, Requested: 45,000", True), ("Limit 30000, Used 29000, Requested 2000", False),
    ("Limit 30000, Requested 30000", False), ("Limit 3", False),
])  # fmt: skip
@pytest.mark.parametrize("status", [429, 413])
def test_a_request_that_alone_is_above_the_rate_limit_shuts_nobody_else_out(
    status: int, said: str, alone: bool
) -> None:
    told = {"error": {"message": TPM.format(said), "type": "tokens", "code": "rate_limit_exceeded"}}
    attrs = {"status_code": status, "body": told, "headers": {"retry-after": "60"}}
    fault = classify(build({"classes": ["openai:RateLimitError", "builtins:Exception"], "attrs": attrs}), NOW)
    assert (fault.kind, fault.too_large) == ("rate_limited", alone)
    assert (fault.row.same, fault.row.other, fault.row.blame, fault.row.is_retryable) == (
        ("never", "yes", "none", False) if alone else ("pushback", "yes", "gate", True)
    )
    assert fault.retry_after_s == (None if alone else 60)


def test_a_property_that_raises_hides_nothing_else() -> None:
    assert classify(Hostile(), NOW).kind == "rate_limited"


def test_an_attribute_that_answers_everything() -> None:
    error = class_of(["some_sdk:Odd", "builtins:Exception"])("x")
    error.response = error.body = error.code = error.headers = MagicMock()  # type: ignore[attr-defined]  # a mock
    error.status_code = 503  # type: ignore[attr-defined]  # beside them
    assert classify(error, NOW).kind == "overloaded"


def test_an_exception_that_cannot_be_read_at_all_is_unknown() -> None:
    class Vicious(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise RuntimeError

    error = class_of(["some_sdk:Odd", "builtins:Exception"])(Vicious(code=1))
    fault = classify(error, NOW)
    assert fault == Fault("unknown", "Odd")
    assert fault.error is error


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
@pytest.mark.parametrize("where", ["status_code", "code", "response", "aws"])
def test_a_bare_status_wherever_it_stands(status: int, kind: str, where: str) -> None:
    attrs: dict[str, Any] = {
        "aws": {"response": {"ResponseMetadata": {"HTTPStatusCode": status}}},
        "response": {"response": MagicMock(status_code=status, headers={})},
    }.get(where, {where: status})
    fault = classify(build({"classes": ["some_sdk:Odd", "builtins:Exception"], "args": ["x"], "attrs": attrs}), NOW)
    assert (fault.kind, fault.status) == (kind, status)


@pytest.mark.parametrize("status", [-1, 0, 200, 299, 600, 1300, True, 429.0, "429 Too Many", None])
def test_what_is_no_error_status_is_not_taken_for_one(status: object) -> None:
    error = build({"classes": ["some_sdk:Odd", "builtins:Exception"], "args": ["x"], "attrs": {"status_code": status}})
    over_a_reply = status in (-1, 200, 299)  # -1: Ollama's, of an error that its 200 holds
    kind = "server_error" if over_a_reply else "unknown"
    assert classify(error, NOW) == Fault(kind, "Odd", started=over_a_reply, error=error)


@pytest.mark.parametrize("status", [401, 404, 500, 502, 503, 504])
def test_texts_are_not_asked_where_the_status_tells(status: int) -> None:
    text = "insufficient_quota: prompt is too long: 9000 tokens > 8000 maximum, blocked by content filter"
    error = build({"classes": ["x:Odd", "builtins:Exception"], "args": [text], "attrs": {"status_code": status}})
    assert classify(error, NOW).kind == STATUSES[status]


@pytest.mark.parametrize("status", [400, 500, 503])
def test_the_reset_of_a_limit_is_a_wait_only_where_the_limit_was_met(status: int) -> None:
    attrs = {"status_code": status, "headers": {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "9s"}}
    error = build({"classes": ["x:Odd", "builtins:Exception"], "attrs": attrs})
    assert classify(error, NOW).retry_after_s is None
    error.status_code = 429  # type: ignore[attr-defined]  # the same headers beside a limit that was met
    assert classify(error, NOW).retry_after_s == 9.0


def test_an_answer_that_does_not_fit_owes_nothing_to_an_earlier_failure() -> None:
    error = build(
        {"classes": ["langchain_core.exceptions:OutputParserException", "builtins:ValueError"], "args": ["x"]}
    )
    error.__context__ = build(
        {"classes": ["x:Odd", "builtins:Exception"], "attrs": {"status_code": 429, "code": "busy"}}
    )
    fault = classify(error, NOW)
    assert (fault.kind, fault.status, fault.code) == ("unparsable", None, "")


def test_a_clients_validation_error_with_a_status_is_the_servers() -> None:
    error = build({"classes": ["x:ValidationError", "builtins:Exception"], "attrs": {"status_code": 422}})
    assert classify(error, NOW).kind == "bad_request"


def test_the_text_of_a_plain_mistake_is_not_taken_for_a_providers() -> None:
    assert classify(ValueError("the rate limit must be positive"), NOW).kind == "unknown"
    assert classify(RuntimeError("rate limit reached"), NOW).kind == "rate_limited"


def test_a_chain_that_bites_its_tail() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert classify(first, NOW).kind == "unknown"


def test_a_chain_is_followed_for_six() -> None:
    told = build({"classes": ["x:HTTPError", "builtins:Exception"], "attrs": {"status_code": 429}})
    for depth in range(1, 8):
        error = RuntimeError(f"{depth}")
        error.__cause__, told = told, error
        assert classify(told, NOW).kind == ("rate_limited" if depth < 6 else "unknown")


@pytest.mark.parametrize("name", ["ReadTimeout", "ConnectError"])
def test_a_broken_call_is_not_mistaken_for_the_one_that_failed_before_it(name: str) -> None:
    """A caller who asks the router while handling another call's 429."""
    broken = build({"classes": ["openai:APIConnectionError", "builtins:Exception"], "args": ["Connection error."]})
    broken.__cause__ = build({"classes": [f"httpx:{name}", "builtins:Exception"]})
    broken.__cause__.__context__ = build(
        {
            "classes": ["x:HTTPError", "builtins:Exception"],
            "attrs": {"status_code": 429, "headers": {"retry-after": "9"}},
        }
    )
    fault = classify(broken, NOW)
    assert (fault.kind, fault.status, fault.retry_after_s) == ("connection", None, None)


KEY, PROMPT = "sk-canary-0123456789abcdef", "the-prompt-of-the-user"


def _planted(value: Any) -> Any:
    """A case's description with the key and the prompt wherever a provider's words stand."""
    if isinstance(value, dict):
        return {k: v if k in ("classes", "status_code", "code", "type") else _planted(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_planted(part) for part in value]
    return f"{value} {KEY} {PROMPT}" if isinstance(value, str) else value


UNTYPED = [case for case in CASES if case["id"] != "python-prompt-with-surrogate"]  # its arguments are typed


@pytest.mark.parametrize("case", UNTYPED, ids=[case["id"] for case in UNTYPED])
def test_no_fault_tells_a_key_or_a_prompt(case: dict[str, Any]) -> None:
    fault = classify(build(_planted(case["raised"])), NOW)
    shown = f"{fault!r} {fault.told} {fault.detail} {fault.code}"
    assert KEY not in shown
    assert PROMPT not in shown


@pytest.mark.parametrize(
    "code", [KEY, "AKIA0123456789ABCDEF", "gsk_abc", "a b", "x" * 65, "eyJ0eXAi.x", "<b>", "c9f8e7d6a5b4"]
)
def test_a_code_that_may_be_a_key_is_not_repeated(code: str) -> None:
    error = build(
        {"classes": ["x:Odd", "builtins:Exception"], "attrs": {"status_code": 500, "code": code, "type": code}}
    )
    fault = classify(error, NOW)
    assert fault.code == ""
    assert code not in fault.told


def test_what_a_fault_tells() -> None:
    told = {case["id"]: classify(build(case["raised"]), NOW).told for case in CASES}
    assert told["openai-quota"] == "has no quota left (429): insufficient_quota"
    assert told["anthropic-stream-overloaded"] == "overloaded: overloaded_error"
    assert told["bedrock-throttling"] == "rate limited (429): ThrottlingException"
    assert told["openai-connection"] == "could not be reached: APIConnectionError from ConnectError"
    assert told["anthropic-overflow"] == (
        "found the input too long (400): invalid_request_error; its window is 200,000 tokens"
    )
    assert told["built-in-timeout-first_token"] == "timed out waiting for the first token: EndpointTimeout"


def _rejected(param: Any, message: str = "no") -> str:
    return classify(_said(400, message, code="invalid_value", param=param), NOW).told


@pytest.mark.parametrize("path", ["temperature", "messages[0].role", "messages.[1].role", "tools[12].function.name"])
def test_the_field_of_the_request_that_is_rejected_is_named(path: str) -> None:
    assert _rejected(path) == f"rejected the request (400): invalid_value at {path}"


@pytest.mark.parametrize("param", [None, "", 3, ["x"], KEY, f"messages.{KEY}", PROMPT, "my words", "a" * 65, "x..y",
                                   "a.sk_12", "a.b12345", "héro"])  # fmt: skip
def test_what_is_no_plain_path_of_names_is_not_repeated(param: Any) -> None:
    assert _rejected(param) == "rejected the request (400): invalid_value"


def test_the_same_error_over_another_field_names_that_one() -> None:
    assert [_rejected(path)[-4:] for path in ("seed", "stop")] == ["seed", "stop"]


def test_a_model_that_is_not_offered_here_is_told_from_one_that_is_not_known() -> None:
    more = {"code": "unsupported_country", "error_description": "see the list of countries"}
    here = classify(_said(403, "Country, region, or territory not supported", **more), NOW)
    assert (here.kind, here.detail) == ("not_found", "not offered where the call comes from (unsupported_country)")
    unknown = classify(_said(404, "The model `m` does not exist", code="model_not_found"), NOW)
    assert (unknown.kind, unknown.detail) == ("not_found", "model_not_found")
    down = classify(_said(503, "This region is currently not available", code="unavailable_so"), NOW)
    assert (down.kind, down.detail) == ("overloaded", "unavailable_so")


def test_the_servers_word_against_a_repetition_overrules_the_table() -> None:
    assert KINDS["overloaded"].same == "backoff"
    again = Fault("overloaded", again=False).row
    assert (again.same, again.other, again.is_retryable) == ("never", "yes", False)


def test_dates_are_read_by_the_machines_clock_if_none_is_given() -> None:
    headers = {"retry-after": str(SystemClock.unix() + 60)}
    error = build({"classes": ["x:Odd", "builtins:Exception"], "attrs": {"status_code": 429, "headers": headers}})
    assert classify(error).retry_after_s == pytest.approx(60, abs=30)


def test_no_client_is_imported() -> None:
    script = f"""
import sys
sys.path.insert(0, {str(_tests_folder())!r})
from unit.faults.shapes import CASES, NOW, build
from capability_router.faults import classify
assert all(classify(build(case["raised"]), NOW) for case in CASES)
print(",".join(name for name in {CLIENTS!r} if name in sys.modules))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert ran.stdout.strip() == ""


def _tests_folder() -> str:
    from pathlib import Path

    return str(Path(__file__).parents[2])


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (ConnectionRefusedError(), False), (ConnectionResetError(), True), (httpx.ConnectError("x"), False),
        (httpx.ConnectTimeout("x"), False), (httpx.ReadError("x"), True), (httpx.ReadTimeout("x"), True),
    ],
)  # fmt: skip
def test_whether_the_request_can_have_reached_the_provider(error: Exception, sent: bool) -> None:
    assert classify(error).sent is sent
    outer = RuntimeError("wrapped")
    outer.__cause__ = error
    assert classify(outer).sent is sent


@pytest.mark.parametrize(
    ("outer", "inner", "sent"),
    [("ConnectTimeout", ConnectionResetError(), True), ("ConnectTimeout", OSError(), False),
     ("ConnectError", ConnectionResetError(), False), ("ConnectionTimeoutError", BrokenPipeError(), True)],
)  # fmt: skip
def test_what_is_called_a_timeout_of_the_connection_over_one_that_broke_was_sent(
    outer: str, inner: Exception, sent: bool
) -> None:
    error = type(outer, (Exception,), {})("x")
    error.__cause__ = inner
    assert classify(error, NOW).sent is sent


def test_an_sdk_that_stumbles_over_a_body_that_is_no_reply_is_the_servers_fault() -> None:
    for read in (lambda body: body.choices, lambda body: body.usage):
        with pytest.raises(AttributeError) as caught:
            read("<html>")
        assert (classify(caught.value).kind, classify(caught.value).started) == ("server_error", True)
        assert not is_programming_error(caught.value)
        wrapped = classify(_around(caught.value), NOW)
        assert (wrapped.kind, wrapped.started) == ("server_error", True)
    with pytest.raises(AttributeError) as mistake:
        _ = object().choices  # type: ignore[attr-defined]
    assert is_programming_error(mistake.value)
    assert classify(ValueError("Unexpected response type from OpenAI-compatible endpoint")).kind == "server_error"


@pytest.mark.parametrize(("inner", "sent"), [("NewConnectionError", False), ("ProtocolError", True)])
@pytest.mark.parametrize("kept", ["args", "reason", "inner_exception"])
def test_what_an_error_is_about_tells_whether_it_was_sent(kept: str, inner: str, sent: bool) -> None:
    """requests and Azure's SDK keep it within their error instead of behind it."""
    within = type(inner, (Exception,), {})("x")
    over = type("MaxRetryError", (Exception,), {"reason": within})("x") if kept == "reason" else within
    error = type("ConnectionError", (Exception,), {})("x" if kept == "inner_exception" else over)
    error.inner_exception = within if kept == "inner_exception" else None
    assert (classify(error, NOW).kind, classify(error, NOW).sent) == ("connection", sent)


def test_a_sentence_within_a_reply_is_understood_and_one_behind_a_named_refusal_is_not():
    class EndpointStreamError(Exception): ...

    class InternalServerError(Exception): ...

    said = "m sent an error in place of its reply: Rate limit exceeded"
    assert classify(EndpointStreamError(said)).kind == "rate_limited"
    assert classify(EndpointStreamError("m sent an error in place of its reply")).kind == "server_error"
    assert classify(InternalServerError(said)).kind == "server_error"
    assert kind_of(links(EndpointStreamError(said)), texts=False) == "server_error"


def _said(status: int, text: str, **more: Any) -> Exception:
    error: Any = type("APIStatusError", (Exception,), {})(text)
    error.status_code, error.body = status, {"message": text, **more}
    return error  # type: ignore[no-any-return]  # an exception with a client's attributes


def test_an_answer_that_reads_the_same_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(CLASSIFY, "kind_of", lambda evidence: asked.append(evidence) or kind_of(evidence))
    kind = type("APIStatusError", (Exception,), {})

    def raised(wait: str) -> Fault:
        error: Any = kind("too many")
        error.status_code, error.body, error.headers = 429, {"code": "rate_limited_so"}, {"retry-after": wait}
        return classify(error, NOW)

    first, second = raised("2"), raised("7")
    assert (len(asked), first.kind, first.code) == (1, "rate_limited", "rate_limited_so")
    assert (first.retry_after_s, second.retry_after_s) == (2.0, 7.0)  # what the headers tell is read of each
    assert second == replace(first, retry_after_s=7.0)
    classify(_said(500, "something else"), NOW)
    raised("2")
    assert len(asked) == 2


def test_what_is_kept_of_answers_is_bounded_and_no_text_of_theirs() -> None:
    for number in range(600):
        assert classify(_said(500, f"secret {number}"), NOW).kind == "server_error"
        assert 0 < len(CLASSIFY._shapes) <= 256
    assert "secret" not in repr(CLASSIFY._shapes)


@pytest.mark.parametrize(("name", "kind"), [("TooManyRedirects", "connection"), ("ResponseNotRead", "server_error")])
def test_what_httpx_raises_over_an_odd_answer_is_about_the_way_or_the_server(name: str, kind: str) -> None:
    for package in ("httpx", "httpx2"):
        assert classify(type(name, (Exception,), {"__module__": package})("odd")).kind == kind


def test_one_class_and_status_may_mean_two_things() -> None:
    kind: Any = type("BadRequestError", (Exception,), {})

    def told(text: str) -> str:
        error = kind(text)
        error.status_code = 400
        return classify(error, NOW).kind

    texts = ("This model's maximum context length is 4096 tokens.", "unknown field", "<html>400 Bad Request</html>")
    assert [told(text) for text in texts * 2] == ["context_overflow", "bad_request", "server_error"] * 2


@pytest.mark.parametrize("name", ["JSONDecodeError", "ContentDecodingError", "SSEError"])
def test_a_reply_that_cannot_be_read_had_begun_and_a_refusal_that_cannot_had_not(name: str) -> None:
    error: Any = type(name, (Exception,), {})("line 1 column 1")
    assert (classify(error, NOW).kind, classify(error, NOW).started) == ("server_error", True)
    error.status_code = 502
    assert not classify(error, NOW).started


def _around(inner: BaseException) -> Exception:
    outer = RuntimeError("the call failed")
    outer.__cause__ = inner
    return outer


def test_an_error_over_a_reply_is_the_servers_whatever_wraps_it() -> None:
    inner: Any = type("ResponseError", (Exception,), {})("nothing that tells")
    inner.status_code = 200
    assert classify(_around(inner), NOW).kind == "server_error"


def test_what_was_read_before_it_broke_off_is_told_from_wherever_it_stands() -> None:
    inner: Any = ConnectionResetError("by peer")
    inner.usage = Usage(30, 4)
    assert classify(_around(inner), NOW).usage == Usage(30, 4)
    inner.usage = {"input_tokens": 30}
    assert classify(inner, NOW).usage is None


@pytest.mark.parametrize("sent", [True, False])
def test_a_client_that_knows_says_whether_the_request_was_sent(sent: bool) -> None:
    error: Any = ConnectionError("by peer")
    error.sent = sent
    assert classify(error, NOW).sent is sent


def test_what_one_of_our_own_errors_tells_is_read_of_each() -> None:
    def raised(tokens: int) -> Fault:
        error: Any = RouterError("the stream ended")
        error.status_code, error.usage = 502, Usage(tokens, 1)
        return classify(error, NOW)

    assert [raised(tokens).usage for tokens in (10, 20)] == [Usage(10, 1), Usage(20, 1)]


@pytest.mark.parametrize(("reason", "sent"), [("NewConnectionError", False), ("ProtocolError", True)])
def test_what_requests_holds_in_place_of_a_cause_tells_whether_anything_was_sent(reason: str, sent: bool) -> None:
    held = class_of(["urllib3.exceptions:MaxRetryError", "builtins:Exception"])("Max retries exceeded")
    held.reason = class_of([f"urllib3.exceptions:{reason}", "builtins:Exception"])()  # type: ignore[attr-defined]  # as urllib3 has it
    error = class_of(["requests.exceptions:ConnectionError", "builtins:OSError"])(held)
    fault = classify(error)
    assert (fault.kind, fault.sent) == ("connection", sent)


def test_errors_that_restate_two_statuses_alike_are_told_apart_by_what_stands_behind() -> None:
    def restated(status: int) -> BaseException:
        behind = {"classes": ["litellm.llms.x:XError", "builtins:Exception"], "attrs": {"status_code": status}}
        outer = {"classes": ["litellm.exceptions:InternalServerError", "builtins:Exception"], "args": ["no"]}
        return build({**outer, "attrs": {"status_code": 500}, "context": behind})

    assert [classify(restated(status)).kind for status in (529, 502, 529)] == [
        "overloaded",
        "server_error",
        "overloaded",
    ]
