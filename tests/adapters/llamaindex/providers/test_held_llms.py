"""LLMs that call other LLMs themselves: only the router retries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Refuse
from llama_index.core.base.llms.types import ChatMessage, LLMMetadata
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.llm import LLM
from llama_index.llms.openai import OpenAI
from pydantic import BaseModel

from llamaindex_router import RouterLLM
from llamaindex_router.fleet.llm_fleet import prepared

HI = [ChatMessage(content="hi")]


class Gateway(CustomLLM):
    """Calls the first of its LLMs, as CloudflareAIGateway does."""

    llms: list[LLM]
    spare: LLM | None = None

    @property
    def metadata(self) -> LLMMetadata:
        return self.llms[0].metadata

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        return self.llms[0].chat(messages, **kwargs)

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        return await self.llms[0].achat(messages, **kwargs)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError

    stream_complete = complete


class City(BaseModel):
    """A city."""

    name: str


def openai(server: ChatServer, model: str) -> OpenAI:
    return OpenAI(model=model, api_base=server.url, api_key="k", max_retries=3)


@pytest.mark.parametrize("way", ["chat", "achat"])
async def test_a_refused_request_is_sent_once(server: ChatServer, way: str) -> None:
    server.script("gpt-4o-mini", Refuse(503))
    gateway = Gateway(llms=[openai(server, "gpt-4o-mini")])
    llm = RouterLLM(models=[(gateway, {"id": "a"}), (openai(server, "gpt-4o"), {"id": "b"})], policy="single")
    answer = getattr(llm, way)(HI)
    assert (await answer if way == "achat" else answer).message.content == "hello world"
    assert len(server.of("gpt-4o-mini")) == 1
    assert [held.max_retries for held in gateway.llms] == [3]  # type: ignore[attr-defined]  # it is OpenAI's


def test_every_field_with_llms_is_looked_at(server: ChatServer) -> None:
    model, quiet = openai(server, "gpt-4o"), OpenAI(model="gpt-4o", api_key="k", max_retries=0)
    made: Any = prepared(Gateway(llms=[quiet, model], spare=model), {"temperature": 0.7})
    assert (made.llms[0], made.llms[1].max_retries, made.spare.max_retries) == (quiet, 0, 0)
    assert made.spare.temperature == model.temperature  # a router's defaults are for its own models
    structured: Any = prepared(model.as_structured_llm(City), {})
    assert structured.llm.max_retries == 0


def test_an_llm_is_itself_if_those_it_holds_do_not_retry() -> None:
    gateway = Gateway(llms=[OpenAI(model="gpt-4o", api_key="k", max_retries=0)])
    assert prepared(gateway, {}) is gateway
