from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.endpoints.reply_assembler import ReplyAssembler
from capability_router.endpoints.sse import SseParser
from capability_router.endpoints.wire import Delta, ToolCallDelta, delta_from, finish_from, request_body, usage_from
from capability_router.request import Finish, Reply, Usage


def reply_from(body: dict[str, Any], headers: dict[str, str] | None = None) -> Reply:
    """The reply in the body of a call without a stream."""
    assembly = ReplyAssembler()
    assembly.add(delta_from(body))
    return assembly.reply(headers)


def parsed(data: bytes, *cuts: int) -> list[bytes]:
    parser, out, start = SseParser(), [], 0
    for cut in (*sorted(cuts), len(data)):
        out += parser.feed(data[start:cut])
        start = max(cut, start)
    return out + parser.close()


STREAM = (
    b': hi\r\nevent: x\r\ndata: {"a":1}\r\n\r\ndata:two\ndata:  lines\n\nid: 4\n\ndata\n\rdata: last\r\rdata: [DONE]'
)
EVENTS = [b'{"a":1}', b"two\n lines", b"", b"last", b"[DONE]"]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_events_do_not_depend_on_where_the_bytes_are_cut(cuts: list[int]) -> None:
    assert parsed(STREAM, *cuts) == EVENTS


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), max_size=5), st.data())
def test_what_is_written_is_read(payloads: list[str], data: st.DataObject) -> None:
    newline = data.draw(st.sampled_from([b"\n", b"\r\n"]))
    stream = b"".join(b"data: " + p.encode() + newline + newline for p in payloads)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    assert parsed(stream, *cuts) == [p.encode() for p in payloads]


def test_a_byte_order_mark_is_skipped() -> None:
    assert parsed(b"\xef\xbb\xbfdata: x\n\n") == [b"x"]


def test_a_long_line_in_many_pieces_is_read_in_linear_time() -> None:
    parser = SseParser()
    for _ in range(20_000):
        assert parser.feed(b"x" * 100) == []
    assert len(parser._rests) == 20_000  # not joined until the line ends
    assert parser.feed(b"\n") == []


@pytest.mark.parametrize("odd", [5, True, {"summary": "x"}, [{"text": "x"}]])
def test_what_should_be_text_and_is_none_costs_no_answer(odd: Any) -> None:
    message = {"content": "hello", "reasoning": odd, "reasoning_content": odd, "refusal": odd}
    assembly = ReplyAssembler()
    assembly.add(delta_from({"choices": [{"message": message, "text": odd, "finish_reason": "stop"}]}))
    assert assembly.reply() == Reply(text="hello", finish=Finish.STOP, carried=True)
    assert assembly.message() == {"role": "assistant", "content": "hello"}
    assert not delta_from({"choices": [{"text": odd}]}).carries


def test_the_request_is_one_json_object() -> None:
    body = {"messages": [{"role": "user", "content": "é"}], "max_completion_tokens": 5}
    assert json.loads(request_body(body, model="m")) == {"model": "m", **body}
    streamed = json.loads(request_body(body, model="m", stream=True))
    assert streamed == {"model": "m", **body, "stream": True, "stream_options": {"include_usage": True}}
    assert "stream_options" not in json.loads(request_body(body, model="m", stream=True, include_usage=False))
    assert json.loads(request_body({**streamed, "model": "own"}, model="m")) == {**body, "model": "own"}
    assert body.keys() == {"messages", "max_completion_tokens"}


def test_a_lone_surrogate_is_sent_escaped() -> None:
    assert json.loads(request_body({"x": "\ud800"}, model="m"))["x"] == "\ud800"


@pytest.mark.parametrize("value", [float("nan"), object()])
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        request_body({"x": value}, model="m")


def test_a_whole_reply_is_one_delta() -> None:
    body = {
        "id": "c1", "model": "m-1",
        "choices": [{
            "finish_reason": "tool_calls",
            "message": {
                "content": None, "reasoning_content": "hm", "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "b", "type": "function", "function": {"name": "g", "arguments": {"x": 1}}},
                ],
            },
        }],
        "usage": {
            "prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140, "cost": 0.0012,
            "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 2},
        },
    }  # fmt: skip
    delta = delta_from(body)
    assert delta == Delta(
        "", "hm", (ToolCallDelta(0, "a", "f", "{}"), ToolCallDelta(1, "b", "g", '{"x": 1}')), Finish.TOOL_CALLS,
        "tool_calls", Usage(100, 40, 64, 0, 30, 3, 2), "m-1", "c1", "", Decimal("0.0012"), body,
    )  # fmt: skip
    reply = reply_from(body, {"retry-after": "1"})
    assert (reply.tool_calls, reply.malformed_tool_calls, reply.cost_usd, reply.finish, reply.tool_call_ids) == (
        2, 0, Decimal("0.0012"), Finish.TOOL_CALLS, ("a", "b"),
    )  # fmt: skip
    assert reply.headers == {"retry-after": "1"}


