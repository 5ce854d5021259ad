"""LangChain's parsers make an object of JSON that breaks off. To a router such an answer is one that fits no schema."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from loopback import chat_server
from loopback.chat_server import ChatServer, completion, piece, reply
from pydantic import BaseModel

from langchain_router import ChatEndpoint, ChatRouter, StreamInterrupted
from langchain_router.messages.broken_json import parser_repairs

CLOSE = ["connection: close"]  # event loops end with their test
sse = partial(chat_server.sse, headers=CLOSE)
WHOLE = '{"people": 134000, "name": "Bern"}'
BROKEN = {"cut": '{"people": 134000, "name": "Be', "fenced": '```json\n{"people": 134000, "name": "Be'}


class City(BaseModel):
    """A city."""

    people: int
    name: str


AS_A_DICT = {**City.model_json_schema(), "title": "City", "description": "A city."}
GOOD, HALF = {"people": 134000, "name": "Bern"}, {"people": 134000, "name": "Be"}
schemas = pytest.mark.parametrize("schema", [City, AS_A_DICT], ids=["class", "dict"])
later = pytest.mark.parametrize("later", [False, True])


def said(text: str, *, stream: bool) -> Any:
    if stream:
        pieces = [piece(text[at : at + 9]) for at in range(0, len(text), 9)]
        return sse(piece(role="assistant"), *pieces, piece(finish="stop"))
    return reply(completion(text), headers=CLOSE)


@pytest.fixture(params=BROKEN.values(), ids=BROKEN.keys())
def first(request: pytest.FixtureRequest, stream: bool) -> Iterator[str]:
    with ChatServer(said(request.param, stream=stream)) as server:
        yield server.base_url


@pytest.fixture
def second(stream: bool) -> Iterator[str]:
    with ChatServer(said(WHOLE, stream=stream)) as server:
        yield server.base_url


def _openai(url: str, id: str) -> Any:
    return ChatOpenAI(model=id, base_url=url, api_key="k", use_responses_api=False), {"id": id}


def _built_in(url: str, id: str) -> Any:
    return ChatEndpoint(base_url=url, model="m", api_key="k", id=id)


makes = pytest.mark.parametrize("make", [_openai, _built_in], ids=["ChatOpenAI", "built-in"])


def asked(router: ChatRouter, schema: Any, *, later: bool, stream: bool = False, **options: Any) -> Any:
    bound = router.with_structured_output(schema, method="json_mode", **options)

    async def read() -> Any:
        return [part async for part in bound.astream("hi")] if stream else await bound.ainvoke("hi")

    if later:
        return asyncio.run(read())
    return list(bound.stream("hi")) if stream else bound.invoke("hi")


def plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, City) else value


def faults(router: ChatRouter) -> list[str | None]:
    return [call.fault for call in router.router.ledger.calls()]


@makes
@schemas
@later
@pytest.mark.parametrize("stream", [False])
@pytest.mark.parametrize("raw", [False, True])
def test_the_next_model_is_asked(first: str, second: str, make: Any, schema: Any, later: bool, raw: bool) -> None:
    router = ChatRouter(models=[make(first, "a"), make(second, "b")], policy="single")
    answer = asked(router, schema, later=later, include_raw=raw)
    assert plain(answer["parsed"] if raw else answer) == GOOD
    assert faults(router) == ["unparsable", None]


@schemas
@pytest.mark.parametrize("stream", [False])
def test_without_a_better_one_it_is_what_the_parser_made_of_it(first: str, schema: Any) -> None:
    router = ChatRouter(models=[_built_in(first, "a")], policy="single")
    assert plain(asked(router, schema, later=False)) == HALF
    assert faults(router) == ["unparsable"]


@makes
@schemas
@later
@pytest.mark.parametrize("stream", [True])
def test_a_stream_of_it_does_not_end_well(first: str, second: str, make: Any, schema: Any, later: bool) -> None:
    router = ChatRouter(models=[make(first, "a"), make(second, "b")], policy="single")
    with pytest.raises(StreamInterrupted):
        asked(router, schema, later=later, stream=True)
    whole = ChatRouter(models=[make(second, "b")], policy="single")
    assert plain(asked(whole, schema, later=later, stream=True)[-1]) == GOOD


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        f"```json\n{WHOLE}\n```",
        f"{WHOLE}\nIs there anything else?",
        '{"name": "two\nlines"}',
        "[1, 2]",
        "no JSON",
        "",
    ],
)
def test_what_needs_no_mending(text: str) -> None:
    assert not parser_repairs(AIMessage(text))


@pytest.mark.parametrize("text", ['{"a": 1', '{"a": nope', "```json\n[1, 2", '{"a": {"b": "c"}'])
def test_what_needs_it(text: str) -> None:
    assert parser_repairs(AIMessage(text))
    assert not parser_repairs(AIMessage(text, tool_calls=[{"name": "f", "args": {}, "id": "1"}]))
