"""Verbs that do as a plain chat model's do, also where something is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import Scripted
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from openai_server import Server
from pydantic import BaseModel

from capability_router.testing import assert_books_balanced
from langchain_router import AllCandidatesFailed, ChatRouter


class Joke(BaseModel):
    """A joke."""

    setup: str


async def test_v3_of_parsed_values_is_refused_before_a_model_is_asked() -> None:
    model = Scripted()
    router = ChatRouter(models=[model])
    structured: Any = router.with_structured_output(Joke)
    with pytest.raises(NotImplementedError, match="v3"):
        structured.stream_events("x", version="v3")
    with pytest.raises(NotImplementedError, match="v3"):
        await structured.astream_events("x", version="v3")
    assert model.calls == []
    assert router.router.ledger.calls() == []


async def test_agenerate_waits_for_every_prompt_before_it_raises() -> None:
    class Slow(Scripted):
        async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            if messages[0].content == "bad":
                raise ConnectionError("down")
            for _ in range(200):
                await asyncio.sleep(0)
            return await super()._agenerate(messages, *args, **kwargs)

    model = Slow()
    with pytest.raises(AllCandidatesFailed):
        await ChatRouter(models=[model], max_retries=0).agenerate([[HumanMessage("bad")], [HumanMessage("good")]])
    assert [messages[0].content for messages in model.calls] == ["good"]


def test_generate_gives_what_models_put_beside_their_answers(server: Server) -> None:
    plain = ChatOpenAI(model="ok-x", base_url=server.url, api_key="k", use_responses_api=False)
    prompts = [[HumanMessage("hi")], [HumanMessage("ho")]]
    expected, given = plain.generate(prompts), ChatRouter(models=[plain], policy="single").generate(prompts)
    assert given.llm_output == expected.llm_output
    assert [g[0].generation_info for g in given.generations] == [g[0].generation_info for g in expected.generations]


@pytest.mark.parametrize("heard", [[], [BaseCallbackHandler()]])
async def test_generate_gives_all_the_answers_that_a_call_asks_for(server: Server, heard: list[Any]) -> None:
    plain = ChatOpenAI(model="ok-x", base_url=server.url, api_key="k", use_responses_api=False, n=2)
    router, prompt = ChatRouter(models=[plain], policy="single"), [HumanMessage("hi")]
    expected = plain.generate([prompt])
    for given in (router.generate([prompt], callbacks=heard), await router.agenerate([prompt], callbacks=heard)):
        assert [g.text for g in given.generations[0]] == ["a b c"] * 2
        assert [g.generation_info for g in given.generations[0]] == [{"finish_reason": "stop", "logprobs": None}] * 2
        assert [g.message.response_metadata["router"]["model"] for g in given.generations[0]] == ["openai/ok-x"] * 2
        assert given.llm_output == expected.llm_output
    assert [len(r.generations) for r in (router._generate(prompt), await router._agenerate(prompt))] == [2, 2]


def test_the_details_of_tokens_are_added_up_over_prompts(server: Server) -> None:
    plain = ChatOpenAI(model="ok-x", base_url=server.url, api_key="k", use_responses_api=False, n=2)
    given = ChatRouter(models=[plain], policy="single").generate([[HumanMessage("hi")], [HumanMessage("ho")]])
    told = (given.llm_output or {})["token_usage"]
    assert [len(answers) for answers in given.generations] == [2, 2]
    assert (told["prompt_tokens"], told["prompt_tokens_details"]["cached_tokens"]) == (20, 8)


def test_a_mistake_that_every_package_finds_is_of_the_class_that_it_raises(server: Server) -> None:
    plain = ChatOpenAI(model="ok-x", base_url=server.url, api_key="k", use_responses_api=False)
    for model in (plain, ChatRouter(models=[plain], policy="single")):
        with pytest.raises(ValueError, match=r"Functions must be|does not support a part of the request"):
            model.bind_tools([object()]).invoke("hi")


def test_what_a_package_has_against_a_binding_is_in_the_cause(server: Server) -> None:
    plain = ChatOpenAI(model="ok-x", base_url=server.url, api_key="k", use_responses_api=False)
    bound = ChatRouter(models=[plain], policy="single").with_structured_output({"title": "x"}, method="json_shema")
    with pytest.raises(ValueError, match=r"The details are in this error's `__cause__`") as caught:
        bound.invoke("hi")
    assert "json_shema" in str(caught.value.__cause__)


def test_a_stream_can_be_explained() -> None:
    router = ChatRouter(models=[(Scripted(name_="x"), {"streaming": False}), Scripted(name_="y")], policy="single")
    assert router.explain("hi").chosen.id == "fake/x"
    assert router.explain("hi", stream=True).chosen.id == "fake/y"


@pytest.mark.parametrize("error", [TypeError("no"), AttributeError("no"), KeyError("no")])
async def test_a_mistake_in_a_models_own_code_after_its_first_text_surfaces_as_itself(error: Exception) -> None:
    class Mistaken(Scripted):
        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            yield from [*super()._stream(*args, **kwargs)][:1]
            raise error

    spare = Scripted(name_="y")
    router = ChatRouter(models=[Mistaken(name_="x"), spare], policy="single")
    with pytest.raises(type(error)) as caught:
        list(router.stream("hi"))
    assert caught.value is error
    with pytest.raises(type(error)):
        _ = [chunk async for chunk in router.astream("hi")]
    assert spare.calls == []
    assert_books_balanced(router.router)