def test_nulls_count_as_absent() -> None:
    chunk = {
        "id": None, "model": None, "usage": None,
        "choices": [{"delta": {"content": None, "tool_calls": None, "refusal": None}, "finish_reason": None}],
    }  # fmt: skip
    assert delta_from(chunk) == Delta(raw=chunk)
    assert delta_from({"choices": None}).carries is False


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"reasoning": "hm"}, "", "hm"),
        ({"content": [{"type": "thinking", "thinking": [{"text": "h"}]}, {"type": "text", "text": "t"}]}, "t", "h"),
        ({"content": ["a", {"type": "text", "text": "b"}]}, "ab", ""),
    ],
)  # fmt: skip
def test_reasoning_and_parts(message: dict[str, Any], text: str, reasoning: str) -> None:
    delta = delta_from({"choices": [{"message": message}]})
    assert (delta.text, delta.reasoning, delta.carries) == (text, reasoning, True)


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 32,
          "completion_tokens_details": {"reasoning_tokens": 20}}, Usage(5, 27, reasoning_tokens=20)),
        ({"prompt_tokens": 5, "prompt_cache_hit_tokens": 3}, Usage(5, cache_read_tokens=3)),
        ({"prompt_tokens": 5, "cached_tokens": 3}, Usage(5, cache_read_tokens=3)),
        ({"prompt_tokens": None, "completion_tokens": -1, "prompt_tokens_details": None}, Usage()),
    ],
)  # fmt: skip
def test_usage_of_other_dialects(usage: dict[str, Any], told: Usage) -> None:
    assert usage_from(usage) == told


def test_groq_puts_usage_elsewhere() -> None:
    assert delta_from({"choices": [], "x_groq": {"usage": {"prompt_tokens": 3}}}).usage == Usage(3)


@pytest.mark.parametrize("cost", [{"total_cost": 0.5}, 0.5])
def test_the_providers_own_bill(cost: Any) -> None:
    assert delta_from({"usage": {"prompt_tokens": 1, "cost": cost}}).cost == 0.5


@pytest.mark.parametrize(
    ("raw", "finish"),
    [("stop", Finish.STOP), ("MAX_TOKENS", Finish.LENGTH), ("function_call", Finish.TOOL_CALLS),
     ("content_filter", Finish.CONTENT_FILTER), ("SAFETY", Finish.CONTENT_FILTER), ("novel", Finish.OTHER)],
)  # fmt: skip
def test_finish_words(raw: str, finish: Finish) -> None:
    assert finish_from(raw) is finish


@given(st.data())
def test_a_reply_does_not_depend_on_how_it_was_cut(data: st.DataObject) -> None:
    text = data.draw(st.text(max_size=20))
    calls = data.draw(st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), max_size=3))
    assembly = ReplyAssembler()
    for character in text:
        assembly.add(Delta(character))
    for index, arguments in enumerate(map(json.dumps, calls)):
        assembly.add(Delta(tool_calls=(ToolCallDelta(index, f"id{index}", "f"),)))
        for character in arguments:
            assembly.add(Delta(tool_calls=(ToolCallDelta(index, "", "", character),)))
    assembly.add(Delta(finish=Finish.STOP, finish_raw="stop"))
    message = assembly.message()
    assert (message["content"] or "") == text
    assert [json.loads(call["function"]["arguments"]) for call in message.get("tool_calls", [])] == calls
    assert (assembly.reply().tool_calls, assembly.reply().malformed_tool_calls) == (len(calls), 0)


def test_parallel_calls_under_one_index_stay_apart() -> None:
    assembly = ReplyAssembler()
    for name in ("f", "g"):
        assembly.add(Delta(tool_calls=(ToolCallDelta(0, f"id-{name}", name, "{}"),)))
    assert [call.name for call in assembly.calls] == ["f", "g"]


def test_a_call_cut_off_in_the_middle_is_not_malformed() -> None:
    assembly = ReplyAssembler()
    assembly.add(Delta(tool_calls=(ToolCallDelta(0, "a", "f", '{"x'),)))
    assert (assembly.reply().tool_calls, assembly.reply().malformed_tool_calls) == (1, 0)
    assembly.add(Delta(finish=Finish.TOOL_CALLS, finish_raw="tool_calls"))
    assert (assembly.reply().tool_calls, assembly.reply().malformed_tool_calls) == (0, 1)


@pytest.mark.parametrize("arguments", ["[1]", "7", "{", "nope"])
def test_arguments_that_are_no_object_are_malformed(arguments: str) -> None:
    assembly = ReplyAssembler()
    assembly.add(Delta(tool_calls=(ToolCallDelta(0, "a", "f", arguments),), finish=Finish.STOP, finish_raw="stop"))
    assert assembly.reply().malformed_tool_calls == 1


def test_a_refusal_is_told_as_one() -> None:
    reply = reply_from({"choices": [{"message": {"refusal": "I can't"}, "finish_reason": "stop"}]})
    assert (reply.finish, reply.text, reply.empty) == (Finish.REFUSAL, "I can't", False)


@pytest.mark.parametrize("count", [None, "9", float("nan")])
def test_what_an_input_without_a_count_leaves_of_the_total_is_no_output(count: Any) -> None:
    told = usage_from({"prompt_tokens": count, "completion_tokens": 2, "total_tokens": 11})
    assert (told.input_tokens, told.output_tokens, told.reasoning_tokens) == (0, 2, 0)
