"""WatsonxLLM, which is seldom installed: a class of its name, over what llama-index-llms-ibm 0.8.0 was seen to hold."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from adapters.watsonx_sdk import model_inference
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.llms import MockLLM
from loopback.chat_server import ChatServer, reply
from pydantic import PrivateAttr

from llamaindex_router import AllCandidatesFailed, RouterLLM, StreamInterrupted
from llamaindex_router.messages.usage import finish_of

HI = [ChatMessage(content="hi")]
DOWN = reply({"errors": [{"code": "downstream_request_failed", "message": "x"}]}, 503, headers=["connection: close"])


class Wrapper(MockLLM):
    url: str = ""
    chunks: tuple[Any, ...] = ()
    _model: Any = PrivateAttr(default_factory=model_inference)

    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        self._model._inference._post_with_retry(f"{self.url}/ml").raise_for_status()
        raise AssertionError

    async def achat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        (await self._model._inference._async_post_with_retry(f"{self.url}/ml")).raise_for_status()
        raise AssertionError

    def stream_chat(self, messages: Any, **kwargs: Any) -> Iterator[ChatResponse]:
        for raw in self.chunks:
            text = raw["choices"][0]["delta"].get("content", "")
            yield ChatResponse(message=ChatMessage(role="assistant", content=text), delta=text, raw=raw)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        (raw,) = self.chunks
        return CompletionResponse(text=raw["results"][0]["generated_text"], raw=raw)


KIND = type("WatsonxLLM", (Wrapper,), {"__module__": "llama_index.llms.ibm.base"})


def made(url: str = "", *chunks: Any) -> Any:
    llm = KIND()
    llm.url, llm.chunks = url, chunks
    return llm


@pytest.mark.parametrize("later", [False, True], ids=["chat", "achat"])
def test_one_attempt_is_one_call(later: bool) -> None:
    with ChatServer(DOWN) as server:
        router = RouterLLM(models=[made(server.base_url)], retry={"attempts": 1})
        with pytest.raises(AllCandidatesFailed):
            asyncio.run(router.achat(HI)) if later else router.chat(HI)
        assert len(server.seen) == 1


def test_the_users_own_goes_on_as_it_was() -> None:
    with ChatServer(DOWN) as server:
        llm = made(server.base_url)
        RouterLLM(models=[llm])
        gc.collect()  # a copy of the client closes nothing
        with pytest.raises(Exception, match="503"):
            llm.chat(HI)
        assert len(server.seen) == 44


def test_a_stream_without_a_reason_is_cut() -> None:
    chunk = {"choices": [{"delta": {"content": "a"}, "finish_reason": None}]}
    with pytest.raises(StreamInterrupted):
        list(RouterLLM(models=[made("", chunk)]).stream_chat(HI))


@pytest.mark.parametrize(
    ("reason", "finish"), [("eos_token", "stop"), ("max_tokens", "length"), ("time_limit", "length")]
)
def test_a_completions_end_and_counts(reason: str, finish: str) -> None:
    result = {"generated_text": "a", "generated_token_count": 3, "input_token_count": 10, "stop_reason": reason}
    router = RouterLLM(models=[made("", {"results": [result]})])
    assert router.complete("hi").text == "a"
    (call,) = router.router.ledger.calls()
    assert (call.input_tokens, call.output_tokens, call.estimated) == (10, 3, False)
    assert finish_of({"results": [result]}) == finish


def test_an_unfinished_completion_is_followed_by_the_next_model() -> None:
    def said(text: str, reason: str) -> Any:
        return made("", {"results": [{"generated_text": text, "stop_reason": reason}]})

    models = [(said("half", "not_finished"), {"id": "a"}), (said("whole", "eos_token"), {"id": "b"})]
    router = RouterLLM(models=models, policy="single")
    assert router.complete("hi").text == "whole"
    assert [call.fault for call in router.router.ledger.calls()] == ["truncated", None]
