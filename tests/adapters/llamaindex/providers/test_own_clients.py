"""Integrations that hold a client of their provider's own: what it repeats, and what it leaves of a broken reply."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.llms import MockLLM
from loopback.chat_server import ChatServer, piece, sse
from pydantic import PrivateAttr

from llamaindex_router import AllCandidatesFailed, RouterLLM, StreamInterrupted

HI = [ChatMessage(content="hi")]
BUSY = {"error": {"message": "busy", "type": "overloaded_error", "code": None}}


class Refusing:
    """A client as Zhipu's: it asks once more for each of its `max_retries`, and its part for chats holds it."""

    max_retries = 3

    def __init__(self, sent: list[int]) -> None:
        self.sent, self.chat = sent, Chat(self)

    def post(self) -> None:
        self.sent.extend([503] * (1 + self.max_retries))
        request = httpx.Request("POST", "http://zhipu.test")
        raise httpx.HTTPStatusError("503", request=request, response=httpx.Response(503, request=request))


class Chat:
    def __init__(self, client: Refusing) -> None:
        self._client, self.create = client, client.post


class Zhipu(MockLLM):
    _client: Any = PrivateAttr(default=None)

    def chat(self, messages: Any, **_: Any) -> Any:
        return self._client.chat.create()


def test_a_client_without_options_sends_a_routed_call_once() -> None:
    sent: list[int] = []
    model = Zhipu()
    model._client = Refusing(sent)
    with pytest.raises(Exception, match="503"):
        RouterLLM(models=[model], retry={"attempts": 1}).chat(HI)
    assert sent == [503]
    assert model._client.max_retries == 3


LM_STUDIO = """
import httpx, json

def stream_chat(self, messages, **_):
    with httpx.stream("POST", self.url, json={}) as response:
        for line in response.iter_lines():
            if line and "[DONE]" not in line:
                chunk = json.loads(line[5:])
                yield self.told(chunk["choices"][0]["delta"].get("content") or "", chunk)
"""
"""It reads a stream over a client of its own, and looks for the choices of whatever comes."""


class Reading(MockLLM):
    url: str = ""

    def told(self, delta: str, chunk: dict[str, Any]) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role="assistant", content=delta), delta=delta, raw=chunk)


def _lm_studio(url: str) -> Any:
    module = ModuleType("llama_index.llms.lmstudio.base")
    exec(LM_STUDIO, vars(module))  # noqa: S102 - our own source, in a module of that name
    kind = type("LMStudio", (Reading,), {"__module__": module.__name__, "stream_chat": vars(module)["stream_chat"]})
    model: Any = kind()
    model.url = url + "/chat/completions"
    return model


def test_an_error_event_of_a_stream_that_an_integration_reads_itself_is_what_it_says() -> None:
    """Its frame holds a response whose content can't be read: that is streamed."""
    with ChatServer(sse(BUSY), sse(piece("Hello"), BUSY)) as server:
        router = RouterLLM(models=[_lm_studio(server.base_url)], retry={"attempts": 1})
        with pytest.raises(AllCandidatesFailed, match="overload"):
            router.stream_chat(HI)
        with pytest.raises(StreamInterrupted, match="overload"):
            list(router.stream_chat(HI))
        assert [call.fault for call in router.router.ledger.calls()] == ["overloaded"] * 2
