"""Bodies and events of Gemini, Ollama and OpenAI that are no replies, over the packages of both frameworks.

Each is a fault of its server or model, whether or not a text came before, and never one of the package's code.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NamedTuple

import pytest
from google.genai.types import HttpOptions
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.google_genai import GoogleGenAI
from llama_index.llms.ollama import Ollama
from llama_index.llms.openai import OpenAIResponses
from llama_index.llms.openai_like import OpenAILike
from loopback import chat_server
from loopback.chat_server import ChatServer, completion, piece, reply

from langchain_router import AllCandidatesFailed, ChatRouter, StreamInterrupted
from llamaindex_router import RouterLLM

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # google-genai leaves sockets
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),  # its own
]
CLOSE = ["connection: close"]  # event loops end with their test
PRICE = {"price": {"input_mtok": 1, "output_mtok": 2}}
WHOLE, STREAM = reply(completion("good"), headers=CLOSE), (piece("good", role="assistant"), piece(finish="stop"))
GOOD = chat_server.sse(*STREAM, headers=CLOSE)
COUNTS_BLOCKED = version("langchain-google-genai") >= "4.4"  # of a stream's blocked prompt
Make = Callable[[str], Any]


def _gemini(url: str) -> Any:
    return ChatGoogleGenerativeAI(model="gemini-2.5-flash", base_url=url, api_key="k")


def _gemini_llm(url: str) -> Any:
    options = HttpOptions(base_url=url)
    return GoogleGenAI(model="gemini-2.5-flash", api_key="k", http_options=options, context_window=9999, max_tokens=99)


def _ollama(url: str) -> Any:
    return ChatOllama(model="m", base_url=url)


def _ollama_llm(url: str) -> Any:
    return Ollama(model="m", base_url=url, context_window=9999)


def _openai_llm(url: str) -> Any:
    return OpenAILike(model="m", api_base=f"{url}/v1", api_key="k", is_chat_model=True)


def _responses(url: str) -> Any:
    return ChatOpenAI(model="m", base_url=f"{url}/v1", api_key="k", use_responses_api=True)


def _responses_llm(url: str) -> Any:
    return OpenAIResponses(model="gpt-4o-mini", api_base=f"{url}/v1", api_key="k")


INDEX = (_gemini_llm, _ollama_llm, _openai_llm, _responses_llm)
GEMINI = pytest.mark.parametrize("make", [_gemini, _gemini_llm])
OLLAMA = pytest.mark.parametrize("make", [_ollama, _ollama_llm])
later = pytest.mark.parametrize("later", [False, True])


class Told(NamedTuple):
    """What came of a call: the text, the faults of the attempts, and of the first one whether its books are a guess."""

    text: str
    faults: list[str | None]
    guessed: bool


def asked(make: Make, step: Any, *, stream: bool = False, later: bool = False, **settings: Any) -> Told:
    """Of a model whose server answers so, and a sound one behind it."""
    with ChatServer(step) as bad, ChatServer(GOOD if stream else WHOLE) as good:
        first, url = make(bad.base_url.removesuffix("/v1")), good.base_url.removesuffix("/v1")
        beside = _openai_llm(url) if make in INDEX else ChatOpenAI(model="b", base_url=good.base_url, api_key="k2")
        models = [(first, {"id": "a", **PRICE}), (beside, {"id": "b", **PRICE})]
        llm: Any = (RouterLLM if make in INDEX else ChatRouter)(models=models, policy="single", **settings)
        try:
            text = asyncio.run(_aread(llm, stream)) if later else _read(llm, stream)
        except (StreamInterrupted, AllCandidatesFailed) as error:
            text = getattr(error, "partial", None) or type(error).__name__
        calls = llm.router.ledger.calls()
        assert (len(bad.seen), len(good.seen)) == (1, len(calls) - 1)
        assert all(row["in_flight"] == 0 for row in llm.router.health())
        assert all(call.input_tokens > 0 and call.cost_pico >= call.input_tokens * 1_000_000 for call in calls)
        return Told(text, [call.fault for call in calls], calls[0].estimated)


def _read(llm: Any, stream: bool) -> str:
    if isinstance(llm, RouterLLM):
        messages = [ChatMessage("hi")]
        if stream:
            return "".join(chunk.delta or "" for chunk in llm.stream_chat(messages))
        return llm.chat(messages).message.content or ""
    return "".join(str(chunk.text) for chunk in llm.stream("hi")) if stream else str(llm.invoke("hi").text)


async def _aread(llm: Any, stream: bool) -> str:
    if isinstance(llm, RouterLLM):
        messages = [ChatMessage("hi")]
        if stream:
            return "".join([chunk.delta or "" async for chunk in await llm.astream_chat(messages)])
        return (await llm.achat(messages)).message.content or ""
    return (
        "".join([str(chunk.text) async for chunk in llm.astream("hi")])
        if stream
        else str((await llm.ainvoke("hi")).text)
    )


def body(told: Any) -> Any:
    return reply(told if isinstance(told, bytes) else json.dumps(told).encode(), headers=CLOSE)


def candidate(parts: Any = None, reason: str | None = None, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"index": 0, **({"content": {"role": "model", "parts": parts}} if parts else {})}
    told.update({"finishReason": reason} if reason else {})
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 2, "totalTokenCount": 11}
    return {"candidates": [told], "usageMetadata": usage, "modelVersion": "m", **more}


def events(*told: Any) -> Any:
    data = b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in told)
    return reply(data, headers=CLOSE, kind="text/event-stream")


def said(text: str, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"model": "m", "created_at": "2025-01-01T00:00:00Z", "done": False, "message": message, **more}


def lines(*told: Any) -> Any:
    return reply(b"".join(json.dumps(one).encode() + b"\n" for one in told), headers=CLOSE, kind="application/x-ndjson")


ODD_COUNTS = {"promptTokenCount": 9.5}
LISTED = [{"functionCall": {"name": "look", "args": [1]}}]


@GEMINI
@later
@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (b"7", "server_error"),
        (candidate([{"text": "odd"}], "STOP", usageMetadata=ODD_COUNTS), "server_error"),
        (candidate(LISTED, "STOP"), "malformed_tool_call"),
    ],
)
def test_a_body_of_gemini(make: Make, told: Any, kind: str, later: bool) -> None:
    assert asked(make, body(told), later=later) == ("good", [kind, None], True)
    assert asked(make, events(7 if told == b"7" else told), later=later, stream=True) == ("good", [kind, None], True)


@GEMINI
@later
@pytest.mark.parametrize("told", [{}, {"candidates": []}, {"error": {"code": 503, "message": "down"}}])
def test_a_body_without_a_candidate_is_no_empty_answer(make: Make, told: Any, later: bool) -> None:
    assert asked(make, body(told), later=later) == ("good", ["server_error", None], True)


@GEMINI
@later
@pytest.mark.parametrize("event", [{"error": "down"}, candidate([{"text": "d"}], "STOP", usageMetadata=ODD_COUNTS)])
def test_an_event_of_gemini(make: Make, event: Any, later: bool) -> None:
    assert asked(make, events(event), stream=True, later=later) == ("good", ["server_error", None], True)
    told = asked(make, events(candidate([{"text": "od"}]), event), stream=True, later=later)
    assert told == ("od", ["server_error"], False)


BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}


@GEMINI
@later
def test_a_prompt_that_gemini_blocks_is_a_filters_end(make: Make, later: bool) -> None:
    told = asked(make, events(BLOCKED), stream=True, later=later)
    assert (told.text, told.faults) == ("", [None])
    assert told.guessed is (make is _gemini and not COUNTS_BLOCKED)
    text = "AllCandidatesFailed" if make is _gemini_llm else ""  # its integration raises
    assert asked(make, body(BLOCKED), later=later).text == text
    settings: Any = {"on_content_filter": "fallback"}
    for stream, step in ((True, events(BLOCKED)), (False, body(BLOCKED))):
        told = asked(make, step, stream=stream, later=later, **settings)
        assert (told.text, told.faults) == ("good", ["content_filtered", None])


ENDS = {
    "MALFORMED_FUNCTION_CALL": "malformed_tool_call", "UNEXPECTED_TOOL_CALL": "malformed_tool_call",
    "IMAGE_SAFETY": "content_filtered", "IMAGE_PROHIBITED_CONTENT": "content_filtered",
    "IMAGE_RECITATION": "content_filtered", "LANGUAGE": "empty", "OTHER": "empty",
}  # fmt: skip


@GEMINI
@later
@pytest.mark.parametrize("word", ENDS)
def test_how_gemini_ends_without_a_part(make: Make, word: str, later: bool) -> None:
    told = asked(make, body(candidate(None, word)), later=later, on_content_filter="fallback")
    assert (told.text, told.faults) == ("good", [ENDS[word], None])
    told = asked(make, events(candidate(None, word)), stream=True, later=later, on_content_filter="fallback")
    assert (told.text, told.faults) == ("good", [ENDS[word], None])


def test_two_geminis_at_two_addresses_do_not_share_what_is_held_against_one() -> None:
    step = body(candidate([{"text": "good"}], "STOP"))
    with ChatServer(reply({"error": {"code": 402}}, 402, CLOSE)) as bad, ChatServer(step) as good:
        urls = [server.base_url.removesuffix("/v1") for server in (bad, good)]
        llm = RouterLLM([(_gemini_llm(url), {"id": url}) for url in urls], policy="single")
        assert llm.complete("hi").text == "good"
        assert [call.fault for call in llm.router.ledger.calls()] == ["quota_exhausted", None]


CALLS = said("", done=True, done_reason="stop")
CALLS["message"]["tool_calls"] = [{"function": {"name": "look", "arguments": [1]}}]


@OLLAMA
@later
@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"error": "the model is overloaded"}, "overloaded"), ({"error": {"message": "down"}}, "server_error"),
        ({}, "server_error"), (None, "server_error"), ([], "server_error"), (CALLS, "malformed_tool_call"),
        ({**said(""), "message": None}, "server_error"),
    ],
)  # fmt: skip
def test_a_body_of_ollama(make: Make, told: Any, kind: str, later: bool) -> None:
    assert asked(make, lines(told), later=later) == ("good", [kind, None], True)
    assert asked(make, lines(told), stream=True, later=later) == ("good", [kind, None], True)
    if kind != "malformed_tool_call":
        assert asked(make, lines(said("od"), told), stream=True, later=later) == ("od", [kind], True)


@later
def test_a_text_that_is_no_unicode(later: bool) -> None:
    step = lines(said("o\ud83d", done=True, done_reason="stop"))
    assert asked(_ollama, step, later=later) == ("good", ["server_error", None], True)


@later
@pytest.mark.parametrize("told", [7, {**completion(), "choices": [{"index": 0, "message": {"content": 7}}]}])
def test_a_body_of_openai(told: Any, later: bool) -> None:
    assert asked(_openai_llm, body(told), later=later) == ("good", ["server_error", None], True)


@later
def test_a_content_that_is_no_text_in_a_stream(later: bool) -> None:
    step = chat_server.sse(piece("od", role="assistant"), piece(7), piece(finish="stop"), headers=CLOSE)  # type: ignore[arg-type]
    assert asked(_openai_llm, step, stream=True, later=later) == ("od", ["server_error"], True)


COUNTS = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}
ITEM = {"type": "message", "id": "m", "status": "completed", "role": "assistant", "content": []}


def response(status: str, **told: Any) -> dict[str, Any]:
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    return {
        "id": "r", "object": "response", "created_at": 1, "status": status, "error": None, "model": "m",
        "output": [ITEM],
        "incomplete_details": None, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {},
        "instructions": None, "temperature": 1, "top_p": 1, "usage": {**COUNTS, **details}, **told,
    }  # fmt: skip


@later
@pytest.mark.parametrize("make", [_responses, _responses_llm])
@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (response("failed", error={"code": "rate_limit_exceeded", "message": "slow"}), "rate_limited"),
        (response("failed"), "server_error"), (response("cancelled"), "server_error"), (7, "server_error"),
        (completion(), "server_error"),
    ],
)  # fmt: skip
def test_a_body_of_openais_responses(make: Make, told: Any, kind: str, later: bool) -> None:
    got = asked(make, body(told), later=later)
    assert (got.text, got.faults) == ("good", [kind, None])


def test_counts_without_an_end_are_none() -> None:
    content = [{"type": "output_text", "text": "odd", "annotations": []}]
    told = json.dumps(response("completed", output=[{**ITEM, "content": content}])).encode()
    step = body(told.replace(b'"output_tokens": 2', b'"output_tokens": Infinity'))
    assert asked(_responses_llm, step).text == "odd"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("make", [_openai_llm, _gemini, _gemini_llm, _responses])
def test_bytes_that_are_no_utf_8_came_with_an_answer(make: Make, stream: bool) -> None:
    told = json.dumps(completion("odd")).encode().replace(b"odd", b"o\xff\xc3d")
    step = reply(b"data: " + told + b"\n\n", headers=CLOSE, kind="text/event-stream") if stream else body(told)
    got = asked(make, step, stream=stream, later=True)
    assert got == ("good", ["server_error", None], True)
