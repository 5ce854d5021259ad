"""In small things, too, a router is as the LLM that it stands for: what it says of itself, and how mistakes surface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Say
from llama_index.core import Document, SummaryIndex
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata, MockLLM
from llama_index.core.prompts import ChatPromptTemplate
from llama_index.core.prompts.default_prompt_selectors import DEFAULT_TEXT_QA_PROMPT_SEL

from llamaindex_router import AllCandidatesFailed, ConfigError, EndpointLLM, RouterLLM

HI = [ChatMessage(content="hi")]
WAYS = [f"{way}{kind}" for way in ("", "a", "stream_", "astream_") for kind in ("chat", "complete")]


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_without_its_prompt_fails_as_any_llms(like: Callable[..., Any], way: str) -> None:
    async def called(llm: Any) -> Any:
        answer = getattr(llm, way)()
        return await answer if way.startswith("a") else answer

    with pytest.raises((ValueError, TypeError)) as own:
        await called(like("a"))
    with pytest.raises(own.type):
        await called(RouterLLM(models=[like("a")]))


def test_a_prompt_may_be_given_by_its_name(pair: RouterLLM) -> None:
    assert pair.complete(prompt="hi").text == "hello world"
    assert pair.chat(messages=HI).message.content == "hello world"


# -- chat model or not


class Plain(CustomLLM):
    """Completes texts; breaks off with `error` where one is given."""

    error: Any = None

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="plain")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=f"[{prompt}]")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Iterator[CompletionResponse]:  # type: ignore[override]  # the base's is one of generators
        yield CompletionResponse(text="one", delta="one")
        if self.error is not None:
            raise self.error

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        async def steps() -> AsyncIterator[CompletionResponse]:
            for response in self.stream_complete(prompt):
                yield response

        return steps()


def test_it_is_a_chat_model_if_one_of_its_models_is(server: ChatServer) -> None:
    chat = EndpointLLM(base_url=server.url, model="a")
    assert not RouterLLM(models=[Plain(), MockLLM()]).metadata.is_chat_model
    assert RouterLLM(models=[Plain(), chat]).metadata.is_chat_model
    assert RouterLLM(models=[chat]).metadata.is_chat_model


def test_so_prompts_are_made_as_for_the_models_alone() -> None:
    plain = Plain()
    router = RouterLLM(models=[plain])
    template = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{what}?")])
    assert router.predict(template, what="Why") == plain.predict(template, what="Why")
    select = DEFAULT_TEXT_QA_PROMPT_SEL.select
    assert select(llm=router) is select(llm=plain)


def test_query_engines_answer_over_mixed_models(server: ChatServer) -> None:
    server.script("a", Say("from a"))
    index = SummaryIndex.from_documents([Document(text="x")])
    chat = EndpointLLM(base_url=server.url, model="a", context_window=8_000)
    assert "x" in str(index.as_query_engine(llm=RouterLLM(models=[Plain(), MockLLM()])).query("what"))
    assert str(index.as_query_engine(llm=RouterLLM(models=[chat, Plain()], policy="single")).query("what")) == "from a"


# -- mistakes in a model's own code


@pytest.mark.parametrize("error", [TypeError("no"), AttributeError("no"), KeyError("no")])
@pytest.mark.parametrize("way", ["stream_complete", "astream_complete"])
async def test_after_the_first_text_they_surface_as_themselves(error: Exception, way: str) -> None:
    router = RouterLLM(models=[Plain(error=error), MockLLM()], policy="single")

    async def drained() -> list[str]:
        answer = getattr(router, way)("hi")
        return [c.text async for c in await answer] if way.startswith("a") else [c.text for c in answer]

    with pytest.raises(type(error)) as caught:
        await drained()
    assert caught.value is error
    assert router.router.ledger.unsettled == 0


class Outdated(Plain):
    """Of an integration that no longer fits its SDK: it stumbles before anything is sent."""

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        raise self.error

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise self.error


@pytest.mark.parametrize("error", [TypeError("no"), AttributeError("no"), NotImplementedError()])
@pytest.mark.parametrize("way", ["complete", "acomplete", "chat", "stream_chat"])
async def test_before_the_first_text_another_model_answers(error: Exception, way: str) -> None:
    router = RouterLLM(models=[Outdated(error=error), MockLLM()], policy="single")
    answer = getattr(router, way)(HI if "chat" in way else "hi")
    answer = await answer if way.startswith("a") else list(answer)[-1] if way.startswith("stream") else answer
    assert "hi" in str(answer)
    outdated, mock = router.router.ledger.calls()
    assert (outdated.fault, mock.fault) == ("unsupported", None)
    assert not any(row["held"] for row in router.router.health())


def test_where_none_does_the_error_tells_each_of_them() -> None:
    error = TypeError("complete() got an unexpected keyword argument 'session'")
    router = RouterLLM(models=[Outdated(error=error), Outdated(error=ValueError("hi"))], policy="single")
    with pytest.raises(AllCandidatesFailed, match=r"TypeError over the keyword session \(say `with routing") as caught:
        router.complete("hi", session="x")
    assert caught.value.__cause__ is error


def test_alone_it_surfaces_as_itself() -> None:
    error = TypeError("no")
    with pytest.raises(TypeError) as caught:
        RouterLLM(models=[Outdated(error=error)]).complete("hi")
    assert caught.value is error


# -- what may be set on one that exists


@pytest.mark.parametrize(("name", "given"), [("temperature", 0.9), ("max_tokens", 7), ("context_window", 4_000)])
def test_what_went_into_its_models_can_not_be_changed(pair: RouterLLM, name: str, given: Any) -> None:
    before = getattr(pair, name)
    with pytest.raises(ConfigError, match=rf"{name}.*make a RouterLLM with it"):
        setattr(pair, name, given)
    assert getattr(pair, name) == before
    setattr(pair, name, before)  # the same may be said again


def test_what_is_read_at_each_call_has_its_effect(pair: RouterLLM) -> None:
    pair.annotate = False
    assert "router" not in pair.chat(HI).additional_kwargs
