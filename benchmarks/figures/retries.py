"""Figure 12, one retry authority: HTTP requests under a permanent 500 are the router's attempts, for every child."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_groq import ChatGroq
from langchain_mistralai import ChatMistralAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from langchain_openrouter import ChatOpenRouter
from langchain_perplexity import ChatPerplexity
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai_like import OpenAILike
from perplexity import AsyncPerplexity, Perplexity

from langchain_router import AllCandidatesFailed, ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM

from .figure_result import FigureResult
from .ground.loopback import Server

ATTEMPTS = 3
SETTINGS: dict[str, Any] = {"retry": {"attempts": ATTEMPTS, "per_target": ATTEMPTS, "wait": "none", "budget_floor": 99}}
Make = Callable[[str, str], Any]


def _perplexity(url: str, model: str) -> ChatPerplexity:
    where = {"base_url": url, "api_key": "k"}
    clients = {"client": Perplexity(**where), "async_client": AsyncPerplexity(**where)}
    return ChatPerplexity(model=model, api_key="k", **clients)


LANGCHAIN: dict[str, Make] = {
    "ChatOpenAI": lambda url, model: ChatOpenAI(model=model, base_url=f"{url}/v1", api_key="k"),
    "ChatOpenAI responses": lambda url, model: ChatOpenAI(
        model=model, base_url=f"{url}/v1", api_key="k", use_responses_api=True
    ),
    "ChatAnthropic": lambda url, model: ChatAnthropic(model=model, base_url=url, api_key="k"),
    "ChatGroq": lambda url, model: ChatGroq(model=model, base_url=url, api_key="k"),
    "ChatMistralAI": lambda url, model: ChatMistralAI(model=model, base_url=f"{url}/v1", api_key="k"),
    "ChatGoogleGenerativeAI": lambda url, model: ChatGoogleGenerativeAI(model=model, base_url=url, api_key="k"),
    "ChatOllama": lambda url, model: ChatOllama(model=model, base_url=url),
    "ChatOpenRouter": lambda url, model: ChatOpenRouter(model=model, base_url=f"{url}/v1", api_key="k"),
    "ChatPerplexity": lambda url, model: _perplexity(f"{url}/v1", model),
    "ChatEndpoint": lambda url, model: ChatEndpoint(model=model, base_url=f"{url}/v1", api_key="k"),
}
LLAMAINDEX: dict[str, Make] = {
    "OpenAI": lambda url, model: OpenAI(model="gpt-4o-mini", api_base=f"{url}/{model}/v1", api_key="k"),
    "OpenAILike": lambda url, model: OpenAILike(model=model, api_base=f"{url}/v1", api_key="k", is_chat_model=True),
    "EndpointLLM": lambda url, model: EndpointLLM(model=model, base_url=f"{url}/v1", api_key="k"),
}


def langchain(child: Any) -> dict[str, Callable[[], Any]]:
    """The four ways to ask, each to its end."""
    llm = ChatRouter(models=[child], **SETTINGS)
    return {
        "invoke": lambda: llm.invoke("hi"),
        "stream": lambda: list(llm.stream("hi")),
        "ainvoke": lambda: llm.ainvoke("hi"),
        "astream": lambda: _drained(llm.astream("hi")),
    }


def llamaindex(child: Any) -> dict[str, Callable[[], Any]]:
    llm = RouterLLM(models=[child], **SETTINGS)

    async def streamed() -> None:
        await _drained(await llm.astream_complete("hi"))

    return {
        "complete": lambda: llm.complete("hi"),
        "stream_complete": lambda: list(llm.stream_complete("hi")),
        "acomplete": lambda: llm.acomplete("hi"),
        "astream_complete": streamed,
    }


async def _drained(chunks: Any) -> None:
    async for _ in chunks:
        pass


def _asked(
    server: Server, runner: asyncio.Runner, model: str, call: Callable[[], Any], *, asynchronous: bool
) -> tuple[int, int]:  # fmt: skip
    """HTTP requests and the router's attempts for one call."""
    before = server.calls[model]

    async def waited() -> None:
        await call()

    try:
        runner.run(waited()) if asynchronous else call()
    except AllCandidatesFailed as error:
        return server.calls[model] - before, len(error.failures)
    raise AssertionError("a server that is dead has answered")


def _child(
    server: Server, runner: asyncio.Runner, make: Make, name: str, verbs: Callable[[Any], dict[str, Callable[[], Any]]]
) -> list[str]:  # fmt: skip
    """The verbs that made another number of requests than attempts."""
    wrong = []
    for place in range(4):
        model = f"dead-{name.replace(' ', '-').lower()}-{place}"
        verb, call = list(verbs(make(server.url, model)).items())[place]
        requests, attempts = _asked(server, runner, model, call, asynchronous=verb.startswith("a"))
        if not requests == attempts == ATTEMPTS:
            wrong.append(f"{name}.{verb}: {requests} requests, {attempts} attempts")
    return wrong


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    del scale, seed  # every child and verb is one case
    server, runner, cases = Server(), asyncio.Runner(), 0
    wrong: list[str] = []
    try:
        with warnings.catch_warnings(action="ignore"):  # what the wrappers' own clients do is not ours to mend
            for children, verbs in ((LANGCHAIN, langchain), (LLAMAINDEX, llamaindex)):
                for name, make in children.items():
                    wrong += _child(server, runner, make, name, verbs)
                    cases += 4
    finally:
        server.close()
        runner.close()
    yield FigureResult(
        "one retry authority", f"{cases} children and verbs, each asked for {ATTEMPTS} attempts; "
        f"{'; '.join(wrong) or 'as many HTTP requests'}",
        "hidden retries 0", not wrong, "none",
    )  # fmt: skip
