"""What the exceptions of a client that nobody knows tell: in which order they are asked, and what is told on."""

from __future__ import annotations

import pytest
from unit.faults.shapes import NOW, build

from capability_router.endpoints.errors import EndpointReplyError
from capability_router.faults import classify, is_programming_error
from capability_router.faults.error_event import ErrorEvent


def odd(*args: object, name: str = "x:Odd", cause: BaseException | None = None, **attrs: object) -> BaseException:
    """An exception of a client nobody knows."""
    error = build({"classes": [name, "builtins:Exception"], "args": args, "attrs": attrs})
    error.__cause__ = cause
    return error


def test_a_parsers_error_is_not_judged_by_the_answer_that_it_quotes() -> None:
    quoted = "could not parse: 'the prompt is too long, too many requests'"
    assert classify(odd(quoted, name="x:OutputParserException"), NOW).kind == "unparsable"
    assert classify(odd(quoted), NOW).kind == "context_overflow"


def test_a_garbled_body_shows_behind_a_wrapper() -> None:
    wrapper = odd("failed")
    wrapper.__cause__ = ValueError("null value for 'choices'")
    assert classify(wrapper, NOW).kind == "server_error"
    assert classify(wrapper.__cause__, NOW).kind == "server_error"


def test_a_clients_own_class_with_those_words_is_not_a_stumble() -> None:
    assert classify(odd("null value for 'choices'"), NOW).kind == "unknown"


def test_a_mistake_stays_one_whatever_its_text_says() -> None:
    """A class of the caller's own, which no provider raises."""
    for text in ("too many requests", "prompt is too long", "credit balance is too low"):
        mine = build({"classes": ["mine:Odd", "builtins:ValueError"], "args": [text]})
        assert is_programming_error(mine)
        assert classify(mine, NOW).kind != "unknown"


def test_a_window_is_told_only_where_the_input_was_too_long() -> None:
    text = "this model's maximum context length is 8192 tokens"
    assert classify(odd(text, status_code=400), NOW).window == 8192
    fault = classify(odd(text, status_code=500), NOW)
    assert (fault.kind, fault.window) == ("server_error", None)


def test_only_a_time_out_tells_a_clock() -> None:
    assert classify(odd(name="x:ReadTimeout", clock="first_token"), NOW).clock == "first token"
    assert classify(odd(name="x:ConnectTimeout"), NOW).clock == "connection"
    assert classify(odd(status_code=500, clock="first_token"), NOW).clock == ""
    unreadable = classify(odd(name="x:ReadTimeout", clock=["first_token"]), NOW)
    assert (unreadable.kind, unreadable.clock) == ("timeout", "")


def test_an_error_event_in_a_stream_says_that_the_answer_had_begun() -> None:
    event = odd("overloaded", name="openai:APIError")
    assert classify(event, NOW).started
    assert classify(odd(name="x:Wrapped", cause=event), NOW).started
    assert classify(RuntimeError("plain"), NOW).started is False
    assert not classify(odd(name="openai:APIError", status_code=500), NOW).started
    assert not classify(odd(name="x:Odd"), NOW).started


def test_an_error_event_keeps_the_wait_and_no_other_word_of_its_text() -> None:
    event = ErrorEvent("rate_limit_exceeded", "Of 'my dog': please TRY again in 7s")
    found = classify(event, NOW)
    assert (found.kind, found.retry_after_s) == ("rate_limited", 7.0)
    assert "dog" not in f"{event} {event.body}"
    for said in (None, {"again": "in 7s"}, "busy"):
        assert classify(ErrorEvent("rate_limit_exceeded", said), NOW).retry_after_s is None


