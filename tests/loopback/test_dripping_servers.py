"""A server that never falls silent never runs into the time-out of a client's reads; the router's clocks end it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAI
from loopback.chat_server import ChatServer, Wire, completion, reply, stall

from capability_router import AllCandidatesFailed
from capability_router.connections import unread
from capability_router.endpoints import lanes
from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM

pytestmark = pytest.mark.usefixtures("forgotten_clients")

SHORT, GAP, DRIPS = 0.4, 0.05, 60  # the server is heard every GAP, for far longer than SHORT
HEAD = b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n"

MESSAGE = {
    "type": "message", "role": "assistant", "content": [{"type": "text", "text": "late"}], "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "input_tokens": 9, "output_tokens": 2},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    lanes.close_idle()


def late(wire: Wire) -> bool:
    """What a caller without a clock would get in the end: a sound answer, OpenAI's and Anthropic's at once."""
    wire.chunk(json.dumps({**completion("late"), **MESSAGE}).encode())
    wire.send(b"0\r\n\r\n")
    return True


def dripping_body(wire: Wire) -> bool:
    wire.send(HEAD + b"\r\n")
    for _ in range(DRIPS):
        wire.chunk(b"\n")
        wire.pause(GAP)
    return late(wire)


def dripping_head(wire: Wire) -> bool:
    wire.send(HEAD + b"x-slow: ")
    for _ in range(DRIPS):
        wire.send(b"a")
        wire.pause(GAP)
    wire.send(b"\r\n\r\n")
    return late(wire)


def openai(server: ChatServer) -> Any:
    return ChatOpenAI(model="gpt-5-mini", base_url=server.base_url, api_key="sk-x")


def anthropic(server: ChatServer) -> Any:
    return ChatAnthropic(model="claude-opus-4-8", base_url=server.base_url, api_key="sk-x")


def chained(model: Callable[[ChatServer], Any], slow: ChatServer, sound: ChatServer, **settings: Any) -> Any:
    models = [(model(slow), {"id": "slow"}), (ChatEndpoint(base_url=sound.base_url, model="m"), {"id": "sound"})]
    return ChatRouter(models=models, policy="single", **settings).invoke("hi")


def rag(_: Any, slow: ChatServer, sound: ChatServer, **settings: Any) -> Any:
    llm = OpenAI(model="gpt-4o-mini", api_base=slow.base_url, api_key="sk-x")
    models = [(llm, {"id": "slow"}), (EndpointLLM(base_url=sound.base_url, model="m"), {"id": "sound"})]
    return RouterLLM(models=models, policy="single", **settings).chat([ChatMessage(content="hi")]).message


CLIENTS = [(chained, openai), (chained, anthropic), (rag, None)]


@pytest.mark.parametrize("drip", [dripping_body, dripping_head])
@pytest.mark.parametrize(("call", "model"), CLIENTS)
def test_the_clock_of_an_attempt_ends_it_and_the_next_model_answers(call: Any, model: Any, drip: Any) -> None:
    with ChatServer(drip) as slow, ChatServer(reply(completion("sound"))) as sound:
        answer = call(model, slow, sound, timeouts={"total": SHORT})
        assert answer.content == "sound"
        assert (len(slow.seen), len(sound.seen)) == (1, 1)


@pytest.mark.parametrize("drip", [dripping_body, dripping_head])
@pytest.mark.parametrize(("call", "model"), CLIENTS)
def test_the_deadline_ends_the_request_and_is_named(call: Any, model: Any, drip: Any) -> None:
    with ChatServer(drip) as slow, ChatServer(reply(completion("sound"))) as sound:
        with pytest.raises(AllCandidatesFailed) as caught:
            call(model, slow, sound, deadline_s=SHORT)
        assert "raise deadline_s" in str(caught.value)
        assert "when deadline_s was over" in str(caught.value)
        assert sound.seen == []


@pytest.mark.parametrize(("call", "model"), CLIENTS)
@pytest.mark.parametrize(
    ("settings", "told"),
    [({"timeouts": {"total": SHORT}}, "waiting for the whole answer"), ({"deadline_s": SHORT}, "raise deadline_s")],
)
def test_of_a_silent_server_too_the_error_names_the_clock(
    call: Any, model: Any, settings: dict[str, Any], told: str
) -> None:
    """The client's own time-out comes later: it knows nothing of the setting."""
    with ChatServer(stall) as slow, pytest.raises(AllCandidatesFailed) as caught:
        call(model, slow, slow, retry={"attempts": 1}, **settings)
    assert told in str(caught.value)
    assert "OpenAITimeoutError" not in str(caught.value)


@pytest.mark.parametrize(("call", "model"), CLIENTS)
def test_who_was_given_up_keeps_no_thread_and_no_connection(call: Any, model: Any) -> None:
    left = threading.Event()

    def endless(wire: Wire) -> bool:
        wire.send(HEAD + b"\r\n")
        try:
            for _ in range(200):
                wire.chunk(b"\n")
                wire.pause(GAP)
        except OSError:
            left.set()
        return False

    with ChatServer(endless) as slow, ChatServer(reply(completion("sound"))) as sound:
        for _ in range(3):
            assert call(model, slow, sound, timeouts={"total": 0.6}).content == "sound"
        for thread in [one for one in threading.enumerate() if one.name.startswith("router attempt")]:
            thread.join(2)
            assert not thread.is_alive()
        assert left.wait(5)
        assert len(slow.seen) == 3  # and none was sent again


def test_a_socket_that_waits_for_no_response_is_left_alone() -> None:
    here, there = socket.socketpair()
    with here, there:
        thread = threading.Thread(target=here.recv, args=(1,))
        thread.start()
        assert not unread.shut(thread)
        there.send(b"x")
        thread.join()
        assert not unread.shut(thread)
