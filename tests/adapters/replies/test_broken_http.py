"""Bytes that are no HTTP, over aiohttp: the connection's fault, though its parser calls them 400."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from langchain_openai import ChatOpenAI
from loopback.chat_server import ChatServer, completion, hang_up, piece, raw, reply, sse

from langchain_router import ChatRouter

CLOSE = ["connection: close"]
SHORT = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{}"
BROKEN = {
    "no-http": raw(b"SSH-2.0-OpenSSH_9.0\r\n"),
    "short": raw(SHORT),
    "chunk": raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n"),
    "cut": sse(piece("", role="assistant"), end="cut"),
    "hung-up": hang_up,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # aiohttp's and openai's own
@pytest.mark.filterwarnings(
    r"ignore:(.|\n)*Connection.__del__:pytest.PytestUnraisableExceptionWarning"
)  # httpx-aiohttp 0.1
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("step", BROKEN.values(), ids=BROKEN)
def test_another_model_answers(step: Any, stream: bool) -> None:
    sound = sse(piece("hello", role="assistant"), piece(finish="stop"), headers=CLOSE)

    async def asked(urls: list[str]) -> tuple[str, list[str | None]]:
        client = openai.DefaultAioHttpClient()
        models = [ChatOpenAI(model="m", api_key="k", base_url=url, http_async_client=client) for url in urls]
        llm = ChatRouter(models=models, policy="single")
        if stream:
            text = "".join([str(chunk.content) async for chunk in llm.astream("hi")])
        else:
            text = str((await llm.ainvoke("hi")).content)
        await client.aclose()
        await asyncio.sleep(0.05)  # aiohttp closes its sockets in the loop's next rounds
        return text, [call.fault for call in llm.router.ledger.calls()]

    with ChatServer(step) as first, ChatServer(sound if stream else reply(completion(), headers=CLOSE)) as second:
        assert asyncio.run(asked([first.base_url, second.base_url])) == ("hello", ["connection", None])
