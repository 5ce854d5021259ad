"""Where no model gives an object, LlamaIndex's components go on as they do over a single model."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Refuse, Say
from llama_index.core import Document, SummaryIndex
from llama_index.core.indices.property_graph import SchemaLLMPathExtractor
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.schema import TextNode
from pydantic import BaseModel, ValidationError

from capability_router.errors import remade
from llamaindex_router import AllCandidatesFailed, RouterLLM, StreamInterrupted
from llamaindex_router.errors import NoObject, ObjectInterrupted

PROMPT = PromptTemplate("Tell about {place}.")
PARIS = '{"name": "Paris", "people": 2}'
UNFIT = '{"name": "Paris"}'
HALF = '{"name": "Paris by the'
later = pytest.mark.parametrize("later", [False, True])


class City(BaseModel):
    """A city."""

    name: str
    people: int


@pytest.fixture
def schemas(child: Callable[..., Any], request: pytest.FixtureRequest) -> RouterLLM:
    """A router over a and b, which are given the schema itself."""
    return RouterLLM(
        models=[(native(child, request, id), {"id": id, "structured_output": True}) for id in "ab"], policy="single"
    )


def native(child: Callable[..., Any], request: pytest.FixtureRequest, id: str) -> Any:
    like = request.node.callspec.params["child"] == "like"
    return child(id, **({"should_use_structured_outputs": True} if like else {}))


def one(llm: Any, *, later: bool) -> Any:
    if later:
        return asyncio.run(llm.astructured_predict(City, PROMPT, place="x"))
    return llm.structured_predict(City, PROMPT, place="x")


def objects(llm: Any, *, later: bool) -> list[Any]:
    async def read() -> list[Any]:
        return [part async for part in await llm.astream_structured_predict(City, PROMPT, place="x")]

    return asyncio.run(read()) if later else list(llm.stream_structured_predict(City, PROMPT, place="x"))


def faults(llm: RouterLLM) -> list[str | None]:
    return [call.fault for call in llm.router.ledger.calls()]


@later
@pytest.mark.parametrize(
    ("a", "b", "told"),
    [
        (Say("no"), Say("no"), ["unparsable", "unparsable"]),
        (Refuse(404), Say("no"), ["not_found", "unparsable"]),
        (Say("no"), Refuse(404), ["unparsable", "not_found"]),
    ],
)
def test_the_parsers_exception_reaches_the_caller(
    schemas: RouterLLM, server: ChatServer, a: Any, b: Any, told: list[str], later: bool
) -> None:
    server.script("a", a)
    server.script("b", b)
    with pytest.raises(ValidationError):
        one(schemas, later=later)
    assert faults(schemas) == told


def test_the_outcome_tells_that_no_model_answered(schemas: RouterLLM, server: ChatServer) -> None:
    server.script("a", Say("no"))
    server.script("b", Say("no"))
    outcomes: list[Any] = []
    schemas.router.on_outcome(lambda request, outcome: outcomes.append(outcome))
    with pytest.raises(ValidationError):
        one(schemas, later=False)
    (outcome,) = outcomes
    assert outcome.model is None
    assert [(record.model, record.fault) for record in outcome.attempts] == [("a", "unparsable"), ("b", "unparsable")]


def test_a_query_engine_goes_on_with_its_next_passage(schemas: RouterLLM, server: ChatServer) -> None:
    def told(body: dict[str, Any]) -> Say:
        return Say("no" if "Fact 1" in str(body["messages"]) else PARIS)

    server.script("a", told)
    server.script("b", told)
    index = SummaryIndex.from_documents([Document(text=f"Fact {number}.") for number in (1, 2)])
    engine = index.as_query_engine(llm=schemas, output_cls=City, response_mode="refine")
    assert engine.query("which city?").response == City(name="Paris", people=2)


def test_an_extractor_leaves_the_node_without_triplets(schemas: RouterLLM, server: ChatServer) -> None:
    server.script("a", Say("no"))
    server.script("b", Say("no"))
    (node,) = SchemaLLMPathExtractor(llm=schemas, num_workers=1)([TextNode(text="a likes b")])
    assert node.metadata["relations"] == []


@later
def test_whole_json_that_does_not_fit_streams_as_without_a_router(
    child: Callable[..., Any], server: ChatServer, later: bool, request: pytest.FixtureRequest
) -> None:
    llm = native(child, request, "a")
    server.script("a", Say(UNFIT))
    router = RouterLLM(models=[(llm, {"id": "a", "structured_output": True})])
    alone, routed = objects(llm, later=later), objects(router, later=later)
    assert repr(routed[-1]) == repr(alone[-1]) == "FlexibleCity(name='Paris', people=None)"
    assert faults(router) == ["unparsable"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's own use of pydantic
def test_a_structured_llm_streams_it_likewise(built_in: Callable[..., Any], server: ChatServer) -> None:
    server.script("a", Say(UNFIT))
    llm = RouterLLM(models=[built_in("a")]).as_structured_llm(City)
    assert [part.raw for part in llm.stream_chat([ChatMessage("x")])][-1].name == "Paris"


@later
def test_json_that_breaks_off_is_told_as_a_value_error_too(
    built_in: Callable[..., Any], server: ChatServer, later: bool
) -> None:
    server.script("a", Say(HALF, finish="length"))
    with pytest.raises(StreamInterrupted) as caught:
        objects(RouterLLM(models=[built_in("a")]), later=later)
    assert isinstance(caught.value, ValueError)
    assert caught.value.partial == HALF


def test_a_query_engine_goes_on_after_it(built_in: Callable[..., Any], server: ChatServer) -> None:
    server.script("a", Say(HALF, finish="length"))
    llm = RouterLLM(models=[built_in("a")])
    engine = SummaryIndex.from_documents([Document(text="x")]).as_query_engine(
        llm=llm, output_cls=City, streaming=True, response_mode="refine"
    )
    assert str(engine.query("which city?")) in ("Empty Response", HALF)  # 0.14.5 asks for a plain text here


@pytest.mark.parametrize(("step", "kind"), [(Say("", finish="content_filter"), True), (Refuse(429), False)])
def test_only_an_answer_without_an_object_is_a_value_error(
    built_in: Callable[..., Any], server: ChatServer, step: Any, kind: bool
) -> None:
    server.script("a", step)
    with pytest.raises(AllCandidatesFailed) as caught:
        one(RouterLLM(models=[built_in("a")], retry={"attempts": 1}), later=False)
    assert isinstance(caught.value, ValueError) == kind


@pytest.mark.parametrize("kind", [NoObject, ObjectInterrupted])
def test_both_go_through_pickle(kind: type[Any]) -> None:
    copy = pickle.loads(pickle.dumps(remade(kind, ("told",), {"failures": ()})))  # noqa: S301 - its own
    assert (type(copy), str(copy), copy.failures) == (kind, "told", ())
