"""The built-in client at a scripted server, read blocking or in asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from loopback.chat_server import (
    ChatServer,
    Step,
)

from capability_router.endpoints.errors import (
    EndpointError,
)
from capability_router.endpoints.exchange import Exchange
from capability_router.endpoints.openai_compatible import OpenAICompatible
from capability_router.endpoints.spec import EndpointSpec
from capability_router.endpoints.timeouts import ClientTimeouts
from capability_router.endpoints.wire import Delta

BODY = {"messages": [{"role": "user", "content": "say it"}]}
Read = Callable[[Exchange], list[Delta]]


def read_blocking(exchange: Exchange) -> list[Delta]:
    return list(exchange.chunks())


def read_async(exchange: Exchange) -> list[Delta]:
    async def read() -> list[Delta]:
        return [delta async for delta in exchange.achunks()]

    with asyncio.Runner() as runner:
        return runner.run(read())


def client(server: ChatServer, **spec: Any) -> OpenAICompatible:
    return OpenAICompatible(EndpointSpec(server.base_url, "m", **{"api_key": "k-1", **spec}))


def failure(read: Read, *script: Step, stream: bool = False, body: Any = BODY, **clocks: float) -> Any:
    with ChatServer(*script) as server:
        exchange = client(server).start(body, stream=stream, timeouts=ClientTimeouts(**clocks))
        with pytest.raises(EndpointError) as caught:
            read(exchange)
    return caught.value
