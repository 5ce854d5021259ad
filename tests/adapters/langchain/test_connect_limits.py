"""`timeouts.connect` reaches the built-in client's sockets, whichever verb is called."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from loopback.chat_server import ChatServer, completion, reply

from langchain_router import ChatEndpoint, ChatRouter

CONNECT_S = 7.5


async def _streamed(llm: Any) -> None:
    async for _ in llm.astream("hi"):
        pass


@pytest.mark.parametrize("call", [
    lambda llm: llm.invoke("hi"), lambda llm: list(llm.stream("hi")), lambda llm: asyncio.run(llm.ainvoke("hi")),
    lambda llm: asyncio.run(_streamed(llm)),
], ids=["invoke", "stream", "ainvoke", "astream"])  # fmt: skip
def test_each_verb_tells_the_client_how_long_it_may_connect(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float | None] = []
    with ChatServer(reply(completion("sound"))) as server:
        model = ChatEndpoint(base_url=server.base_url, model="m")
        start = type(model.client).start

        def noted(self: Any, *args: Any, timeouts: Any = None, **settings: Any) -> Any:
            told.append(timeouts and timeouts.connect)
            return start(self, *args, timeouts=timeouts, **settings)

        monkeypatch.setattr(type(model.client), "start", noted)
        call(ChatRouter(models=[(model, {"id": "m"})], timeouts={"connect": CONNECT_S}))
    assert told == [CONNECT_S]
