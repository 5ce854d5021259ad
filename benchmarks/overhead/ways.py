"""The clients that are compared over HTTP: each made from its server's base URL, asked with one short question.

Libraries are loaded by the way that uses them, for each has a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

QUESTION = "What is a capability?"
MODEL, KEY, PATIENCE_S = "gpt-5-mini", "made-up", 20
_BODY: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}]}
_AT_ONCE = 1_000


class HttpWay(NamedTuple):
    """The text of an answer, the texts of a stream, the text of an awaited answer; None: it only awaits."""

    call: Callable[[], str] | None
    stream: Callable[[], Iterator[str]] | None
    acall: Callable[[], Awaitable[str]]


def raw_httpx(url: str) -> HttpWay:
    import httpx

    limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=100)  # openai's own
    client = httpx.Client(timeout=PATIENCE_S)
    return _posted(url, httpx.AsyncClient(limits=limits, timeout=PATIENCE_S), client)


def raw_httpx_aiohttp(url: str) -> HttpWay:
    import httpx
    from httpx_aiohttp import HttpxAiohttpClient

    limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=100)
    return _posted(url, HttpxAiohttpClient(limits=limits, timeout=PATIENCE_S), None)


def _posted(url: str, aclient: Any, client: Any) -> HttpWay:
    to: dict[str, Any] = {"url": f"{url}/chat/completions", "headers": {"authorization": f"Bearer {KEY}"}}

    def stream() -> Iterator[str]:
        with client.stream("POST", **to, json={**_BODY, "stream": True}) as response:
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    yield _delta(json.loads(line[6:]))

    async def acall() -> str:
        return _content((await aclient.post(**to, json=_BODY)).json())

    if client is None:
        return HttpWay(None, None, acall)
    return HttpWay(lambda: _content(client.post(**to, json=_BODY).json()), stream, acall)


def _content(reply: dict[str, Any]) -> str:
    return str(reply["choices"][0]["message"]["content"])


def _delta(chunk: dict[str, Any]) -> str:
    return str(chunk["choices"][0]["delta"].get("content", ""))


def openai_sdk(url: str) -> HttpWay:
    import openai

    made: dict[str, Any] = {"api_key": KEY, "base_url": url, "max_retries": 0, "timeout": PATIENCE_S}
    client, aclient = openai.OpenAI(**made), openai.AsyncOpenAI(**made)

    def stream() -> Iterator[str]:
        for chunk in client.chat.completions.create(**_BODY, stream=True):
            yield chunk.choices[0].delta.content or ""

    async def acall() -> str:
        return (await aclient.chat.completions.create(**_BODY)).choices[0].message.content or ""

    return HttpWay(lambda: client.chat.completions.create(**_BODY).choices[0].message.content or "", stream, acall)


def built_in(url: str) -> HttpWay:
    from capability_router.endpoints.openai_compatible import OpenAICompatible
    from capability_router.endpoints.spec import EndpointSpec

    client = OpenAICompatible(EndpointSpec(url, MODEL, KEY))
    body = {"messages": _BODY["messages"]}

    def call() -> str:
        (delta,) = client.start(body).chunks()
        return delta.text

    async def acall() -> str:
        (delta,) = [delta async for delta in client.start(body).achunks()]
        return delta.text

    return HttpWay(call, lambda: (delta.text for delta in client.start(body, stream=True).chunks()), acall)


def _chat_openai(url: str, **more: Any) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=MODEL, api_key=KEY, base_url=url, max_retries=0, timeout=PATIENCE_S, **more)  # type: ignore[arg-type]  # pydantic makes a SecretStr of it


def _of_chat_model(model: Any) -> HttpWay:
    async def acall() -> str:
        return str((await model.ainvoke(QUESTION)).content)

    return HttpWay(
        lambda: str(model.invoke(QUESTION).content),
        lambda: (str(chunk.content) for chunk in model.stream(QUESTION)),
        acall,
    )


def chat_openai(url: str) -> HttpWay:
    return _of_chat_model(_chat_openai(url))


def _aiohttp() -> Any:
    from openai import DefaultAioHttpClient

    return DefaultAioHttpClient()


def chat_openai_aiohttp(url: str) -> HttpWay:
    return _of_chat_model(_chat_openai(url, http_async_client=_aiohttp()))._replace(call=None, stream=None)


def router_of_chat_openai(url: str) -> HttpWay:
    from langchain_router import ChatRouter

    return _of_chat_model(ChatRouter([_chat_openai(url)]))


def router_of_chat_openai_aiohttp(url: str) -> HttpWay:
    from langchain_router import ChatRouter

    way = _of_chat_model(ChatRouter([_chat_openai(url, http_async_client=_aiohttp())]))
    return way._replace(call=None, stream=None)


def router_of_endpoint(url: str) -> HttpWay:
    from langchain_router import ChatRouter

    return _of_chat_model(ChatRouter([_card(url)]))


def _card(url: str) -> dict[str, Any]:
    return {"id": MODEL, "endpoint": {"base_url": url, "model": MODEL, "api_key": KEY}}


def _llama_openai(url: str) -> Any:
    from llama_index.llms.openai import OpenAI

    return OpenAI(model=MODEL, api_key=KEY, api_base=url, max_retries=0, timeout=PATIENCE_S)


def _of_llm(llm: Any) -> HttpWay:
    from llama_index.core.llms import ChatMessage

    asked = [ChatMessage(QUESTION)]

    async def acall() -> str:
        return (await llm.achat(asked)).message.content or ""

    return HttpWay(
        lambda: llm.chat(asked).message.content or "",
        lambda: (each.delta or "" for each in llm.stream_chat(asked)),
        acall,
    )


def llama_openai(url: str) -> HttpWay:
    return _of_llm(_llama_openai(url))


def router_of_llama_openai(url: str) -> HttpWay:
    from llamaindex_router import RouterLLM

    return _of_llm(RouterLLM([_llama_openai(url)]))


def llama_router_of_endpoint(url: str) -> HttpWay:
    from llamaindex_router import RouterLLM

    return _of_llm(RouterLLM([_card(url)]))


class WaySpec(NamedTuple):
    """How a way is made, the way that its ratios are told to, and whether it can only be awaited."""

    made: Callable[[str], HttpWay]
    base: str
    awaits_only: bool = False


CHAT_OPENAI, LLAMA_OPENAI, ROUTER, LLAMA_ROUTER = (
    "ChatOpenAI", "LlamaIndex OpenAI", "ChatRouter, endpoint", "RouterLLM, endpoint",
)  # fmt: skip
AIOHTTP = f"{CHAT_OPENAI}, aiohttp"
WAYS: dict[str, WaySpec] = {
    "raw httpx": WaySpec(raw_httpx, CHAT_OPENAI),
    "raw httpx, aiohttp": WaySpec(raw_httpx_aiohttp, CHAT_OPENAI, True),
    "openai SDK": WaySpec(openai_sdk, CHAT_OPENAI),
    "built-in endpoint": WaySpec(built_in, CHAT_OPENAI),
    CHAT_OPENAI: WaySpec(chat_openai, CHAT_OPENAI),
    AIOHTTP: WaySpec(chat_openai_aiohttp, CHAT_OPENAI, True),
    "ChatRouter, ChatOpenAI": WaySpec(router_of_chat_openai, CHAT_OPENAI),
    "ChatRouter, ChatOpenAI, aiohttp": WaySpec(router_of_chat_openai_aiohttp, CHAT_OPENAI, True),
    ROUTER: WaySpec(router_of_endpoint, CHAT_OPENAI),
    LLAMA_OPENAI: WaySpec(llama_openai, LLAMA_OPENAI),
    "RouterLLM, OpenAI": WaySpec(router_of_llama_openai, LLAMA_OPENAI),
    LLAMA_ROUTER: WaySpec(llama_router_of_endpoint, LLAMA_OPENAI),
}
