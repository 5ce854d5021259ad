"""A child of a fork shares no connection and no call under way with its parent, whatever client a model has."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import ChatServer, Step, completion, piece, reply, sse

from capability_router.testing import assert_books_balanced
from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import RouterLLM

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]
CLAUDE = {
    "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 2},
}  # fmt: skip


def _anthropic(url: str) -> ChatAnthropic:
    return ChatAnthropic(model="m", base_url=url.removesuffix("/v1"), api_key="k")


def _like(url: str) -> OpenAILike:
    return OpenAILike(model="m", api_base=url, api_key="k", is_chat_model=True)


ROUTERS: dict[str, tuple[Step, Callable[[str], Any]]] = {
    "ChatOpenAI": (reply(completion()), lambda url: ChatRouter([ChatOpenAI(model="m", base_url=url, api_key="k")])),
    "ChatAnthropic": (reply(CLAUDE), lambda url: ChatRouter([_anthropic(url)])),
    "ChatEndpoint": (reply(completion()), lambda url: ChatRouter([ChatEndpoint(base_url=url, model="m")])),
    "OpenAILike": (reply(completion()), lambda url: RouterLLM(models=[_like(url)])),
}


def _ask(llm: Any) -> str:
    return llm.invoke("hi").text if isinstance(llm, ChatRouter) else str(llm.chat([ChatMessage("hi")]).message.content)


def _forked(work: Callable[[], bool]) -> bool:
    """Whether it was so in a child, which must end within ten seconds."""
    pid = os.fork()
    if pid == 0:
        done = threading.Timer(10, os._exit, (2,))  # else it waits for ever for what its parent has read
        done.daemon = True
        done.start()
        code = 1
        try:
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize("name", ROUTERS)
def test_a_child_has_connections_of_its_own(name: str) -> None:
    step, make = ROUTERS[name]
    with ChatServer(step) as server:
        llm = make(server.base_url)
        assert _ask(llm) == _ask(llm) == "hello"
        assert _forked(lambda: _ask(llm) == _ask(llm) == "hello")
        assert _forked(lambda: _ask(llm) == "hello")
        assert _ask(llm) == "hello"
        parents, first, second = server.seen[0].connection, server.seen[2].connection, server.seen[4].connection
        assert [seen.connection for seen in server.seen] == [parents] * 2 + [first] * 2 + [second, parents]
        assert len({parents, first, second}) == 3


def test_a_child_has_no_calls_under_way() -> None:
    """Its parent's threads are not there to end them: their places, and what they have reserved, are free in it."""
    answered, asked = threading.Event(), threading.Event()

    def slow(wire: Any) -> bool:
        asked.set()
        answered.wait(20)
        return reply(completion())(wire)

    with ChatServer(slow, reply(completion())) as server:
        card = {"id": "a", "limits": {"concurrency": 1}, "price": {"input_mtok": 1, "output_mtok": 1}}
        llm = ChatRouter(
            [(ChatEndpoint(base_url=server.base_url, model="m", max_output_tokens=10), card)],
            budgets=[{"scope": "global", "limit_usd": 1, "window": "total"}], retry={"max_wait_s": 5},
        )  # fmt: skip
        caller = threading.Thread(target=llm.invoke, args=("hi",))
        caller.start()
        assert asked.wait(10)

        def free() -> bool:
            router = llm.router
            told = [router.health()[0]["in_flight"], router.budgets.rows()[0]["reserved_pico"], llm.invoke("hi").text]
            assert_books_balanced(router)
            return told == [0, 0, "hello"] and router.health()[0]["in_flight"] == 0

        assert _forked(free)
        answered.set()
        caller.join(10)
    assert llm.router.health()[0]["in_flight"] == 0
    assert_books_balanced(llm.router)


def test_a_stream_that_its_parent_reads_is_the_parents_to_end() -> None:
    """A child lets go of what it has inherited. That gives back no place of its own, and nobody is told of an end."""
    told: list[str] = []
    with ChatServer(sse(piece("one "), None)) as server:
        llm = ChatRouter([ChatEndpoint(base_url=server.base_url, model="m")])
        llm.router.on_outcome(lambda request, outcome: told.append(request.id))
        parents = [llm.stream("hi")]
        assert next(parents[0]).text == "one "

        def lets_go() -> bool:
            own = llm.stream("hi")
            assert next(own).text == "one "
            parents.clear()
            gc.collect()
            row = llm.router.health()[0]
            return (row["in_flight"], row["neutral"], told) == (1, 0, [])

        assert _forked(lets_go)
        assert (llm.router.health()[0]["in_flight"], told) == (1, [])
        parents.clear()
        assert (llm.router.health()[0]["in_flight"], len(told)) == (0, 1)
    assert_books_balanced(llm.router)
