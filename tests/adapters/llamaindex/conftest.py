from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from adapters.llamaindex import provider_llms
from adapters.llamaindex.chat_server import ChatServer, Say
from adapters.provider_server import INPUT, OUTPUT, ProviderServer
from llama_index.llms.openai_like import OpenAILike

from llamaindex_router import EndpointLLM, RouterLLM

PRICE = {"input_mtok": 1.0, "output_mtok": 2.0}


@pytest.fixture
def server() -> Iterator[ChatServer]:
    made = ChatServer()
    yield made
    made.close()


@pytest.fixture
async def like(server: ChatServer) -> AsyncIterator[Callable[..., OpenAILike]]:
    """LlamaIndex's own OpenAILike on the loopback server."""
    alone = httpx.Limits(max_keepalive_connections=0)  # LlamaIndex 0.14.5 runs one event loop after the other
    clients = {"http_client": httpx.Client(), "async_http_client": httpx.AsyncClient(limits=alone)}

    def make(model: str, **settings: Any) -> OpenAILike:
        given = {"is_chat_model": True, "is_function_calling_model": True, "context_window": 16_000, "max_retries": 0}
        usage = {"stream_options": {"include_usage": True}}
        return OpenAILike(
            model=model, api_base=server.url, api_key="sk-test-1234", additional_kwargs=usage, **clients,
            **{**given, **settings},
        )  # fmt: skip

    yield make
    clients["http_client"].close()
    await clients["async_http_client"].aclose()


@pytest.fixture
def built_in(server: ChatServer) -> Callable[..., EndpointLLM]:
    """The built-in client on the loopback server."""

    def make(model: str, **settings: Any) -> EndpointLLM:
        given = {"context_window": 16_000, "tool_calling": True, "structured_output": True}
        return EndpointLLM(base_url=server.url, model=model, api_key="sk-test-1234", **{**given, **settings})

    return make


@pytest.fixture(params=["like", "built_in"])
def child(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Either of the two, so that every behaviour holds over both."""
    made: Callable[..., Any] = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def pair(child: Callable[..., Any]) -> RouterLLM:
    """A router over the models a and b, tried in this order."""
    return RouterLLM(models=[_priced(child("a")), _priced(child("b"))], policy="single")


def _priced(llm: Any) -> tuple[Any, dict[str, Any]]:
    return llm, {"id": llm.model, "price": PRICE}


@pytest.fixture
def providers() -> Iterator[ProviderServer]:
    """Speaks Anthropic's, Gemini's and Ollama's formats."""
    made = ProviderServer()
    yield made
    made.close()


@pytest.fixture
async def make(
    providers: ProviderServer, like: Callable[..., OpenAILike], server: ChatServer
) -> AsyncIterator[provider_llms.Make]:
    """LlamaIndex's own LLM of a provider, on loopback."""
    made: list[Any] = []

    def make(provider: str, kind: str = "ok") -> Any:
        if provider == "openai":
            return like(provider_llms.NAMES[provider])
        made.append(provider_llms.made(provider, f"{providers.url}/{kind}"))
        return made[-1]

    server.script(provider_llms.NAMES["openai"], Say("a b c", usage=(INPUT, OUTPUT)))
    yield make
    for llm in made:
        await provider_llms.close(llm)
