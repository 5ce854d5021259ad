"""A LangChain model is copied for a call that has options of its own; the model itself goes on."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from llama_index.core.llms import MockLLM
from pydantic import Field

from llamaindex_router import RouterLLM
from llamaindex_router.fleet.chain_llm import ChainLLM


class Closes(BaseChatModel):
    """Closes its client at its end, as langchain-google-genai 4.2.0 does, and says how warm it was asked."""

    temperature: float = 0.0
    client: dict[str, bool] = Field(default_factory=dict)

    @property
    def _llm_type(self) -> str:
        return "closes"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        if self.client.get("closed"):
            raise RuntimeError("the client has been closed")
        told = AIMessage(str(self.temperature), response_metadata={"finish_reason": "stop"})
        return ChatResult(generations=[ChatGeneration(message=told)])

    def __del__(self) -> None:
        self.client["closed"] = True


class Retries(Closes):
    max_retries: int = 3


@pytest.mark.parametrize("kind", [Closes, Retries])
def test_what_a_router_keeps_of_a_model_closes_no_client_either(kind: type[Closes]) -> None:
    model = kind()
    llm = RouterLLM([(model, {"id": "closes"})])
    assert llm.complete("hi").text == "0.0"
    del llm
    gc.collect()
    assert model.client == {}


def test_nor_does_a_model_that_an_llm_alone_has_before_that_goes() -> None:
    llm = ChainLLM(Retries())
    client = llm.chain_model.client
    assert llm.complete("hi").text == "0.0"
    assert client == {}
    del llm
    gc.collect()
    assert client == {"closed": True}


class ClosingLLM(MockLLM):
    """One of LlamaIndex's own that closes its client."""

    max_retries: int = 3
    client: dict[str, bool] = Field(default_factory=dict)

    def __del__(self) -> None:
        self.client["closed"] = True


def test_nor_is_that_of_an_llm_of_llamaindexs_own() -> None:
    model = ClosingLLM()
    llm = RouterLLM([(model, {"id": "closes"})])
    assert llm.complete("hi").text == "hi"
    del llm
    gc.collect()
    assert model.client == {}


def test_a_copy_for_one_call_closes_no_client_that_it_shares() -> None:
    model = Closes()
    llm = RouterLLM([(model, {"id": "closes"})])
    assert [llm.complete("hi", temperature=0.5).text for _ in range(2)] == ["0.5", "0.5"]
    assert llm.complete("hi").text == "0.0"
    assert model.client == {}


class Dumped(Closes):
    """Core keeps how it is named in a cache at its first call."""

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True


def test_a_copy_for_one_call_is_not_answered_from_the_models_cache_with_what_others_got() -> None:
    llm = RouterLLM([(Dumped(cache=InMemoryCache()), {"id": "closes"})])
    assert [llm.complete("hi", **asked).text for asked in ({}, {"temperature": 0.5}, {})] == ["0.0", "0.5", "0.0"]
