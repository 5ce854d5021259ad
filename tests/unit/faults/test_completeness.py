"""What a reply that ended without an exception is worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.faults import KINDS, judge
from capability_router.request import Finish, Reply, Usage


def kind(
    reply: Reply, *, streaming: bool = False, gives_reason: bool = False, on_content_filter: str = "return"
) -> str:
    fault = judge(reply, streaming=streaming, gives_reason=gives_reason, on_content_filter=on_content_filter)
    return fault.kind if fault else ""


@pytest.mark.parametrize(
    ("reply", "streaming", "gives_reason", "expected"),
    [
        (Reply(text="hi", finish=Finish.STOP), True, True, ""),
        (Reply(text="hi"), True, True, "truncated"),
        (Reply(text="hi"), True, False, ""),
        (Reply(text="hi"), False, True, "truncated"),
        (Reply(text="hi"), False, False, ""),
        (Reply(text="hi", mute=True), False, True, ""),
        (Reply(text="hi", cached=True), False, True, ""),
        (Reply(tool_calls=1), False, True, "truncated"),
        (Reply(text="{", parse_error="ValidationError"), False, True, "unparsable"),
        (Reply(text="hi", cached=True), True, True, ""),
        (Reply(), True, True, "truncated"),
        (Reply(), True, False, ""),
        (Reply(), False, False, "empty"),
        (Reply(), False, True, "empty"),
        (Reply(text=" \n"), False, True, "empty"),
        (Reply(finish=Finish.STOP), True, True, "empty"),
        (Reply(finish=Finish.STOP), False, True, "empty"),
        (Reply(cached=True, finish=Finish.STOP), False, True, ""),
        (Reply(finish=Finish.LENGTH), False, True, "empty"),
        (Reply(finish=Finish.LENGTH, carried=True), False, True, ""),
        (Reply(finish=Finish.LENGTH, usage=Usage(output_tokens=9, reasoning_tokens=9)), True, True, ""),
        (Reply(finish=Finish.ERROR), False, True, "server_error"),
        (Reply(text="cut", finish=Finish.ERROR), True, True, "server_error"),
        (Reply(text="cut", finish=Finish.OVERLOADED), False, True, "overloaded"),
        (Reply(finish=Finish.MALFORMED_CALL), False, True, "malformed_tool_call"),
        (Reply(text="cut", finish=Finish.MALFORMED_CALL), False, True, ""),
        (Reply(finish=Finish.OTHER, carried=True), True, True, ""),
        (Reply(finish=Finish.TOOL_CALLS), False, True, "malformed_tool_call"),
        (Reply(finish=Finish.TOOL_CALLS), True, True, "malformed_tool_call"),
        (Reply(finish=Finish.TOOL_CALLS, carried=True), False, True, ""),
        (Reply(finish=Finish.TOOL_CALLS, other=True), False, True, ""),
        (Reply(finish=Finish.TOOL_CALLS, text="hi"), False, True, ""),
        (Reply(finish=Finish.STOP, other=True), False, True, ""),
        (Reply(finish=Finish.OTHER), True, True, "empty"),
        (Reply(text="cut", finish=Finish.LENGTH), True, True, ""),
        (Reply(tool_calls=1, finish=Finish.TOOL_CALLS), True, True, ""),
        (Reply(tool_calls=1, malformed_tool_calls=1, finish=Finish.TOOL_CALLS), False, True, ""),
        (Reply(tool_calls=1, malformed_tool_calls=1, finish=Finish.TOOL_CALLS), True, True, "malformed_tool_call"),
        (Reply(malformed_tool_calls=1, finish=Finish.TOOL_CALLS), True, True, "malformed_tool_call"),
        (Reply(malformed_tool_calls=1, text="x", finish=Finish.STOP), False, True, "malformed_tool_call"),
        (Reply(text="{", finish=Finish.STOP, parse_error="ValidationError"), False, True, "unparsable"),
        (Reply(finish=Finish.STOP, parse_error="ValidationError"), False, True, "unparsable"),
        (Reply(text="{", parse_error="ValidationError"), True, True, "truncated"),
        (Reply(hollow=True), True, False, "truncated"),
        (Reply(hollow=True, cached=True), True, False, ""),
        (Reply(hollow=True), False, False, "empty"),
        (Reply(cached=True, parse_error="E"), False, True, "unparsable"),
        (Reply(tool_calls=1, malformed_tool_calls=1, parse_error="E"), False, True, "unparsable"),
        (Reply(malformed_tool_calls=-1, text="x", finish=Finish.STOP), False, True, ""),
    ],
)
def test_the_verdict(reply: Reply, streaming: bool, gives_reason: bool, expected: str) -> None:
    assert kind(reply, streaming=streaming, gives_reason=gives_reason) == expected


@pytest.mark.parametrize(
    ("finish", "expected"), [(Finish.CONTENT_FILTER, "content_filtered"), (Finish.REFUSAL, "refusal")]
)
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("parse_error", ["", "ValidationError"])
def test_a_filtered_reply_is_a_fault_only_on_request(
    finish: Finish, expected: str, streaming: bool, parse_error: str
) -> None:
    reply = Reply(finish=finish, parse_error=parse_error)
    assert kind(reply, streaming=streaming, gives_reason=True) == ""
    assert kind(reply, streaming=streaming, gives_reason=True, on_content_filter="fallback") == expected


def test_the_parsers_message_stays_out() -> None:
    fault = judge(Reply(parse_error="1 validation error: input_value='my secret'"), streaming=False, gives_reason=True)
    assert fault is not None
    assert "secret" not in fault.told


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (Reply(), "the stream ended without a terminal reason"),
        (Reply(finish=Finish.STOP), "no text and no tool call"),
        (Reply(finish=Finish.REFUSAL), "finish reason refusal"),
        (Reply(finish=Finish.TOOL_CALLS, malformed_tool_calls=1), "1 tool call, none with valid arguments"),
        (Reply(finish=Finish.TOOL_CALLS, malformed_tool_calls=2), "2 tool calls, none with valid arguments"),
        (Reply(finish=Finish.TOOL_CALLS, malformed_tool_calls=1, tool_calls=1), "1 tool call, with broken arguments"),
        (
            Reply(finish=Finish.TOOL_CALLS, malformed_tool_calls=2, unoffered_tool_calls=2),
            "2 tool calls, of no tool that was offered",
        ),
        (
            Reply(finish=Finish.TOOL_CALLS, malformed_tool_calls=2, unoffered_tool_calls=1, tool_calls=1),
            "2 tool calls, broken or of no tool that was offered",
        ),
        (Reply(finish=Finish.STOP, text="{", parse_error="pydantic.ValidationError"), "pydantic.ValidationError"),
        (Reply(finish=Finish.STOP, text="{", parse_error="_" + "e" * 63), "_" + "e" * 63),
        (Reply(finish=Finish.STOP, text="{", parse_error="e" * 65), ""),
        (Reply(finish=Finish.STOP, text="{", parse_error="3 errors"), ""),
    ],
)
def test_what_it_tells(reply: Reply, detail: str) -> None:
    fault = judge(reply, streaming=True, gives_reason=True, on_content_filter="fallback")
    assert fault is not None
    assert fault.detail == detail


def test_a_filtered_reply_is_returned_unless_said_otherwise() -> None:
    assert judge(Reply(finish=Finish.CONTENT_FILTER), streaming=True, gives_reason=True) is None


@given(
    st.builds(
        Reply, text=st.text(max_size=3), finish=st.none() | st.sampled_from(Finish), tool_calls=st.integers(0, 2),
        malformed_tool_calls=st.integers(0, 2), cached=st.booleans(), parse_error=st.sampled_from(["", "E"]),
    ),
    st.booleans(), st.booleans(), st.sampled_from(["return", "fallback"]),
)  # fmt: skip
def test_rules_that_hold_for_any_reply(reply: Reply, streaming: bool, gives_reason: bool, on_filter: str) -> None:
    told = kind(reply, streaming=streaming, gives_reason=gives_reason, on_content_filter=on_filter)
    assert not told or told in KINDS
    if told == "truncated":
        assert streaming or not reply.empty
        assert gives_reason
        assert reply.finish is None
    if told == "empty":
        assert not reply.text.strip()
        assert reply.finish in (None, Finish.STOP, Finish.LENGTH, Finish.OTHER)
    if told == "malformed_tool_call":
        assert streaming or reply.tool_calls == 0
    sound = reply.tool_calls and not reply.malformed_tool_calls
    if sound and not reply.parse_error and reply.finish is Finish.TOOL_CALLS:
        assert told == ""