def test_the_body_of_a_good_reply_that_is_raised_bare_says_that_the_answer_had_begun() -> None:
    """As ChatOpenAI raises an error that came in a 200."""
    body = {"message": "the upstream is gone", "code": "upstream_gone"}
    assert classify(ValueError(body), NOW).started
    assert classify(odd(name="x:Wrapped", cause=ValueError(body)), NOW).started
    assert not classify(ValueError("the upstream is gone"), NOW).started
    assert not classify(odd(body), NOW).started
    assert not classify(build({"classes": ["x:Odd", "builtins:ValueError"], "args": [body]}), NOW).started
    refused = classify(ValueError({**body, "code": 429}), NOW)
    assert (refused.status, refused.started) == (429, False), "turned away after all"


def test_a_wrappers_name_may_settle_what_the_answer_leaves_open() -> None:
    answer = odd("no", status_code=400)
    assert classify(odd(name="x:ContentPolicyViolationError", cause=answer), NOW).kind == "content_filtered"
    assert classify(odd(name="x:Odd", cause=answer), NOW).kind == "bad_request"


def test_a_wrappers_text_may_settle_what_the_answer_leaves_open() -> None:
    answer = odd("no", status_code=429)
    assert classify(odd("you exceeded your current quota", cause=answer), NOW).kind == "quota_exhausted"
    assert classify(odd("no", cause=answer), NOW).kind == "rate_limited"


def test_an_empty_account_is_told_by_text_although_the_code_says_less() -> None:
    error = odd("your credit balance is too low", status_code=429, code="rate_limit_exceeded")
    assert classify(error, NOW).kind == "quota_exhausted"


@pytest.mark.parametrize(("length", "kept"), [(200, 200), (240, 240), (241, 240), (400, 240)])
def test_one_of_our_own_errors_is_told_on_as_far_as_it_is_short(length: int, kept: int) -> None:
    error = EndpointReplyError("w" * length)
    assert classify(error, NOW).detail == "w" * kept


def test_the_model_that_one_of_our_own_errors_begins_with_is_not_told_twice() -> None:
    for model, told in (("m", "sent a page"), ("other", "m sent a page"), ("", "m sent a page")):
        assert classify(EndpointReplyError("m sent a page", model=model), NOW).detail == told


def test_of_two_codes_and_more_the_first_two_are_told() -> None:
    error = odd(status_code=500, body={"code": "one", "type": "two", "status": "three"})
    fault = classify(error, NOW)
    assert (fault.code, fault.detail) == ("one", "one, two")


def test_a_number_is_no_code() -> None:
    assert classify(odd(status_code=500, code="1234"), NOW).detail == "Odd"


@pytest.mark.parametrize(
    ("code", "told"), [("a1b2c3d4", "a1b2c3d4"), ("a1b2c3d4e5", "Odd"), ("sky_high", "sky_high"), ("SK-1", "Odd")]
)
def test_a_code_with_few_digits_and_no_keys_beginning_is_told(code: str, told: str) -> None:
    assert classify(odd(status_code=500, code=code), NOW).detail == told


def test_without_codes_the_first_and_the_last_class_of_the_chain_are_told() -> None:
    last = odd(name="x:Last", status_code=500)
    middle = odd(name="x:Middle", cause=last)
    assert classify(odd(name="x:First", cause=middle), NOW).detail == "First from Last"
    assert classify(odd(name="x:Odd class", status_code=500), NOW).detail == ""


def test_what_the_built_in_client_knows_of_sending_outweighs_a_name() -> None:
    assert classify(odd(name="x:ConnectError", sent=True), NOW).sent
    assert not classify(odd(name="x:ReadError", sent=False), NOW).sent
    assert not classify(odd(name="x:ConnectError"), NOW).sent


def test_an_answer_that_came_and_ended_badly_is_told_from_one_that_never_came() -> None:
    for name in ("ContentFilterFinishReasonError", "LengthFinishReasonError"):
        ended = odd(name=f"openai:{name}")
        assert classify(ended, NOW).answered
        assert classify(odd(name="x:Wrapped", cause=ended), NOW).answered
        assert not classify(odd(name=f"openai:{name}", status_code=400), NOW).answered
    assert not classify(odd(), NOW).answered
