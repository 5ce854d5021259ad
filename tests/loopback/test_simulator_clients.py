"""The simulator behind the clients that people use."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from capability_router.simulator import Fleet

pytestmark = pytest.mark.usefixtures("forgotten_clients")

FLEET = {
    "time_scale": 0,
    "providers": [
        {"name": "a", "models": [{"name": "m", "skill": 1, "reasoning_output": True, "reasoning_tokens": 20}]},
    ],
}


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    with Fleet.from_config(FLEET) as fleet:
        yield fleet


@pytest.fixture
def fleet(running: Fleet) -> Iterator[Fleet]:
    yield running
    running.heal()


@pytest.fixture
def client(fleet: Fleet) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=fleet.base_url("a"), api_key="any", max_retries=0, timeout=5) as made:
        yield made


@pytest.fixture
def llm(fleet: Fleet) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=fleet.base_url("a"), model="m", api_key="any", max_retries=0, timeout=5, use_responses_api=False,
        stream_usage=True,
    )  # fmt: skip


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"21 °C in {city}"


class Person(BaseModel):
    name: str
    age: int


ASK = [{"role": "user", "content": "what is 17*23"}]


def test_openai_unary_and_stream(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="m", messages=ASK)
    assert whole.choices[0].message.content == "17*23 = 391"
    assert whole.usage
    asked = {"model": "m", "messages": ASK, "stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(**asked))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "17*23 = 391"
    assert chunks[-1].usage == whole.usage
    assert [m.id for m in client.models.list()] == ["m"]


def test_openai_parses_structured_output(client: openai.OpenAI) -> None:
    asked = [{"role": "user", "content": "Name: Ada Lovelace, age: 36. Who is it?"}]
    parsed = client.chat.completions.parse(model="m", messages=asked, response_format=Person).choices[0].message.parsed
    assert parsed == Person(name="Ada Lovelace", age=36)


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("500:a", openai.InternalServerError),
        ("429:a", openai.RateLimitError),
        ("quota:a", openai.RateLimitError),
        ("401:a", openai.AuthenticationError),
        ("context:a", openai.BadRequestError),
        ("content_filter:a", openai.BadRequestError),
        ("reset:a", openai.APIConnectionError),
        ("outage:a", openai.APIConnectionError),
    ],
)
def test_openai_errors(fleet: Fleet, client: openai.OpenAI, fault: str, raised: type[Exception]) -> None:
    fleet.fault(fault)
    with pytest.raises(raised):
        client.chat.completions.create(model="m", messages=ASK)


def test_openai_in_stream_error(fleet: Fleet, client: openai.OpenAI) -> None:
    fleet.fault("in_stream_error:a,after_chunks=1")
    with pytest.raises(openai.APIError, match="overloaded"):
        list(client.chat.completions.create(model="m", messages=ASK, stream=True))


def test_langchain_unary_and_stream(llm: ChatOpenAI) -> None:
    whole = llm.invoke("what is 17*23")
    assert whole.text == "17*23 = 391"
    assert whole.usage_metadata
    assert whole.usage_metadata["output_token_details"]["reasoning"] > 0
    chunks = list(llm.stream("what is 17*23"))
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert total.text == "17*23 = 391"
    assert total.usage_metadata == whole.usage_metadata
    assert total.response_metadata["finish_reason"] == "stop"


async def test_langchain_async(llm: ChatOpenAI) -> None:
    assert (await llm.ainvoke("what is 17*23")).text == "17*23 = 391"
    assert "".join([c.text async for c in llm.astream("what is 17*23")]) == "17*23 = 391"


def test_langchain_tool_loop(llm: ChatOpenAI) -> None:
    bound = llm.bind_tools([get_weather])
    asked = HumanMessage("What is the weather in Paris?")
    for called in (bound.invoke([asked]), sum_of(bound.stream([asked]))):
        assert [(c["name"], c["args"]) for c in called.tool_calls] == [("get_weather", {"city": "Paris"})]
    result = ToolMessage(get_weather.invoke(called.tool_calls[0]["args"]), tool_call_id=called.tool_calls[0]["id"])
    assert bound.invoke([asked, called, result]).text == "The result is: 21 °C in Paris"


def sum_of(chunks: Iterator[AIMessage]) -> AIMessage:
    total = next(chunks)
    for chunk in chunks:
        total = total + chunk
    return total


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_langchain_structured_output(llm: ChatOpenAI, method: str) -> None:
    found = llm.with_structured_output(Person, method=method).invoke("Name: Ada Lovelace, age: 36.")
    assert found == Person(name="Ada Lovelace", age=36)


def test_langchain_json_mode(llm: ChatOpenAI) -> None:
    found = llm.with_structured_output(None, method="json_mode").invoke("what is 17*23, as JSON")
    assert found == {"answer": "17*23 = 391"}
