"""The structured family: native schemas, tool programs, answers that don't fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Refuse, Say
from llama_index.core.llms import ChatMessage, MockLLM
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate
from pydantic import BaseModel

from llamaindex_router import RouterLLM


class City(BaseModel):
    """A city."""

    name: str
    people: int


PARIS = '{"name": "Paris", "people": 2100000}'
PROMPT = PromptTemplate("Tell about {place}.")


def told(body: dict[str, Any]) -> Say:
    """Paris, by a tool call or as JSON, as asked."""
    if body.get("tools"):
        return Say(tools=((body["tools"][0]["function"]["name"], {"name": "Paris", "people": 2_100_000}),))
    return Say(PARIS)


async def predicted(llm: RouterLLM, way: str) -> Any:
    if way == "structured_predict":
        return llm.structured_predict(City, PROMPT, place="Paris")
    if way == "astructured_predict":
        return await llm.astructured_predict(City, PROMPT, place="Paris")
    if way == "stream_structured_predict":
        return list(llm.stream_structured_predict(City, PROMPT, place="Paris"))[-1]
    opened = await llm.astream_structured_predict(City, PROMPT, place="Paris")
    return [part async for part in opened][-1]


UNARY = ["structured_predict", "astructured_predict"]
WAYS = [*UNARY, "stream_structured_predict", "astream_structured_predict"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("native", [True, False], ids=["native", "by tools"])
@pytest.mark.parametrize("first", [told, Refuse(429)], ids=["well", "first at its limit"])
async def test_objects(
    child: Callable[..., Any], server: ChatServer, way: str, native: bool, first: Any, request: pytest.FixtureRequest
) -> None:
    like = request.node.callspec.params["child"] == "like"
    mode = {"should_use_structured_outputs": native} if like else {} if native else {"structured_output": False}
    cards = [(child(name, **mode), {"id": name, "structured_output": True}) for name in ("a", "b")]
    server.script("a", first)
    server.script("b", told)
    llm = RouterLLM(models=cards, policy="single")
    assert await predicted(llm, way) == City(name="Paris", people=2_100_000)
    assert ("response_format" in server.requests[-1]) == native
    assert llm.router.ledger.total().input_tokens


@pytest.mark.parametrize("way", UNARY)
async def test_an_answer_that_does_not_fit_goes_on(pair: RouterLLM, server: ChatServer, way: str) -> None:
    server.script("a", Say('{"name": 3}'))
    server.script("b", told)
    assert await predicted(pair, way) == City(name="Paris", people=2_100_000)
    assert pair.explain("hi").chosen.id == "a"  # it teaches the policy, but is no matter of health


def test_the_tokens_of_structured_calls_are_known(built_in: Callable[..., Any], server: ChatServer) -> None:
    server.script("a", told)
    llm = RouterLLM(models=[(built_in("a"), {"id": "a", "price": {"input_mtok": 1, "output_mtok": 2}})])
    llm.structured_predict(City, PROMPT, place="Paris")
    list(llm.stream_structured_predict(City, PROMPT, place="Paris"))
    total = llm.router.ledger.total()
    assert (total.input_tokens, total.output_tokens, total.estimated_usd) == (200, 40, 0)


def test_the_routers_system_prompt_holds_and_braces_stay(built_in: Callable[..., Any], server: ChatServer) -> None:
    server.script("a", told)
    llm = RouterLLM(models=[built_in("a")], system_prompt="Be exact: {x}.")
    prompt = ChatPromptTemplate([ChatMessage(content="About {place}, in JSON.")])
    llm.structured_predict(City, prompt, place="{Paris}")
    assert [m["content"] for m in server.requests[0]["messages"]] == ["Be exact: {x}.", "About {Paris}, in JSON."]


def test_the_callers_prompt_and_keywords_are_left_alone(server: ChatServer, built_in: Callable[..., Any]) -> None:
    server.script("a", told)
    prompt, keywords = PromptTemplate("About {place}."), {"temperature": 0.5}
    llm = RouterLLM(models=[(MockLLM(), {"id": "mock"}), (built_in("a"), {"id": "a"})], policy="single")
    llm.structured_predict(City, prompt, llm_kwargs=keywords, place="Paris")
    assert prompt.output_parser is None
    assert keywords == {"temperature": 0.5}


def test_as_structured_llm(pair: RouterLLM, server: ChatServer) -> None:
    server.script("a", told)
    assert pair.as_structured_llm(City).complete("about Paris").raw == City(name="Paris", people=2_100_000)


class Census(BaseModel):
    """Keys that are not known beforehand have no strict form."""

    people: dict[str, int]


@pytest.mark.parametrize("way", WAYS)
async def test_openai_is_asked_to_hold_to_the_schema_as_it_is_by_its_own_llm(
    built_in: Callable[..., Any], like: Callable[..., Any], server: ChatServer, way: str
) -> None:
    server.script("a", told)
    for llm in (built_in("a", provider="openai"), like("a", should_use_structured_outputs=True)):
        await predicted(RouterLLM(models=[llm]), way)
    ours, own = (body["response_format"]["json_schema"] for body in server.requests)
    assert ours["strict"] is own["strict"] is True
    assert ours["schema"] == own["schema"]


@pytest.mark.parametrize(
    ("model", "provider", "kind"),
    [("a", "mistral", City), ("a", "", City), ("ft:a", "openai", City), ("a", "openai", Census)],
)
def test_a_server_that_may_reject_strict_is_not_asked(
    built_in: Callable[..., Any], server: ChatServer, model: str, provider: str, kind: type[BaseModel]
) -> None:
    answer = PARIS if kind is City else '{"people": {"Paris": 1}}'
    server.script(model, Say(answer))
    built_in(model, provider=provider).structured_predict(kind, PROMPT, place="Paris")
    (body,) = server.requests
    assert body["response_format"]["json_schema"] == {"name": kind.__name__, "schema": kind.model_json_schema()}
