"""Bodies and events that a package stumbles over are its server's fault, before the first text and after it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import pytest
from langchain_groq import ChatGroq
from langchain_ollama import ChatOllama
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from loopback import chat_server
from loopback.chat_server import ChatServer, Step, completion, piece, raw, sse

from langchain_router import ChatRouter, StreamInterrupted

OLD_OPENAI = version("langchain-openai").startswith("1.1.")  # it shows nobody these events
CLOSE = ["connection: close"]  # event loops end with their test
reply = partial(chat_server.reply, headers=CLOSE)
Make = Callable[[str], Any]


def _responses(url: str) -> Any:
    return ChatOpenAI(model="m", base_url=url, api_key="k", use_responses_api=True)


def _ollama(url: str) -> Any:
    return ChatOllama(model="m", base_url=url.removesuffix("/v1"))


def _openrouter(url: str) -> Any:
    return pytest.importorskip("langchain_openrouter").ChatOpenRouter(model="m", base_url=url, api_key="k")


def _perplexity(url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    partner = pytest.importorskip("langchain_perplexity")
    monkeypatch.setenv("PERPLEXITY_BASE_URL", url)
    return partner.ChatPerplexity(model="m", api_key="k")


def _asked(llm: ChatRouter) -> str:
    return str(llm.invoke("hi").content)


def _aasked(llm: ChatRouter) -> str:
    return str(asyncio.run(llm.ainvoke("hi")).content)


def _read(llm: ChatRouter) -> str:
    return "".join(str(chunk.text) for chunk in llm.stream("hi"))


def _aread(llm: ChatRouter) -> str:
    async def read() -> str:
        return "".join([str(chunk.text) async for chunk in llm.astream("hi")])

    return asyncio.run(read())


def _judged(make: Make, step: Step, ask: Callable[[ChatRouter], str], **settings: Any) -> tuple[str, list[str | None]]:
    """What the caller got, and the faults of the attempts."""
    whole = reply(completion("good"))
    stream = sse(piece("good", role="assistant"), piece(finish="stop"), headers=CLOSE)
    with ChatServer(step) as bad, ChatServer(stream if ask in (_read, _aread) else whole) as good:
        beside = ChatOpenAI(model="b", base_url=good.base_url, api_key="k2")
        llm = ChatRouter(models=[(make(bad.base_url), {"id": "a"}), beside], policy="single", **settings)
        try:
            got = ask(llm)
        finally:
            assert len(bad.seen) == 1
            assert all(row["in_flight"] == 0 for row in llm.router.health())
            faults = [call.fault for call in llm.router.ledger.calls()]
        return got, faults


def _event(kind: str, number: int, **told: Any) -> bytes:
    data = json.dumps({"type": kind, "sequence_number": number, **told})
    return f"event: {kind}\ndata: {data}\n\n".encode()


def _response(**told: Any) -> dict[str, Any]:
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "in_progress", "error": None, "model": "m",
        "incomplete_details": None, "output": [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "temperature": 1, "top_p": 1, "metadata": {}, "instructions": None, **told,
    }  # fmt: skip


BUSY = {"code": "rate_limit_exceeded", "message": "Slow down."}
BEGUN = _event("response.created", 1, response=_response())
ITEM = {"type": "message", "id": "msg_1", "status": "in_progress", "role": "assistant", "content": []}
TEXT = b"".join(
    (
        _event("response.output_item.added", 2, output_index=0, item=ITEM),
        _event(
            "response.output_text.delta", 3, item_id="msg_1", output_index=0, content_index=0, delta="BAD", logprobs=[]
        ),
    )
)
EVENTS = {
    "an error": (_event("error", 4, **BUSY, param=None), "rate_limited"),
    "a failure": (
        _event("response.failed", 4, response=_response(status="failed", error={**BUSY, "code": "server_error"})),
        "server_error",
    ),
}


@pytest.mark.parametrize("ask", [_read, _aread])
@pytest.mark.parametrize("name", EVENTS)
def test_an_event_of_openais_responses_before_the_first_text(name: str, ask: Callable[[ChatRouter], str]) -> None:
    event, kind = EVENTS[name]
    kind = "truncated" if OLD_OPENAI else kind
    assert _judged(_responses, sse(BEGUN, event, end="clean", headers=CLOSE), ask) == ("good", [kind, None])


@pytest.mark.parametrize("ask", [_read, _aread])
@pytest.mark.parametrize("name", EVENTS)
def test_an_event_of_openais_responses_behind_text(name: str, ask: Callable[[ChatRouter], str]) -> None:
    event, kind = EVENTS[name]
    with pytest.raises(StreamInterrupted) as caught:
        _judged(_responses, sse(BEGUN, TEXT, event, end="clean", headers=CLOSE), ask)
    assert caught.value.partial == "BAD"
    assert [failed.fault for failed in caught.value.failures] == ["truncated" if OLD_OPENAI else kind]


@pytest.mark.parametrize("ask", [_asked, _aasked])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (_response(status="failed", error=BUSY), "rate_limited"),
        ({}, "server_error"), (b"null", "server_error"), (b"<html>down</html>", "server_error"),
    ],
)  # fmt: skip
def test_a_body_of_openais_responses(body: Any, kind: str, ask: Callable[[ChatRouter], str]) -> None:
    assert _judged(_responses, reply(body), ask) == ("good", [kind, None])


@pytest.mark.parametrize("ask", [_asked, _aasked, _read, _aread])
@pytest.mark.parametrize("body", [{}, b"null", b"[]", {"model": "m", "done": True}])
def test_a_body_of_ollama(body: Any, ask: Callable[[ChatRouter], str]) -> None:
    assert _judged(_ollama, reply(body), ask) == ("good", ["server_error", None])


@pytest.mark.parametrize("ask", [_asked, _aasked])
@pytest.mark.parametrize(
    ("body", "kind"), [({}, "server_error"), ({"error": {"code": 429, "message": "wait"}}, "rate_limited")]
)
def test_a_body_of_openrouter(body: Any, kind: str, ask: Callable[[ChatRouter], str]) -> None:
    assert _judged(_openrouter, reply(body), ask) == ("good", [kind, None])


@pytest.mark.parametrize("ask", [_read, _aread])
def test_an_event_of_openrouter(ask: Callable[[ChatRouter], str]) -> None:
    event = {"error": {"code": 502, "message": "no provider"}}
    assert _judged(_openrouter, sse(event, headers=CLOSE), ask) == ("good", ["server_error", None])
    with pytest.raises(StreamInterrupted) as caught:
        _judged(_openrouter, sse(piece("BAD", role="assistant"), event, headers=CLOSE), ask)
    assert (caught.value.partial, caught.value.failures[0].fault) == ("BAD", "server_error")


@pytest.mark.parametrize("ask", [_read, _aread])
@pytest.mark.parametrize("rest", [[], [{"error": {"message": "overloaded", "code": 503}}]])
def test_a_cut_stream_of_perplexitys_first_call(
    rest: list[Any], ask: Callable[[ChatRouter], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(url: str) -> Any:
        return _perplexity(url.removesuffix("/v1"), monkeypatch)

    with pytest.raises(StreamInterrupted) as caught:
        _judged(make, sse(piece("BAD", role="assistant"), *rest, end="clean", headers=CLOSE), ask)
    assert caught.value.partial == "BAD"


@pytest.mark.parametrize("ask", [_asked, _aasked])
def test_a_whole_reply_of_perplexity_owes_no_reason(
    ask: Callable[[ChatRouter], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(url: str) -> Any:
        return _perplexity(url.removesuffix("/v1"), monkeypatch)

    assert _judged(make, reply(completion("whole")), ask) == ("whole", [None])


@pytest.mark.parametrize("ask", [_asked, _aasked])
def test_an_error_in_the_reply_that_groqs_package_reads_as_a_dict(ask: Callable[[ChatRouter], str]) -> None:
    def make(url: str) -> Any:
        return ChatGroq(model="m", base_url=url.removesuffix("/v1"), api_key="k")

    body = {"error": {"message": "wait", "type": "requests", "code": "rate_limit_exceeded"}}
    fault = _judged(make, reply(body), ask)[1][0]
    assert fault in ("rate_limited", "server_error")  # its SDK may have dropped what it doesn't know


FILTERED = completion("", finish_reason="content_filter")


def _azure(url: str) -> Any:
    endpoint = url.removesuffix("/v1")
    return AzureChatOpenAI(azure_deployment="m", azure_endpoint=endpoint, api_key="k", api_version="2024-10-21")


@pytest.mark.parametrize("ask", [_asked, _aasked])
def test_azures_filtered_answer_reaches_the_caller_as_without_a_router(ask: Callable[[ChatRouter], str]) -> None:
    with pytest.raises(ValueError, match="content filter") as caught:
        _judged(_azure, reply(FILTERED), ask)
    assert type(caught.value) is ValueError
    settings = {"on_content_filter": "fallback"}
    assert _judged(_azure, reply(FILTERED), ask, **settings) == ("good", ["content_filtered", None])


@pytest.mark.parametrize("ask", [_asked, _read])
def test_a_broken_gzip_is_told_as_that(ask: Callable[[ChatRouter], str]) -> None:
    def make(url: str) -> Any:
        return ChatOpenAI(model="m", base_url=url, api_key="k")

    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n"
    assert _judged(make, raw(head + b"oops"), ask) == ("good", ["server_error", None])


@pytest.mark.parametrize("ask", [_asked, _aasked])
def test_arguments_that_are_a_list_are_a_malformed_call(ask: Callable[[ChatRouter], str]) -> None:
    def make(url: str) -> Any:
        return ChatOpenAI(model="m", base_url=url, api_key="k")

    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '["x"]'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    body = completion(message=message, finish_reason="tool_calls")
    assert _judged(make, reply(body), ask) == ("good", ["malformed_tool_call", None])
