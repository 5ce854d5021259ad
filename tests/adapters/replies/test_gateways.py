"""What stands before a provider refuses in its place, or a server is not ready: others are asked, nobody is banned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import ChatServer, completion, piece, raw, reply, sse

from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM

CLOSE = ["connection: close"]  # event loops end with their test
HI = [ChatMessage(content="hi")]


def answer(status: int, body: bytes, kind: str = "text/html", *headers: str) -> Any:
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", f"content-length: {len(body)}", *CLOSE, *headers]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def page(title: str) -> bytes:
    return f"<html><head><title>{title}</title></head><body><hr><center>nginx</center></body></html>".encode()


SAID = {
    "nginx, 400": (answer(400, page("400 Bad Request")), "server_error"),
    "TLS port": (answer(400, page("400 The plain HTTP request was sent to HTTPS port")), "server_error"),
    "headers, 400": (answer(400, page("400 Request Header Or Cookie Too Large")), "unsupported"),
    "headers, 431": (answer(431, b""), "unsupported"),
    "address too long": (answer(414, page("414 Request-URI Too Large")), "unsupported"),
    "media type": (answer(415, b'{"error": {"message": "no"}}', "application/json"), "unsupported"),
    "length": (answer(411, page("411 Length Required")), "server_error"),
    "Cloudflare, 520": (answer(520, page("520: Web server is returning an unknown error")), "server_error"),
    "Cloudflare, 524": (answer(524, page("524: A timeout occurred")), "timeout"),
    "loading": (
        answer(400, b'{"error": {"message": "Model m is currently loading"}}', "application/json"),
        "overloaded",
    ),
    "early hints": (
        raw(
            b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
            b"HTTP/1.1 503 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        ),
        "overloaded",
    ),
    "a large header": (answer(200, b"{}", "application/json", f"x-large: {'a' * 200_000}"), "connection"),
}
MAKES: dict[str, Callable[[str], Any]] = {
    "ChatOpenAI": lambda url: ChatOpenAI(model="m", base_url=url, api_key="k"),
    "ChatAnthropic": lambda url: ChatAnthropic(model="m", base_url=url, api_key="k"),
    "ChatEndpoint": lambda url: ChatEndpoint(base_url=url, model="m", api_key="k"),
    "OpenAILike": lambda url: OpenAILike(model="m", api_base=url, api_key="k", is_chat_model=True),
    "EndpointLLM": lambda url: EndpointLLM(base_url=url, model="m", api_key="k"),
}


def routed(name: str, first: str, second: str) -> Any:
    chain = name.startswith("Chat")
    other = MAKES["ChatEndpoint" if chain else "EndpointLLM"](second)
    return (ChatRouter if chain else RouterLLM)(
        models=[(MAKES[name](first), {"id": "a"}), (other, {"id": "b"})], policy="single"
    )


def asked(llm: Any, *, stream: bool, later: bool) -> str:
    if later:
        return asyncio.run(_later(llm, stream=stream))
    if isinstance(llm, RouterLLM):
        return str([*llm.stream_chat(HI)][-1].message.content if stream else llm.chat(HI).message.content)
    return "".join(str(chunk.content) for chunk in llm.stream("hi")) if stream else str(llm.invoke("hi").content)


async def _later(llm: Any, *, stream: bool) -> str:
    if isinstance(llm, RouterLLM):
        if stream:
            return str([chunk async for chunk in await llm.astream_chat(HI)][-1].message.content)
        return str((await llm.achat(HI)).message.content)
    if stream:
        return "".join([str(chunk.content) async for chunk in llm.astream("hi")])
    return str((await llm.ainvoke("hi")).content)


@pytest.mark.parametrize(("stream", "later"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("name", list(MAKES))
def test_others_are_asked_and_nobody_is_banned(name: str, stream: bool, later: bool) -> None:
    for what, (step, kind) in SAID.items():
        well = (
            sse(piece("well"), piece(finish="stop"), headers=CLOSE) if stream else reply(completion("well"), 200, CLOSE)
        )
        with ChatServer(step) as first, ChatServer(well) as second:
            llm = routed(name, first.base_url, second.base_url)
            assert asked(llm, stream=stream, later=later) == "well", what
            assert [call.fault for call in llm.router.ledger.calls()] == [kind, None], what
            assert llm.router.health()[0]["disabled"] == 0, what
            assert len(first.seen) == 1, what


@pytest.mark.parametrize("name", ["ChatEndpoint", "EndpointLLM", "ChatOpenAI", "OpenAILike"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_sentence_in_place_of_an_error_is_understood_by_every_client(name: str, stream: bool) -> None:
    told = {"error": "Rate limit exceeded, too many requests"}
    step = sse(told, headers=CLOSE) if stream else reply(told, 200, CLOSE)
    well = sse(piece("well"), piece(finish="stop"), headers=CLOSE) if stream else reply(completion("well"), 200, CLOSE)
    with ChatServer(step) as first, ChatServer(well) as second:
        llm = routed(name, first.base_url, second.base_url)
        assert asked(llm, stream=stream, later=False) == "well"
        assert [call.fault for call in llm.router.ledger.calls()] == ["rate_limited", None]
        assert llm.router.health()[0]["held_by"] == "rate_limit"
