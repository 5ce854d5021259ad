"""A structured answer that a filter stopped, or that a model refused, is told as that, and not as one that is none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from langchain_core import exceptions
from langchain_openai import ChatOpenAI
from llama_index.core.program import LLMTextCompletionProgram
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import BasePydanticProgram
from llama_index.llms.openai_like import OpenAILike
from loopback import chat_server
from loopback.chat_server import ChatServer, completion, piece, reply
from pydantic import BaseModel

from langchain_router import AllCandidatesFailed, ChatEndpoint, ChatRouter
from llamaindex_router import EndpointLLM, RouterLLM, StreamInterrupted
from llamaindex_router.errors import AnswerWithheld

CLOSE = ["connection: close"]  # event loops end with their test
sse = partial(chat_server.sse, headers=CLOSE)
Refused: Any = getattr(exceptions, "ModelRefusalError", exceptions.OutputParserException)
METHODS = ("json_schema", "function_calling", "json_mode")


class Who(BaseModel):
    """A person."""

    name: str
    age: int


def whole(content: str | None, finish: str, **message: Any) -> Any:
    told = {"role": "assistant", "content": content, **message}
    return reply(completion("", message=told, finish_reason=finish), headers=CLOSE)


def well(*, stream: bool) -> Any:
    text = '{"name": "x", "age": 1}'
    call = {"index": 0, "id": "t", "type": "function", "function": {"name": "Who", "arguments": text}}
    if stream:
        return sse(piece(text, role="assistant", tool_calls=[call]), piece(finish="stop"))
    return whole(text, "stop", tool_calls=[call])


STEPS = {
    "filtered": (whole(None, "content_filter"), sse(piece(role="assistant"), piece(finish="content_filter"))),
    "partly": (whole('{"na', "content_filter"), sse(piece('{"na'), piece(finish="content_filter"))),
    "refused": (
        whole(None, "stop", refusal="I must not."),
        sse(piece(role="assistant", refusal="I must"), piece(refusal=" not."), piece(finish="stop")),
    ),
}
kinds = pytest.mark.parametrize("kind", STEPS)
both = pytest.mark.parametrize("stream", [False, True])


@pytest.fixture
def two(kind: str, stream: bool) -> Iterator[tuple[str, str]]:
    with ChatServer(STEPS[kind][stream]) as first, ChatServer(well(stream=stream)) as second:
        yield first.base_url, second.base_url


def chained(llm: Any, method: Any, *, stream: bool, later: bool = False, **options: Any) -> Any:
    bound = llm.with_structured_output(Who, method=method, **options)

    async def read() -> Any:
        return [part async for part in bound.astream("hi")][-1] if stream else await bound.ainvoke("hi")

    if later:
        return asyncio.run(read())
    return list(bound.stream("hi"))[-1] if stream else bound.invoke("hi")


def faults(llm: Any) -> list[str | None]:
    return [call.fault for call in llm.router.ledger.calls()]


@kinds
@both
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_the_built_in_model_tells_it_as_chatopenai_does(two: Any, method: str, stream: bool, later: bool) -> None:
    model = ChatEndpoint(base_url=two[0], model="m", api_key="k")
    for llm in (model, ChatRouter(models=[model])):
        with pytest.raises(Refused, match="no structured answer") as caught:
            chained(llm, method, stream=stream, later=later)
        assert "must" not in str(caught.value)
        assert caught.value.raw_message.response_metadata or caught.value.raw_message.additional_kwargs["refusal"]


@pytest.mark.parametrize("stream", [False])
@kinds
def test_it_stands_beside_the_raw_answer(two: Any, kind: str) -> None:
    told = chained(ChatEndpoint(base_url=two[0], model="m", api_key="k"), "json_mode", stream=False, include_raw=True)
    assert (told["parsed"], type(told["parsing_error"]).__name__) == (None, "AnswerWithheld")


def _openai(url: str, id: str) -> Any:
    return ChatOpenAI(model=id, base_url=url, api_key="k", use_responses_api=False), {"id": id}


def _built_in(url: str, id: str) -> Any:
    return ChatEndpoint(base_url=url, model="m", api_key="k", id=id)


@kinds
@both
@pytest.mark.parametrize("make", [_openai, _built_in])
def test_what_follows(two: Any, kind: str, stream: bool, make: Any) -> None:
    models = [make(url, id) for url, id in zip(two, "ab", strict=True)]
    asked = partial(chained, method="json_mode", stream=stream)
    returned = ChatRouter(models=models, policy="single")
    fallen = ChatRouter(models=models, policy="single", on_content_filter="fallback")
    assert asked(fallen) == Who(name="x", age=1)
    if kind == "refused":  # who asked for a structure can do nothing with it, so the next model is asked
        assert asked(returned) == Who(name="x", age=1)
        assert faults(returned) == faults(fallen) == ["unparsable", None]
        return
    with pytest.raises(Exception, match="content filter"):
        asked(returned)
    assert len(faults(returned)) == 1
    assert faults(fallen) == ["content_filtered", None]


# -- LlamaIndex -----------------------------------------------------------------------------------


def _functions(url: str, id: str) -> Any:
    like = OpenAILike(model="m", api_base=url, api_key="k", is_chat_model=True, is_function_calling_model=True)
    return like, {"id": id, "tool_calling": True}


def _texts(url: str, id: str) -> Any:
    return OpenAILike(model="m", api_base=url, api_key="k", is_chat_model=True), {"id": id}


def _endpoint(url: str, id: str) -> Any:
    return EndpointLLM(base_url=url, model="m", api_key="k"), {"id": id}


INDEX = pytest.mark.parametrize("make", [_functions, _texts, _endpoint])


OLD_PROGRAM = LLMTextCompletionProgram.stream_call is BasePydanticProgram.stream_call


def _skip_if_old(make: Any, *, streamed: bool) -> None:
    if streamed and make is _texts and OLD_PROGRAM:
        pytest.skip("this llama-index-core streams no object from texts")


def indexed(llm: Any, *, stream: bool, later: bool = False) -> Any:
    prompt = PromptTemplate("hi")

    async def read() -> Any:
        if stream:
            return [part async for part in await llm.astream_structured_predict(Who, prompt)][-1]
        return await llm.astructured_predict(Who, prompt)

    if later:
        return asyncio.run(read())
    return [*llm.stream_structured_predict(Who, prompt)][-1] if stream else llm.structured_predict(Who, prompt)


@kinds
@both
@pytest.mark.parametrize("later", [False, True])
@INDEX
def test_in_llamaindex(two: Any, kind: str, stream: bool, later: bool, make: Any) -> None:
    _skip_if_old(make, streamed=stream)
    models = [make(url, id) for url, id in zip(two, "ab", strict=True)]
    returned = RouterLLM(models=models, policy="single")
    fallen = RouterLLM(models=models, policy="single", on_content_filter="fallback")
    assert indexed(fallen, stream=stream, later=later).name == "x"
    if kind == "refused":
        assert indexed(returned, stream=stream, later=later).name == "x"
        assert faults(returned) == faults(fallen) == ["unparsable", None]
        return
    with pytest.raises(AllCandidatesFailed, match=r'content filter stopped .* on_content_filter is "return"'):
        indexed(returned, stream=stream, later=later)
    assert faults(returned) == ["content_filtered"]
    assert faults(fallen) == ["content_filtered", None]


@pytest.mark.parametrize("kind", ["refused"])
@both
@INDEX
def test_where_all_refuse_that_is_told(two: Any, stream: bool, make: Any) -> None:
    _skip_if_old(make, streamed=stream)
    llm = RouterLLM(models=[make(two[0], "a")], policy="single")
    with pytest.raises(AllCandidatesFailed, match="a refusal in the object's place"):
        indexed(llm, stream=stream)


@pytest.mark.parametrize("stream", [False])
@kinds
def test_the_built_in_llm_alone(two: Any, kind: str) -> None:
    with pytest.raises(AnswerWithheld):
        indexed(EndpointLLM(base_url=two[0], model="m", api_key="k"), stream=False)
    with pytest.raises(AnswerWithheld):
        indexed(EndpointLLM(base_url=two[0], model="m", api_key="k"), stream=False, later=True)


def test_an_object_that_was_begun_and_then_stopped_is_told() -> None:
    with ChatServer(sse(piece('{"name": "x"'), piece("}"), piece(finish="content_filter"))) as server:
        llm = RouterLLM(models=[_endpoint(server.base_url, "a")], policy="single")
        with pytest.raises(StreamInterrupted, match="content filter stopped"):
            indexed(llm, stream=True)
