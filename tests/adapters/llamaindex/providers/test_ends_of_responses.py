"""OpenAI's Responses through LlamaIndex: how replies and streams end, and errors that come as one more chunk."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAIResponses
from loopback.chat_server import ChatServer, Wire, reply

from llamaindex_router import AllCandidatesFailed, RouterLLM, StreamInterrupted

CLOSE = ["connection: close"]  # event loops end with their test
HI = [ChatMessage(content="hi")]
later = pytest.mark.parametrize("later", [False, True])


def body(*output: dict[str, Any], status: str = "completed", **more: Any) -> dict[str, Any]:
    counts = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    return {
        "id": "r", "object": "response", "created_at": 1, "model": "m", "status": status, "output": list(output),
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": {**counts, **details}, **more,
    }  # fmt: skip


def message(text: str, kind: str = "output_text") -> dict[str, Any]:
    part = {"type": kind, "refusal": text} if kind == "refusal" else {"type": kind, "text": text, "annotations": []}
    return {"type": "message", "id": "i", "role": "assistant", "status": "completed", "content": [part]}


def call(name: str = "multiply", arguments: str = '{"a": 6, "b": 7}') -> dict[str, Any]:
    return {"type": "function_call", "id": "f", "call_id": "c", "name": name, "arguments": arguments}


def events(*told: dict[str, Any]) -> Any:
    def step(wire: Wire) -> bool:
        lines = ["HTTP/1.1 200 OK", "content-type: text/event-stream", "transfer-encoding: chunked", *CLOSE]
        wire.send("\r\n".join(lines).encode() + b"\r\n\r\n")
        for number, event in enumerate(told):
            whole = {"sequence_number": number, **event}
            wire.chunk(f"event: {event['type']}\ndata: {json.dumps(whole)}\n\n".encode())
        wire.send(b"0\r\n\r\n")
        return False

    return step


def said(text: str) -> dict[str, Any]:
    place = {"item_id": "i", "output_index": 0, "content_index": 0, "logprobs": []}
    return {"type": "response.output_text.delta", "delta": text, **place}


BEGUN = {"type": "response.created", "response": body(status="in_progress")}
ERROR = {"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None}
FAILED = {"type": "response.failed", "response": body(status="failed", error={"code": "server_error", "message": "x"})}
DONE = {"type": "response.completed", "response": body(message("a b"))}
SOUND = events(BEGUN, said("a"), said(" b"), DONE)
WHOLE = reply(body(message("a b")), headers=CLOSE)


def asked(first: Any, *, stream: bool, later: bool, tools: Any = (), **settings: Any) -> tuple[str, list[str | None]]:
    """The answer's text, and the attempts' faults."""
    with ChatServer(first) as one, ChatServer(SOUND if stream else WHOLE) as two:
        models = [
            OpenAIResponses(model="gpt-4o-mini", api_key="k", api_base=server.base_url, max_retries=0)
            for server in (one, two)
        ]
        llm = RouterLLM(models=models, policy="single", **settings)

        async def read() -> str:
            if stream:
                return "".join([part.delta or "" async for part in await llm.astream_chat(HI)])
            return str((await llm.achat_with_tools(tools, "hi") if tools else await llm.achat(HI)).message.content)

        try:
            if later:
                text = asyncio.run(read())
            elif stream:
                text = "".join(part.delta or "" for part in llm.stream_chat(HI))
            else:
                text = str((llm.chat_with_tools(tools, "hi") if tools else llm.chat(HI)).message.content)
        except StreamInterrupted as error:
            text = f"broken: {error.partial}"
        return text, [record.fault for record in llm.router.ledger.calls()]


@later
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (SOUND, ("a b", [None])),
        (events(), ("a b", ["truncated", None])),
        (events(BEGUN), ("a b", ["truncated", None])),
        (events(BEGUN, ERROR), ("a b", ["rate_limited", None])),
        (events(BEGUN, FAILED), ("a b", ["server_error", None])),
        (events(BEGUN, said("a"), ERROR), ("broken: a", ["rate_limited"])),
        (events(BEGUN, said("a"), FAILED), ("broken: a", ["server_error"])),
        (events(BEGUN, said("a")), ("broken: a", ["truncated"])),
    ],
    ids=["sound", "nothing", "begun", "error", "failed", "error-later", "failed-later", "cut"],
)
def test_a_stream_is_whole_when_it_says_so(step: Any, expected: tuple[str, list[str | None]], later: bool) -> None:
    assert asked(step, stream=True, later=later) == expected


@pytest.mark.parametrize("form", ["error", "failed", "whole"])
def test_the_wait_that_an_error_event_asks_for_is_kept(form: str) -> None:
    told = {"code": "rate_limit_exceeded", "message": "Rate limit reached for x. Please try again in 45s."}
    failed = body(status="failed", error=told)
    ends = {
        "error": {"type": "error", "param": None, **told},
        "failed": {"type": "response.failed", "response": failed},
    }
    first = reply(failed, headers=CLOSE) if form == "whole" else events(BEGUN, ends[form])
    with ChatServer(first) as server:
        model = OpenAIResponses(model="gpt-4o-mini", api_key="k", api_base=server.base_url, max_retries=0)
        llm = RouterLLM(models=[model], retry={"attempts": 1})
        with pytest.raises(AllCandidatesFailed) as caught:
            llm.chat(HI) if form == "whole" else list(llm.stream_chat(HI))
    assert caught.value.retry_after_s == pytest.approx(45, abs=5)
    assert "Please" not in str(caught.value.__cause__)


INCOMPLETE = {"status": "incomplete"}
FILTERED = body(message("a"), **INCOMPLETE, incomplete_details={"reason": "content_filter"})
UNCOUNTED = body(status="failed", usage=None, error={"code": "rate_limit_exceeded", "message": "x"})
LIMITED = body(message("a"), **INCOMPLETE, incomplete_details={"reason": "max_output_tokens"})


@later
@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        (FILTERED, ("a b", ["content_filtered", None])),
        (LIMITED, ("a", [None])),
        (body(message("no", "refusal")), ("a b", ["refusal", None])),
        (body(message("a"), status="failed"), ("a b", ["server_error", None])),
        (UNCOUNTED, ("a b", ["rate_limited", None])),
        ({"error": {"code": "server_is_overloaded", "message": "x"}}, ("a b", ["overloaded", None])),
        ({}, ("a b", ["server_error", None])),
    ],
    ids=["filtered", "limited", "refused", "failed", "uncounted", "error", "nothing"],
)
def test_a_whole_reply_tells_why_it_ended(whole: Any, expected: tuple[str, list[str | None]], later: bool) -> None:
    step = reply(whole, headers=CLOSE)
    assert asked(step, stream=False, later=later, on_content_filter="fallback") == expected


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


@later
@pytest.mark.parametrize("made", [call(arguments='{"a": 6, "b'), call("divide")], ids=["broken", "unknown"])
def test_its_tool_calls_are_judged(made: dict[str, Any], later: bool) -> None:
    step, tools = reply(body(made), headers=CLOSE), [FunctionTool.from_defaults(multiply)]
    assert asked(step, stream=False, later=later, tools=tools) == ("a b", ["malformed_tool_call", None])
