"""A server that never falls silent never runs into the time-out of a client's reads; the router's clocks end it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAI
from loopback.chat_server import ChatServer, Step, Wire, completion, reply, stall

from capability_router import AllCandidatesFailed
from capability_router.sdks import abandoned_responses
from capability_router.sdks.reader import Reader
from langchain_router import ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM

pytestmark = pytest.mark.usefixtures("forgotten_clients")

SHORTEST, GAP = 0.4, 0.05  # seconds; a slow server is heard every GAP, and for far longer than a clock runs
HEAD = b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n"

MESSAGE = {
    "type": "message", "role": "assistant", "content": [{"type": "text", "text": "late"}], "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "input_tokens": 9, "output_tokens": 2},
}  # fmt: skip


WHOLE = {**completion("late"), **MESSAGE}
"""What a caller without a clock would get in the end: a sound answer, OpenAI's and Anthropic's at once."""


def late(wire: Wire) -> bool:
    wire.chunk(json.dumps(WHOLE).encode())
    wire.send(b"0\r\n\r\n")
    return True


def dripping_body(clock_s: float) -> Step:
    def step(wire: Wire) -> bool:
        wire.send(HEAD + b"\r\n")
        for _ in range(round(8 * clock_s / GAP)):
            wire.chunk(b"\n")
            wire.pause(GAP)
        return late(wire)

    return step


def dripping_head(clock_s: float) -> Step:
    def step(wire: Wire) -> bool:
        wire.send(HEAD + b"x-slow: ")
        for _ in range(round(8 * clock_s / GAP)):
            wire.send(b"a")
            wire.pause(GAP)
        wire.send(b"\r\n\r\n")
        return late(wire)

    return step


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


def clock(call: Any, model: Any) -> float:
    """Seconds in which a sound call surely ends, as busy as this machine is just now."""
    with ChatServer(reply(WHOLE)) as sound:
        call(model, sound, sound)  # the first one loads modules
        began = time.monotonic()
        call(model, sound, sound)
        return max(SHORTEST, 10 * (time.monotonic() - began))


CLIENTS = [(chained, openai), (chained, anthropic), (rag, None)]


@pytest.mark.parametrize("drip", [dripping_body, dripping_head])
@pytest.mark.parametrize(("call", "model"), CLIENTS)
def test_the_clock_of_an_attempt_ends_it_and_the_next_model_answers(call: Any, model: Any, drip: Any) -> None:
    short = clock(call, model)
    with ChatServer(drip(short)) as slow, ChatServer(reply(completion("sound"))) as sound:
        answer = call(model, slow, sound, timeouts={"total": short})
        assert answer.content == "sound"
        assert (len(slow.seen), len(sound.seen)) == (1, 1)


@pytest.mark.parametrize("drip", [dripping_body, dripping_head])
@pytest.mark.parametrize(("call", "model"), CLIENTS)
def test_the_deadline_ends_the_request_and_is_named(call: Any, model: Any, drip: Any) -> None:
    short = clock(call, model)
    with ChatServer(drip(short)) as slow, ChatServer(reply(completion("sound"))) as sound:
        with pytest.raises(AllCandidatesFailed) as caught:
            call(model, slow, sound, deadline_s=short)
        assert "raise deadline_s" in str(caught.value)
        assert "when deadline_s was over" in str(caught.value)
        assert sound.seen == []


@pytest.mark.parametrize(("call", "model"), CLIENTS)
@pytest.mark.parametrize(
    ("settings", "told"),
    [(lambda short: {"timeouts": {"total": short}}, "waiting for the whole answer"),
     (lambda short: {"deadline_s": short}, "raise deadline_s")],
    ids=["total", "deadline"],
)  # fmt: skip
def test_of_a_silent_server_too_the_error_names_the_clock(
    call: Any, model: Any, settings: Callable[[float], dict[str, Any]], told: str
) -> None:
    """The client's own time-out comes later: it knows nothing of the setting."""
    short = clock(call, model)
    with ChatServer(stall) as slow, pytest.raises(AllCandidatesFailed) as caught:
        call(model, slow, slow, retry={"attempts": 1}, **settings(short))
    assert told in str(caught.value)
    assert "OpenAITimeoutError" not in str(caught.value)


@pytest.mark.parametrize(("call", "model"), CLIENTS)
def test_who_was_given_up_keeps_no_thread_and_no_connection(call: Any, model: Any) -> None:
    left, before = threading.Event(), set(threading.enumerate())
    short = clock(call, model)

    def endless(wire: Wire) -> bool:
        wire.send(HEAD + b"\r\n")
        try:
            for _ in range(round(25 * short / GAP)):
                wire.chunk(b"\n")
                wire.pause(GAP)
        except OSError:
            left.set()
        return False

    with ChatServer(endless) as slow, ChatServer(reply(completion("sound"))) as sound:
        for _ in range(3):
            assert call(model, slow, sound, timeouts={"total": short}).content == "sound"
        begun = set(threading.enumerate()) - before  # attempts of other tests may be halted for ever
        for thread in [one for one in begun if one.name.startswith("router attempt")]:
            thread.join(5 * short)
            assert not thread.is_alive()
        assert left.wait(12 * short)
        assert len(slow.seen) == 3  # and none was sent again


def test_a_socket_that_waits_for_no_response_is_left_alone() -> None:
    here, there = socket.socketpair()
    with here, there:
        reader = Reader()
        thread = reader.thread = threading.Thread(target=here.recv, args=(1,))
        thread.start()
        assert not abandoned_responses.shut(reader)
        there.send(b"x")
        thread.join()
        assert not abandoned_responses.shut(reader)
