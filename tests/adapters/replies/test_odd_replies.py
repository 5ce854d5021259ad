"""Replies that no provider should send, and some do: never cut silently, never of two choices, and told by a fault."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from adapters.replies.clients import CHAIN, TOOL, Make, built_in, endpoint, like, openai, search
from langchain_core.messages import AIMessage
from loopback import chat_server
from loopback.chat_server import ChatServer, completion, piece, raw, reply

from capability_router.request import Finish
from langchain_router import ChatRouter
from langchain_router.messages.replies import EventReader, ReplyReader
from llamaindex_router import RouterLLM, StreamInterrupted

CLOSE = ["connection: close"]  # event loops end with their test
sse = partial(chat_server.sse, headers=CLOSE)


def call(arguments: Any = '{"q": "x"}', id: str = "t0", index: int = 0) -> dict[str, Any]:
    return {"index": index, "id": id, "type": "function", "function": {"name": "search", "arguments": arguments}}


def whole(content: Any, finish: Any = "stop", **message: Any) -> Any:
    told = {"role": "assistant", "content": content, **message}
    return reply(completion("", message=told, finish_reason=finish), headers=CLOSE)


def plain(body: bytes, kind: str = "text/event-stream", status: str = "200 OK", *headers: str) -> Any:
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}", *CLOSE, *headers]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


every = pytest.mark.parametrize("make", [openai, built_in, like, endpoint])
ours = pytest.mark.parametrize("make", [built_in, endpoint])
both = pytest.mark.parametrize("stream", [False, True])
whenever = pytest.mark.parametrize("later", [False, True])


class Told:
    """What came of a call whose first model answered so: the text, the calls, the faults."""

    def __init__(self, make: Make, step: Any, *, stream: bool, later: bool = False) -> None:
        well = sse(piece("well"), piece(finish="stop")) if stream else whole("well")
        with ChatServer(step) as first, ChatServer(well) as second:
            models = [make(first.base_url, "a"), make(second.base_url, "b")]
            self._llm = (ChatRouter if make in CHAIN else RouterLLM)(models=models, policy="single")
            self.text, self.calls = asyncio.run(self._later(stream)) if later else self._now(stream)
        self.faults = [line.fault for line in self._llm.router.ledger.calls()]

    def _now(self, stream: bool) -> Any:
        llm = self._llm
        if isinstance(llm, RouterLLM):
            told = [*llm.stream_chat_with_tools([TOOL], "hi")][-1] if stream else llm.chat_with_tools([TOOL], "hi")
            return self._indexed(told)
        bound = llm.bind_tools([search])
        return self._chained(list(bound.stream("hi")) if stream else [bound.invoke("hi")])

    async def _later(self, stream: bool) -> Any:
        llm = self._llm
        if isinstance(llm, RouterLLM):
            if stream:
                return self._indexed([chunk async for chunk in await llm.astream_chat_with_tools([TOOL], "hi")][-1])
            return self._indexed(await llm.achat_with_tools([TOOL], "hi"))
        bound = llm.bind_tools([search])
        return self._chained([c async for c in bound.astream("hi")] if stream else [await bound.ainvoke("hi")])

    def _chained(self, chunks: Any) -> Any:
        message = sum(chunks[1:], chunks[0])
        return str(message.text), [one["args"] for one in message.tool_calls]

    def _indexed(self, told: Any) -> Any:
        calls = self._llm.get_tool_calls_from_response(told, error_on_no_tool_call=False)
        return told.message.content or "", [one.tool_kwargs for one in calls]


@every
@both
@whenever
def test_an_end_for_tool_calls_and_none(make: Make, stream: bool, later: bool) -> None:
    step = sse(piece(role="assistant"), piece(finish="tool_calls")) if stream else whole(None, "tool_calls")
    told = Told(make, step, stream=stream, later=later)
    assert (told.text, told.faults) == ("well", ["malformed_tool_call", None])


@every
def test_with_text_it_is_an_answer(make: Make) -> None:
    told = Told(make, sse(piece("odd"), piece(finish="tool_calls")), stream=True)
    assert (told.text, told.faults) == ("odd", [None])


@pytest.mark.parametrize("make", CHAIN)
@both
def test_calls_that_share_an_id(make: Make, stream: bool) -> None:
    two = [call(), call('{"q": "y"}')]
    step = whole(None, "tool_calls", tool_calls=two)
    if stream:
        pieces = [piece(tool_calls=[{**one, "index": index}]) for index, one in enumerate(two)]
        step = sse(*pieces, piece(finish="tool_calls"))
    told = Told(make, step, stream=stream)
    assert (told.calls, told.faults) == ([{"q": "x"}, {"q": "y"}], [None])


def test_calls_that_share_a_number_in_a_whole_reply() -> None:
    told = Told(endpoint, whole(None, "tool_calls", tool_calls=[call(), call('{"q": "y"}')]), stream=False)
    assert (told.calls, told.faults) == ([{"q": "x"}], [None])  # LlamaIndex takes the first alone


@ours
def test_a_name_that_is_said_again_with_each_piece(make: Make) -> None:
    pieces = [piece(tool_calls=[call(bit)]) for bit in ("", '{"q":', ' "x"}')]
    told = Told(make, sse(*pieces, piece(finish="tool_calls")), stream=True)
    assert (told.calls, told.faults) == ([{"q": "x"}], [None])


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # ChatOpenAI's, over a list where a text should be
@every
@whenever
def test_content_in_parts_that_a_package_can_not_read(make: Make, later: bool) -> None:
    parts = [{"type": "text", "text": "odd"}, {"type": "widget", "widget": 1}]
    told = Told(make, sse(piece(role="assistant", content=parts), piece(finish="stop")), stream=True, later=later)
    assert (told.text, told.faults) == (("well", ["server_error", None]) if make is like else ("odd", [None]))


def choice(number: int, text: str | None = None, finish: str | None = None) -> dict[str, Any]:
    told = piece(text, finish)
    return {**told, "choices": [{**told["choices"][0], "index": number}]}


@ours
def test_of_several_choices_one_is_read(make: Make) -> None:
    mixed = (choice(0, "o"), choice(1, "XX"), choice(0, "dd"), choice(1, None, "length"), choice(0, None, "stop"))
    told = Told(make, sse(*mixed), stream=True)
    assert (told.text, told.faults) == ("odd", [None])


@ours
def test_the_end_of_another_choice_is_none(make: Make) -> None:
    with pytest.raises(StreamInterrupted):
        Told(make, sse(choice(0, "o"), choice(1, "XX"), choice(1, None, "stop")), stream=True)


@ours
def test_number_0_is_read_wherever_it_stands(make: Make) -> None:
    body = completion()
    body["choices"] = [
        {"index": number, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for number, text in ((1, "other"), (0, "odd"))
    ]
    assert Told(make, reply(body, headers=CLOSE), stream=False).text == "odd"


@ours
def test_a_lone_choice_may_have_any_number(make: Make) -> None:
    told = Told(make, sse(choice(7, "o"), choice(7, "dd"), choice(7, None, "stop")), stream=True)
    assert (told.text, told.faults) == ("odd", [None])


@ours
@both
@pytest.mark.parametrize("body", [b"[" * 100_000 + b"]" * 100_000], ids=["deep"])
def test_json_that_is_too_deep(make: Make, stream: bool, body: bytes) -> None:
    step = plain(b"data: " + body + b"\n\n") if stream else plain(body, "application/json")
    assert Told(make, step, stream=stream).faults == ["server_error", None]


@ours
@pytest.mark.parametrize("usage", [[1], "none", 7])
def test_counts_of_another_form_are_none(make: Make, usage: Any) -> None:
    told = Told(make, reply({**completion("odd"), "usage": usage}, headers=CLOSE), stream=False)
    assert (told.text, told.faults) == ("odd", [None])


GOOD = b"".join(
    b"data: " + json.dumps(p, ensure_ascii=False).encode() + b"\n\n" for p in (piece("ö"), piece("dd", "stop"))
)
DONE = b"data: [DONE]\n\n"
STREAMS = {
    "CRLF": GOOD.replace(b"\n", b"\r\n") + DONE,
    "CR": GOOD.replace(b"\n", b"\r") + DONE,
    "no space": GOOD.replace(b"data: ", b"data:") + DONE,
    "text after the end": GOOD + DONE + GOOD,
    "no text after the end": GOOD + DONE + b"data: {nonsense\n\n<html>",
    "comments": b": hi\n\n" + GOOD + b": hi\n\n" + DONE,
}


@every
@whenever
@pytest.mark.parametrize("what", STREAMS)
def test_streams_that_are_whole(make: Make, what: str, later: bool) -> None:
    told = Told(make, plain(STREAMS[what]), stream=True, later=later)
    assert (told.text, told.faults) == ("ödd", [None])


@every
def test_an_event_cut_within_a_character(make: Make) -> None:
    body = GOOD + DONE
    at = body.index("ö".encode()) + 1
    told = Told(make, sse(body[:at], 0.02, body[at:], end="clean"), stream=True)
    assert (told.text, told.faults) == ("ödd", [None])


NOTHING = {
    "204": plain(b"", "text/plain", "204 No Content"), "205": plain(b"", "text/plain", "205 Reset Content"),
    "202": plain(b'{"status": "queued"}', "application/json", "202 Accepted"),
    "304": plain(b"", "text/plain", "304 Not Modified"), "300": plain(b"", "text/plain", "300 Multiple Choices"),
    "comments": plain(b": hi\n\n: hi\n\n"), "nothing": plain(b""), "an error": reply({"error": "boom"}, headers=CLOSE),
}  # fmt: skip


@every
@both
@pytest.mark.parametrize("what", NOTHING)
def test_what_is_no_answer_is_followed_by_one(make: Make, what: str, stream: bool) -> None:
    told = Told(make, NOTHING[what], stream=stream)
    assert told.text == "well"
    assert told.faults[0] in ("server_error", "truncated", "unknown")


@every
@both
@pytest.mark.parametrize("hint", ["103 Early Hints", "100 Continue"])
def test_what_comes_before_the_status_is_passed_over(make: Make, hint: str, stream: bool) -> None:
    body = GOOD + DONE if stream else json.dumps(completion("ödd")).encode()
    kind = "text/event-stream" if stream else "application/json"
    head = f"HTTP/1.1 {hint}\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n"
    step = raw(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    assert Told(make, step, stream=stream).text == "ödd"


WAITS = ["-5", "99999999999999999999", "NaN", "inf", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Oct 2015 07:28:00 GMT"]


@every
@pytest.mark.parametrize("wait", WAITS)
def test_waits_that_make_no_sense(make: Make, wait: str) -> None:
    step = reply({"error": {"message": "slow", "code": "rate_limit_exceeded"}}, 429, [*CLOSE, f"retry-after: {wait}"])
    told = Told(make, step, stream=False)
    assert (told.text, told.faults) == ("well", ["rate_limited", None])


OTHERS: list[dict[str, Any]] = [
    {"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
    {"content": [{"type": "image", "base64": "AA==", "mime_type": "image/png"}]},
    {"content": "", "additional_kwargs": {"audio": {"id": "a", "data": "AA=="}}},
    {"content": "", "additional_kwargs": {"function_call": {"name": "f", "arguments": "{}"}}},
]


@pytest.mark.parametrize("told", OTHERS, ids=range(len(OTHERS)))
def test_an_answer_of_an_image_or_sound_alone_is_not_empty(told: dict[str, Any]) -> None:
    reader = ReplyReader()
    reader.see(AIMessage(**told, response_metadata={"finish_reason": "stop"}))
    assert reader.reply().other
    assert not reader.reply().empty


@pytest.mark.parametrize("key", ["reason", "finish_reason"])
def test_the_reason_that_a_finish_event_has_beside_its_metadata(key: str) -> None:
    events = EventReader()
    events.see({"event": "message-finish", key: "length", "metadata": {"model_name": "m"}})
    assert events.reply().finish is Finish.LENGTH
