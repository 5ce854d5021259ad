"""A refusal that ChatOpenAI leaves out of its chunks, or has as a block of the content, is a refusal all the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI
from loopback import chat_server
from loopback.chat_server import USAGE, ChatServer, completion, piece, reply
from routers import add

from langchain_router import ChatEndpoint, ChatRouter

sse = partial(chat_server.sse, headers=["connection: close"])  # event loops end with their test
Read = Callable[[Any], list[AIMessageChunk]]


def streamed(llm: Any) -> list[AIMessageChunk]:
    return list(llm.stream("hi"))


def later(llm: Any) -> list[AIMessageChunk]:
    async def read() -> list[AIMessageChunk]:
        return [chunk async for chunk in llm.astream("hi")]

    return asyncio.run(read())


def as_v2(llm: Any) -> list[AIMessageChunk]:
    async def read() -> list[AIMessageChunk]:
        events = [event async for event in llm.astream_events("hi", version="v2")]
        return [e["data"]["chunk"] for e in events if (e["event"], e["name"]) == ("on_chain_stream", "ChatRouter")]

    return asyncio.run(read())


READS = [streamed, later, as_v2]
ROLE = piece(None, role="assistant", content="", refusal=None)
REFUSES = (ROLE, piece(None, refusal="I must"), piece(None, refusal=" not."), piece(finish="stop"), USAGE)


@pytest.fixture
def servers() -> Iterator[tuple[ChatServer, ChatServer]]:
    with ChatServer(sse(*REFUSES)) as refuses, ChatServer(sse(ROLE, piece("well"), piece(finish="stop"))) as answers:
        yield refuses, answers


def routed(servers: tuple[ChatServer, ChatServer], **settings: Any) -> ChatRouter:
    models = [ChatOpenAI(model=name, base_url=s.base_url, api_key="k") for name, s in zip("ab", servers, strict=True)]
    return ChatRouter(models=models, policy="single", **settings)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("settings", [{}, {"timeouts": {"total": 60}}, {"hedge": True}], ids=str)
def test_it_is_handed_over_as_a_whole_one_is(servers: Any, read: Read, settings: Any) -> None:
    llm = routed(servers, **settings)
    chunks = read(llm)
    whole: Any = sum(chunks[1:], chunks[0])
    assert (whole.content, whole.additional_kwargs) == ("", {"refusal": "I must not."})
    told = whole.response_metadata["router"]
    assert (told["model"], told["attempts"], told["fallback"]) == ("openai/a", 1, False)
    assert [call.fault for call in llm.router.ledger.calls()] == [None]
    assert not servers[1].seen


@pytest.mark.parametrize("read", READS)
def test_or_another_model_is_asked(servers: Any, read: Read) -> None:
    llm = routed(servers, on_content_filter="fallback")
    whole: Any = sum((chunks := read(llm))[1:], chunks[0])
    assert (whole.content, whole.additional_kwargs) == ("well", {})
    assert [call.fault for call in llm.router.ledger.calls()] == ["refusal", None]


@pytest.mark.parametrize("read", [streamed, later])
def test_so_it_is_with_tools_bound_and_configured(servers: Any, read: Read) -> None:
    llm = routed(servers)
    bound = llm.bind_tools([add]).with_config(tags=["t"]).with_config(metadata={"m": 1})
    chunks = read(bound)
    assert sum(chunks[1:], chunks[0]).additional_kwargs == {"refusal": "I must not."}
    assert [call.fault for call in llm.router.ledger.calls()] == [None]


def test_nothing_else_of_a_stream_is_touched(servers: Any) -> None:
    plain = ChatOpenAI(model="b", base_url=servers[1].base_url, api_key="k")
    llm = ChatRouter(models=[plain], annotate=False)
    bare, routed = ([c.model_copy(update={"id": None}) for c in model.stream("hi")] for model in (plain, llm))
    assert bare == routed


ITEM = {
    "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
    "content": [{"type": "refusal", "refusal": "I must not."}],
}  # fmt: skip
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "output": [ITEM],
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None,
    "instructions": None, "metadata": {}, "temperature": 1, "top_p": 1,
}  # fmt: skip


def as_events() -> Iterator[bytes]:
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    begun = {**RESPONSE, "status": "in_progress", "output": []}
    told: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": {**ITEM, "content": [], "status": "in_progress"}}),
        ("response.content_part.added", {**at, "part": {"type": "refusal", "refusal": ""}}),
        ("response.refusal.delta", {**at, "delta": "I must not."}),
        ("response.refusal.done", {**at, "refusal": "I must not."}),
        ("response.output_item.done", {"output_index": 0, "item": ITEM}),
        ("response.completed", {"response": RESPONSE}),
    ]
    for number, (kind, rest) in enumerate(told):
        event = {"type": kind, "sequence_number": number, **rest}
        yield f"event: {kind}\ndata: {json.dumps(event)}\n\n".encode()


def whole(llm: Any) -> None:
    llm.invoke("hi")


def as_v3(llm: Any) -> None:
    list(llm.stream_events("hi", version="v3"))


@pytest.mark.parametrize("version", ["responses/v1", "v1"])
@pytest.mark.parametrize("read", [whole, *READS, as_v3])
def test_a_refusal_in_a_response_is_one_too(read: Callable[[Any], Any], version: str) -> None:
    refuses = reply(RESPONSE) if read is whole else sse(*as_events(), end="clean")
    well = reply(completion("well")) if read is whole else sse(ROLE, piece("well"), piece(finish="stop"))
    with ChatServer(refuses) as first, ChatServer(well) as second:
        for settings, faults in (({}, [None]), ({"on_content_filter": "fallback"}, ["refusal", None])):
            model = ChatOpenAI(
                model="a", base_url=first.base_url, api_key="k", use_responses_api=True, output_version=version
            )
            other = ChatOpenAI(model="b", base_url=second.base_url, api_key="k")
            llm = ChatRouter(models=[model, other], policy="single", **settings)
            read(llm)
            assert [call.fault for call in llm.router.ledger.calls()] == faults


FILTERED = (ROLE, piece(finish="content_filter"))


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("parts", [REFUSES[:4], FILTERED], ids=["refused", "filtered"])
def test_one_whose_connection_breaks_after_it_is_not_asked_for_elsewhere(read: Read, parts: Any) -> None:
    well = sse(ROLE, piece("well"), piece(finish="stop"))
    with ChatServer(sse(*parts, end="cut")) as first, ChatServer(well) as second:
        returned, fallen = (routed((first, second), on_content_filter=how) for how in ("return", "fallback"))
        assert sum((chunks := read(returned))[1:], chunks[0]).response_metadata["router"]["attempts"] == 1
        assert not second.seen
        assert sum((chunks := read(fallen))[1:], chunks[0]).content == "well"
    kinds = [[call.fault for call in llm.router.ledger.calls()] for llm in (returned, fallen)]
    assert kinds in ([[None], ["refusal", None]], [[None], ["content_filtered", None]])


# -- v3 events ------------------------------------------------------------------------------------


def v3(llm: Any) -> Any:
    return llm.stream_events("hi", version="v3").output


def v3_later(llm: Any) -> Any:
    async def read() -> Any:
        stream = await llm.astream_events("hi", version="v3")
        async with stream:
            return await stream.output

    return asyncio.run(read())


def _openai(url: str, name: str) -> Any:
    return ChatOpenAI(model=name, base_url=url, api_key="k")


def _built_in(url: str, name: str) -> Any:
    return ChatEndpoint(model=name, base_url=url, api_key="k")


@pytest.mark.filterwarnings("ignore:.*v3:langchain_core._api.beta_decorator.LangChainBetaWarning")
@pytest.mark.parametrize("make", [_openai, _built_in])
@pytest.mark.parametrize("read", [v3, v3_later])
def test_as_events_of_the_third_version(servers: Any, read: Callable[[Any], Any], make: Any) -> None:
    models = [make(s.base_url, name) for s, name in zip(servers, "ab", strict=True)]
    returned = ChatRouter(models=models, policy="single")
    message = read(returned)
    assert (message.text, message.additional_kwargs) == ("", {"refusal": "I must not."})
    fallen = ChatRouter(models=models, policy="single", on_content_filter="fallback")
    assert (read(fallen).text, read(fallen).additional_kwargs) == ("well", {})
    told = [[call.fault for call in llm.router.ledger.calls()] for llm in (returned, fallen)]
    assert told == [[None], ["refusal", None] * 2]
