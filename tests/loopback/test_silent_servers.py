"""A server that takes calls and says nothing: later requests go elsewhere while the first ones still wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from loopback.chat_server import ChatServer, Step, Wire, completion, piece, reply, sse

from capability_router import ModelCard
from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM

KNOWN = 20
"""So many answers have to be known before anybody can tell what is usual."""


class Two:
    """`first` answers KNOWN times, holds back what it says to the next two until `speaks`, and answers again."""

    def __init__(self, answer: Step) -> None:
        self.speaks = Event()

        def held(wire: Wire) -> bool:
            assert self.speaks.wait(20)
            return answer(wire)

        self.first, self.second = ChatServer(*[answer] * KNOWN, held, held, answer), ChatServer(answer)

    def __enter__(self) -> Two:
        return self

    def __exit__(self, *error: object) -> None:
        self.speaks.set()
        self.first.__exit__()
        self.second.__exit__()


def built_in(two: Two) -> ChatRouter:
    return _chat(*(ChatEndpoint(base_url=s.base_url, model=n) for n, s in (("a", two.first), ("b", two.second))))


def sdk(two: Two) -> ChatRouter:
    return _chat(
        *(
            (ChatOpenAI(base_url=s.base_url, model=n, api_key="none", max_retries=0), ModelCard(id=f"endpoint/{n}"))
            for n, s in (("a", two.first), ("b", two.second))
        )
    )


def _chat(*models: Any) -> ChatRouter:
    return ChatRouter(models=list(models), policy="single")


def streamed(chat: ChatRouter) -> None:
    assert "".join(str(chunk.content) for chunk in chat.stream("hi")) == "hello"


def invoked(chat: ChatRouter) -> None:
    assert chat.invoke("hi").content == "hello"


STREAM, WHOLE = sse(piece("hello"), piece(finish="stop")), reply(completion())
MADE = [pytest.param(built_in, id="built in"), pytest.param(sdk, id="ChatOpenAI")]
WAYS = [pytest.param(streamed, STREAM, id="streams"), pytest.param(invoked, WHOLE, id="whole replies")]


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize(("call", "answer"), WAYS)
def test_others_are_asked_while_two_calls_wait_and_it_again_once_they_are_heard(
    made: Callable[[Two], ChatRouter], call: Callable[[ChatRouter], None], answer: Step
) -> None:
    with Two(answer) as two:
        chat = made(two)
        for _ in range(KNOWN):
            call(chat)
        waiting = [Thread(target=call, args=(chat,)) for _ in range(2)]
        for thread in waiting:
            thread.start()
        row = _doubted(chat)
        assert row["held"].startswith("2 calls silent for up to ")
        call(chat)
        assert (len(two.first.seen), len(two.second.seen)) == (KNOWN + 2, 1)
        two.speaks.set()
        for thread in waiting:
            thread.join(20)
        call(chat)
        assert (len(two.first.seen), len(two.second.seen)) == (KNOWN + 3, 1)
        assert chat.router.health()[0]["held"] == ""


def test_a_streams_first_text_is_enough_though_it_goes_on() -> None:
    goes_on = Event()

    async def run() -> None:
        with Two(STREAM) as two:
            two.first.script[KNOWN : KNOWN + 2] = [_begun(two.speaks, goes_on)] * 2
            chat = built_in(two)
            for _ in range(KNOWN):
                await _astreamed(chat)
            waiting = [asyncio.create_task(_astreamed(chat)) for _ in range(2)]
            await _until(lambda: chat.router.health()[0]["held"] != "")
            two.speaks.set()
            await _until(lambda: chat.router.health()[0]["held"] == "")
            assert not any(task.done() for task in waiting)
            await _astreamed(chat)
            assert (len(two.first.seen), len(two.second.seen)) == (KNOWN + 3, 0)
            goes_on.set()
            await asyncio.gather(*waiting)
            await chat.router.aclose()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_in_llamaindex_likewise() -> None:
    with Two(WHOLE) as two:
        models = [EndpointLLM(base_url=s.base_url, model=n) for n, s in (("a", two.first), ("b", two.second))]
        llm = RouterLLM(models=models, policy="single")

        def call() -> None:
            assert llm.chat([ChatMessage(content="hi")]).message.content == "hello"

        for _ in range(KNOWN):
            call()
        waiting = [Thread(target=call) for _ in range(2)]
        for thread in waiting:
            thread.start()
        _doubted(llm)
        call()
        assert (len(two.first.seen), len(two.second.seen)) == (KNOWN + 2, 1)
        two.speaks.set()
        for thread in waiting:
            thread.join(20)


def _begun(speaks: Event, goes_on: Event) -> Step:
    """Says its first text when it may, and the rest when that may follow."""

    def step(wire: Wire) -> bool:
        assert speaks.wait(20)

        class Halting(Wire):
            def pause(self, seconds: float | None = None) -> None:
                assert goes_on.wait(20)

        halting = Halting(wire._sock, wire._stopping)
        return sse(piece("hel"), 0.0, piece("lo"), piece(finish="stop"))(halting)

    return step


async def _astreamed(chat: ChatRouter) -> None:
    assert "".join([str(chunk.content) async for chunk in chat.astream("hi")]) == "hello"


async def _until(so: Callable[[], bool]) -> None:
    for _ in range(400):
        if so():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came to be so")


def _doubted(adapter: Any) -> dict[str, Any]:
    """The first model's row, as soon as others go before it."""
    for _ in range(400):
        row: dict[str, Any] = adapter.router.health()[0]
        if row["held"]:
            return row
        time.sleep(0.05)
    raise AssertionError("nobody doubted it")
