"""A call that is given up while its connection is being opened has sent nothing, so it costs nothing."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Say
from llama_index.core.llms import ChatMessage, CompletionResponse, CustomLLM, LLMMetadata
from pydantic import BaseModel

from capability_router.endpoints.errors import EndpointConnectionError
from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM

PRICED = {"price": {"input_mtok": 1_000_000.0, "output_mtok": 1.0}}


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of a server that takes connections and never says anything, so that TLS never begins."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/v1"


def made(framework: str, url: str) -> Any:
    """A router over the built-in client, which retries nothing."""
    if framework == "langchain":
        return ChatRouter(models=[ChatEndpoint(base_url=url, model="m", **PRICED)], retry={"attempts": 1})
    return RouterLLM(models=[EndpointLLM(base_url=url, model="m", **PRICED)], retry={"attempts": 1})


async def ask(llm: Any, *, stream: bool) -> None:
    """One call, read to its end."""
    if isinstance(llm, ChatRouter):
        _ = [piece async for piece in llm.astream("hi")] if stream else await llm.ainvoke("hi")
    elif stream:
        _ = [piece async for piece in await llm.astream_chat([ChatMessage("hi")])]
    else:
        await llm.achat([ChatMessage("hi")])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
async def test_cancelled_while_it_connects_it_is_free(framework: str, stream: bool, mute: str) -> None:
    llm = made(framework, mute)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask(llm, stream=stream), 0.5)
    (call,) = llm.router.ledger.calls()
    assert (call.fault, call.cost_pico, call.usage.input_tokens, call.usage.estimated) == ("cancelled", 0, 0, False)


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
async def test_cancelled_once_it_was_sent_it_is_estimated(framework: str) -> None:
    asked, over = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    server = ChatServer()

    def slow(_: Any) -> Any:
        loop.call_soon_threadsafe(asked.set)
        over.wait(30)
        return Say("too late")

    server.script("m", slow)
    llm = made(framework, server.url)
    task = asyncio.ensure_future(ask(llm, stream=False))
    await asked.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (call,) = llm.router.ledger.calls()
    over.set()
    server.close()
    assert (call.fault, call.usage.estimated) == ("cancelled", True)
    assert call.usage.input_tokens > 0


class Answer(BaseModel):
    """A schema."""

    text: str


async def test_a_structured_call_is_free_too(mute: str) -> None:
    llm = made("langchain", mute)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(llm.with_structured_output(Answer).ainvoke("hi"), 0.5)
    (call,) = llm.router.ledger.calls()
    assert (call.fault, call.cost_pico, call.usage.input_tokens, call.usage.estimated) == ("cancelled", 0, 0, False)


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
def test_a_thread_that_was_given_up_while_it_connected_sends_nothing_later(
    framework: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was booked as unsent stays unsent: a thread can not be cancelled."""
    found, known, threads = threading.Event(), socket.getaddrinfo, []

    def slow(host: Any, *given: Any, **more: Any) -> Any:
        if host == "slow.test":
            threads.append(threading.current_thread())
            found.wait(30)
            host = "127.0.0.1"
        return known(host, *given, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    server = ChatServer()
    kind: Any = ChatEndpoint if framework == "langchain" else EndpointLLM
    models = [
        kind(base_url=server.url.replace("127.0.0.1", "slow.test"), model="a", **PRICED),
        kind(base_url=server.url, model="b", **PRICED),
    ]
    router: Any = ChatRouter if framework == "langchain" else RouterLLM
    llm = router(models=models, policy="single", hedge={"after_s": 0.05, "extra": 1.0})
    answer = llm.invoke("hi").text if framework == "langchain" else llm.chat([ChatMessage("hi")]).message.content
    found.set()
    (thread,) = threads
    thread.join(30)
    server.close()
    assert answer == "hello world"
    assert [call.cost_pico for call in llm.router.ledger.calls() if call.fault == "cancelled"] == [0]
    assert server.of("a") == []


class FallsBackByItself(CustomLLM):
    """Asks the built-in client first, and answers by itself when nothing listens there."""

    inner: Any

    @property
    def metadata(self) -> LLMMetadata:
        """Its name."""
        return LLMMetadata(model_name="own")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """One answer."""
        with pytest.raises(EndpointConnectionError):
            self.inner.complete(prompt)
        return CompletionResponse(text="by itself")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        """Not asked for."""
        raise NotImplementedError


def test_what_another_model_asks_of_the_built_in_client_is_not_its_own_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    llm = RouterLLM(models=[(FallsBackByItself(inner=EndpointLLM(base_url=url, model="m")), {"id": "own", **PRICED})])
    assert llm.complete("hi").text == "by itself"
    (call,) = llm.router.ledger.calls()
    assert call.usage.input_tokens > 0
