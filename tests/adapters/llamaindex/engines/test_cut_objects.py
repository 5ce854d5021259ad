"""A streamed object is one only when its model has ended it: LlamaIndex makes objects of JSON that breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Cut, Say
from adapters.llamaindex.provider_llms import Make
from llama_index.core.prompts import PromptTemplate
from llama_index.llms.openai import OpenAI
from loopback import chat_server
from loopback.chat_server import piece, sse
from pydantic import BaseModel

from llamaindex_router import RouterLLM, StreamInterrupted

pytestmark = [
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),  # google-genai's
]
CLOSE = ["connection: close"]  # event loops end with their test
PROMPT = PromptTemplate("Tell about {place}.")
WHOLE = '{"people": 2, "name": "Paris by the river"}'
AFTER = 4
PART = " ".join(WHOLE.split(" ")[:AFTER])
later = pytest.mark.parametrize("later", [False, True])


class Place(BaseModel):
    """A place."""

    people: int
    name: str


class Named(BaseModel):
    """It may lack its last field."""

    name: str
    n: str = ""


async def objects(llm: RouterLLM, kind: type[BaseModel], *, later: bool) -> list[Any]:
    if later:
        return [part async for part in await llm.astream_structured_predict(kind, PROMPT, place="x")]
    # GoogleGenAI's can't be called where a loop runs.
    return await asyncio.to_thread(lambda: list(llm.stream_structured_predict(kind, PROMPT, place="x")))


def routed(child: Callable[..., Any], request: pytest.FixtureRequest) -> RouterLLM:
    like = request.node.callspec.params["child"] == "like"
    mode = {"should_use_structured_outputs": True} if like else {}
    cards = [(child(name, **mode), {"id": name, "structured_output": True}) for name in ("a", "b")]
    return RouterLLM(models=cards, policy="single")


@later
@pytest.mark.parametrize(
    "step", [Cut(AFTER, WHOLE), Say(PART, finish="length"), Say(PART)], ids=["cut", "limit", "said"]
)
async def test_repaired_json_is_no_object(
    child: Callable[..., Any], server: ChatServer, step: Any, later: bool, request: pytest.FixtureRequest
) -> None:
    server.script("a", step)
    llm = routed(child, request)
    with pytest.raises(StreamInterrupted) as caught:
        await objects(llm, Place, later=later)
    assert caught.value.partial == PART
    assert [call.fault for call in llm.router.ledger.calls()] == [
        "truncated" if isinstance(step, Cut) else "unparsable"
    ]
    assert not server.of("b")


@later
async def test_json_that_is_whole_needs_no_terminal_reason(
    child: Callable[..., Any], server: ChatServer, later: bool, request: pytest.FixtureRequest
) -> None:
    server.script("a", Cut(99, WHOLE))
    found = await objects(routed(child, request), Place, later=later)
    assert found[-1] == Place(people=2, name="Paris by the river")


@later
async def test_what_a_filter_stopped_in_the_middle_is_no_object(
    child: Callable[..., Any], server: ChatServer, later: bool, request: pytest.FixtureRequest
) -> None:
    server.script("a", Say(PART, finish="content_filter"))
    llm = routed(child, request)
    with pytest.raises(StreamInterrupted):
        await objects(llm, Place, later=later)
    assert [call.fault for call in llm.router.ledger.calls()] == ["content_filtered"]


@later
@pytest.mark.parametrize("provider", ["google", "ollama"])
async def test_other_providers_objects(make: Make, provider: str, later: bool) -> None:
    llm = RouterLLM(models=[make(provider, "half"), make("openai")], policy="single")
    with pytest.raises(StreamInterrupted):
        await objects(llm, Named, later=later)
    sound = RouterLLM(models=[make(provider)], policy="single")
    assert (await objects(sound, Named, later=later))[-1] == Named(name="test", n="test")
    assert not sound.router.ledger.calls()[-1].usage.estimated


def native(url: str) -> OpenAI:
    return OpenAI(model="gpt-4o-mini", api_key="k", api_base=url, max_retries=0)


SOUND = sse(piece('{"name": "Paris"}', role="assistant"), piece(finish="stop"), headers=CLOSE)
PAGE = chat_server.reply(b"<html>sign in</html>", headers=CLOSE, kind="text/html")
JUNK = sse(piece(role="assistant", content=""), b"data: {no json\n\n", headers=CLOSE)


@later
@pytest.mark.parametrize(
    ("step", "fault"),
    [(sse(headers=CLOSE), "truncated"), (PAGE, "truncated"), (JUNK, "server_error")],
    ids=["nothing", "page", "junk"],
)
def test_a_server_that_streams_no_object_is_to_blame(step: Any, fault: str, later: bool) -> None:
    """LlamaIndex stumbles over a stream without an object, and over what a server sends that is no JSON."""
    with chat_server.ChatServer(step) as first, chat_server.ChatServer(SOUND) as second:
        llm = RouterLLM(models=[native(first.base_url), native(second.base_url)], policy="single")
        assert asyncio.run(objects(llm, Named, later=later))[-1] == Named(name="Paris")
        assert [call.fault for call in llm.router.ledger.calls()] == [fault, None]
