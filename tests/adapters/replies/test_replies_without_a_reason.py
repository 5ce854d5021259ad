"""A whole reply that doesn't say why it stopped, from a model that says so, is delivered only for want of a better."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.llms.ollama import Ollama
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import ChatServer, completion, reply
from pydantic import BaseModel

from langchain_router import ChatEndpoint, ChatRouter, StreamInterrupted
from llamaindex_router import EndpointLLM, RouterLLM

CLOSE = ["connection: close"]  # event loops end with their test
HELLO = [ChatMessage("hi")]


def of_openai(text: str, reason: str | None) -> Any:
    return reply(completion(text, finish_reason=reason), headers=CLOSE)


def of_anthropic(text: str, reason: str | None) -> Any:
    told = {
        "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": text}],
        "stop_reason": {"stop": "end_turn"}.get(reason or ""), "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }  # fmt: skip
    return reply(told, headers=CLOSE)


def _openai(server: ChatServer, id: str) -> Any:
    return ChatOpenAI(model=id, base_url=server.base_url, api_key="k"), {"id": id}


def _built_in(server: ChatServer, id: str) -> Any:
    return ChatEndpoint(base_url=server.base_url, model="m", api_key="k", id=id)


def _anthropic(server: ChatServer, id: str) -> Any:
    return ChatAnthropic(model=id, base_url=server.base_url.removesuffix("/v1"), api_key="k"), {"id": id}


def _like(server: ChatServer, id: str) -> Any:
    return OpenAILike(model="m", api_base=server.base_url, api_key="k", is_chat_model=True), {"id": id}


def _endpoint(server: ChatServer, id: str) -> Any:
    return EndpointLLM(base_url=server.base_url, model="m", api_key="k"), {"id": id}


def routed(make: Callable[[ChatServer, str], Any], *servers: ChatServer) -> Any:
    models = [make(server, id) for id, server in zip("ab", servers, strict=False)]
    return (RouterLLM if make in (_like, _endpoint) else ChatRouter)(models=models, policy="single")


def ask(llm: Any, *, later: bool = False) -> tuple[str, Any]:
    if isinstance(llm, RouterLLM):
        response = asyncio.run(llm.achat(HELLO)) if later else llm.chat(HELLO)
        return response.message.content or "", response.additional_kwargs["router"]
    message = asyncio.run(llm.ainvoke("hi")) if later else llm.invoke("hi")
    return message.text, message.response_metadata["router"]


def faults(llm: Any) -> list[str | None]:
    return [call.fault for call in llm.router.ledger.calls()]


MAKES = [_openai, _built_in, _anthropic, _like, _endpoint]


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("make", MAKES)
def test_another_model_is_asked(make: Any, later: bool) -> None:
    said = of_anthropic if make is _anthropic else of_openai
    with ChatServer(said("partial", None)) as cut, ChatServer(said("whole", "stop")) as well:
        llm = routed(make, cut, well)
        assert ask(llm, later=later)[0] == "whole"
        assert faults(llm) == ["truncated", None]


@pytest.mark.parametrize("make", MAKES)
def test_when_no_other_gives_a_whole_one_it_is_delivered_and_says_so(make: Any) -> None:
    said = of_anthropic if make is _anthropic else of_openai
    with ChatServer(said("partial", None)) as cut, ChatServer(reply({"error": "x"}, 400 + 29, CLOSE)) as busy:
        llm = routed(make, cut, busy)
        text, told = ask(llm)
        assert text == "partial"
        assert "nothing better was found" in told["reason"]
        assert "without a terminal reason" in told["reason"]


class Search(BaseModel):
    """A search."""

    q: str


@pytest.mark.parametrize("later", [False, True])
def test_an_object_by_a_tool_that_nobody_offered_comes_from_the_next(later: bool) -> None:
    def calls(name: str) -> Any:
        call = {"id": "t1", "type": "function", "function": {"name": name, "arguments": '{"q": "y"}'}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return reply(completion("", message=message, finish_reason="tool_calls"), headers=CLOSE)

    with ChatServer(calls("rm_rf")) as first, ChatServer(calls("Search")) as second:
        like = [
            (OpenAILike(model="m", api_base=s.base_url, api_key="k", is_chat_model=True,
                        is_function_calling_model=True), {"id": id, "structured_output": True})
            for id, s in (("a", first), ("b", second))
        ]  # fmt: skip
        llm, prompt = RouterLLM(models=like, policy="single"), PromptTemplate("hi")
        found = (
            asyncio.run(llm.astructured_predict(Search, prompt)) if later else llm.structured_predict(Search, prompt)
        )
        assert found == Search(q="y")
        assert faults(llm) == ["malformed_tool_call", None]


def lines(reason: str | None) -> Any:
    told: dict[str, Any] = {"model": "m", "created_at": "2026-01-01T00:00:00Z"}
    last = {**told, "message": {"role": "assistant", "content": ""}, "done": True, "prompt_eval_count": 5,
            "eval_count": 2, **({"done_reason": reason} if reason else {})}  # fmt: skip
    parts = [{**told, "message": {"role": "assistant", "content": "Alpha"}, "done": False}, last]
    data = "".join(json.dumps(part) + "\n" for part in parts).encode()
    return reply(data, headers=CLOSE, kind="application/x-ndjson")


def of_ollama(server: ChatServer, *, index: bool) -> Any:
    url = server.base_url.removesuffix("/v1")
    if index:
        return RouterLLM(models=[(Ollama(model="m", base_url=url, context_window=9_999), {"id": "a"})])
    return ChatRouter(models=[(ChatOllama(model="m", base_url=url), {"id": "a"})])


def read(llm: Any) -> str:
    if isinstance(llm, RouterLLM):
        return "".join(chunk.delta or "" for chunk in llm.stream_chat(HELLO))
    return "".join(chunk.text for chunk in llm.stream("hi"))


@pytest.mark.parametrize("index", [False, True], ids=["langchain", "llamaindex"])
def test_ollamas_last_line_is_an_end_with_and_without_a_reason(index: bool) -> None:
    with ChatServer(lines(None)) as server:
        assert read(of_ollama(server, index=index)) == "Alpha"


@pytest.mark.parametrize("index", [False, True], ids=["langchain", "llamaindex"])
def test_but_to_have_loaded_the_model_is_none(index: bool) -> None:
    with ChatServer(lines("load")) as server, pytest.raises(StreamInterrupted):
        read(of_ollama(server, index=index))
