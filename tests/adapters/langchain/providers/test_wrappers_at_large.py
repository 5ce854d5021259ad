"""What packages that are not installed here do, over classes of their names: seen with langchain-cohere 0.6.0,

langchain-fireworks 1.7.1, langchain-nvidia-ai-endpoints 1.5.0, langchain-sambanova 1.1.1 and a model of nobody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from fakes import Scripted
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from loopback.chat_server import ChatServer, reply, sse
from pydantic import BaseModel, Field
from routers import add

from langchain_router import AllCandidatesFailed, ChatRouter, StreamInterrupted
from langchain_router.fleet.copies import without_retries

CLOSE = ["connection: close"]  # event loops end with their test
PRICE = {"price": {"input_mtok": 1, "output_mtok": 2}, "tool_calling": True}


def _named(kind: type[Any], package: str, name: str) -> type[Any]:
    return type(name, (kind,), {"__module__": f"{package}.chat_models"})


def _routed(model: BaseChatModel) -> ChatRouter:
    models = [(model, {"id": "a", **PRICE}), (Scripted(script=["good"], name_="other"), {"id": "b", **PRICE})]
    return ChatRouter(models=models, policy="single", retry={"attempts": 2})


def _faults(llm: ChatRouter) -> list[str | None]:
    return [call.fault for call in llm.router.ledger.calls()]


class Streaming(Scripted):
    """Streams the chunks that it is given; an exception among them is raised."""

    chunks: list[Any]

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> Iterator[Any]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield ChatGenerationChunk(message=chunk)


# -- retries of an SDK that a class of nobody's holds ---------------------------------------------


class House(Scripted):
    """A class of the user's own, over the OpenAI SDK: the whole client, or its part for chats."""

    client: Any = None
    async_client: Any = None
    max_retries: int = 2

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        self._part(self.client).create(model="m", messages=[{"role": "user", "content": "hi"}])
        raise AssertionError

    async def _agenerate(self, *_: Any, **__: Any) -> ChatResult:
        await self._part(self.async_client).create(model="m", messages=[{"role": "user", "content": "hi"}])
        raise AssertionError

    @staticmethod
    def _part(client: Any) -> Any:
        return client.chat.completions if hasattr(client, "chat") else client


@pytest.mark.parametrize("later", [False, True], ids=["invoke", "ainvoke"])
@pytest.mark.parametrize("part", [lambda sdk: sdk, lambda sdk: sdk.chat.completions], ids=["client", "chats"])
def test_the_sdk_below_a_class_of_nobodys_retries_nothing(part: Callable[[Any], Any], later: bool) -> None:
    from openai import AsyncOpenAI, OpenAI

    with ChatServer(reply({"error": {"message": "down"}}, 503, headers=CLOSE)) as server:
        clients = [part(sdk(api_key="k", base_url=server.base_url)) for sdk in (OpenAI, AsyncOpenAI)]
        model = House(client=clients[0], async_client=clients[1])
        llm = ChatRouter(models=[model], retry={"attempts": 1})
        with pytest.raises(AllCandidatesFailed):
            asyncio.run(llm.ainvoke("hi")) if later else llm.invoke("hi")
        assert len(server.seen) == 1
        assert (model.client, model.max_retries) == (clients[0], 2)


def test_an_sdk_that_can_not_be_had_without_retries_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """As Databricks derives one: made anew from its options alone it lacks the workspace."""
    from openai import OpenAI

    class Derived(OpenAI):
        def with_options(self, **_: Any) -> Any:
            raise ValueError("no workspace")

    client = Derived(api_key="k", base_url="http://127.0.0.1:9/v1")
    ChatRouter(models=[House(client=client, max_retries=0)])
    assert "retries up to 2 times by itself" in caplog.text


class Told(Scripted):
    """Keeps the keywords of its calls."""

    told: list[dict[str, Any]]

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        self.told.append(kwargs)
        return super()._generate(messages, stop, run_manager)


def test_azures_inference_sdk_is_told_with_each_call_to_send_it_once() -> None:
    model = _named(Told, "langchain_azure_ai", "AzureAIChatCompletionsModel")(script=["good"], told=[])
    _routed(model).invoke("hi", temperature=0)
    assert model.told == [{"retry_total": 0, "temperature": 0}]


@pytest.mark.parametrize("name", ["ChatTongyi", "ChatDeepInfra"])
def test_a_number_of_attempts_is_not_told_to_be_one_of_retries(name: str, caplog: pytest.LogCaptureFixture) -> None:
    model = _named(Fieldless, "langchain_community", name)()
    assert without_retries(model).max_retries == 1  # type: ignore[attr-defined]  # as Fieldless has it
    ChatRouter(models=[(model, {"id": "a"})])
    assert "by itself" not in caplog.text


@pytest.mark.parametrize(("package", "name"), [("langchain_community", "ChatTongyi"), ("house", "ChatHouse")])
def test_a_class_without_fields_for_them_is_given_the_routers_defaults_with_each_call(package: str, name: str) -> None:
    model = _named(Fieldless, package, name)()
    ChatRouter(models=[(model, {"id": "a"})], temperature=0, max_tokens=9).invoke("hi")
    assert model.told == [{"temperature": 0, "max_tokens": 9}]


class Fieldless(BaseChatModel):
    """As ChatTongyi, which sends whatever keywords a call has."""

    max_retries: int = 10
    told: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "fieldless"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        self.told.append(kwargs)
        return ChatResult(generations=[ChatGeneration(message=AIMessage("good"))])


# -- ChatCohere -----------------------------------------------------------------------------------


def _piece(id: str, args: str, name: str | None = None) -> AIMessageChunk:
    return AIMessageChunk(content="", tool_call_chunks=[{"name": name, "args": args, "id": id, "index": 0}])


COUNTS = {"token_count": {"input_tokens": 9.0, "output_tokens": 2.0, "total_tokens": 11.0}}
LAST = AIMessageChunk(
    content="",
    tool_call_chunks=[{"name": "add", "args": '{"a": 1, "b": 2}', "id": "call_1", "index": None}],
    response_metadata={"finish_reason": "TOOL_CALL", **COUNTS},
)
DELTA = _piece("id-3", ' "b": 2}')
CALLED = [_piece("id-1", "", "add"), _piece("id-2", '{"a": 1,'), DELTA, DELTA, LAST]
"""Each piece has an id of its own, the last comes twice, and the whole call comes after them."""


def _cohere(chunks: list[Any]) -> ChatRouter:
    return _routed(_named(Streaming, "langchain_cohere", "ChatCohere")(chunks=chunks))


def test_a_call_that_comes_in_pieces_and_then_whole_is_made_once() -> None:
    llm = _cohere(CALLED)
    whole = AIMessageChunk(content="")
    for chunk in llm.bind_tools([add]).stream("hi"):
        whole += chunk  # type: ignore[assignment]  # chunks add up to one
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("add", {"a": 1, "b": 2})]
    assert not whole.invalid_tool_calls
    assert _faults(llm) == [None]


def test_pieces_without_the_whole_call_are_none_and_another_model_answers() -> None:
    llm = _cohere(CALLED[:2])
    assert "".join(str(chunk.content) for chunk in llm.bind_tools([add]).stream("hi")) == "good"
    assert _faults(llm) == ["truncated", None]


def test_counts_that_stand_beside_the_reason_are_booked() -> None:
    last = AIMessageChunk(content="", response_metadata={"finish_reason": "COMPLETE", **COUNTS})
    llm = _cohere([AIMessageChunk(content="hi"), last])
    assert "".join(str(chunk.content) for chunk in llm.stream("hi")) == "hi"
    (call,) = llm.router.ledger.calls()
    assert (call.input_tokens, call.output_tokens, call.estimated) == (9, 2, False)


@pytest.mark.parametrize(
    "told", [{"prompt_tokens": 9, "completion_tokens": 2}, {"input_tokens": 9, "output_tokens": 2}]
)
@pytest.mark.parametrize("name", ["ChatZhipuAI", "ChatTongyi"])
def test_the_providers_own_counts_are_booked_where_a_package_has_no_others(name: str, told: dict[str, int]) -> None:
    """As in langchain-community 0.4.2: the first of Zhipu, the other of Alibaba."""
    whole = {"finish_reason": "stop", "token_usage": {**told, "total_tokens": 11}, "model_name": "m"}
    llm = _community(name, [AIMessageChunk(content="hi", response_metadata=whole)])
    assert "".join(str(chunk.content) for chunk in llm.stream("hi")) == "hi"
    (call,) = llm.router.ledger.calls()
    assert (call.input_tokens, call.output_tokens, call.estimated) == (9, 2, False)


def _community(name: str, chunks: list[Any]) -> ChatRouter:
    return _routed(_named(Streaming, "langchain_community", name)(chunks=chunks))


@pytest.mark.parametrize("end", [{}, {"finish_reason": "null"}])
@pytest.mark.parametrize("name", ["ChatZhipuAI", "ChatTongyi"])
def test_a_stream_of_theirs_without_a_reason_broke_off(name: str, end: dict[str, str]) -> None:
    """Alibaba writes "null" as long as an answer goes on."""
    llm = _community(name, [AIMessageChunk(content="hi", response_metadata=end)])
    with pytest.raises(StreamInterrupted):
        list(llm.stream("hi"))
    assert _faults(llm) == ["truncated"]


class Answer(BaseModel):
    """An answer."""

    text: str


class Strict(Scripted):
    """Its `with_structured_output` sends what it doesn't know."""

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Any:
        assert not kwargs
        return self | RunnableLambda(lambda message: Answer(text=message.content))


def test_a_class_without_include_raw_is_not_told_of_it() -> None:
    llm = ChatRouter(models=[Strict(script=["good"])], retry={"attempts": 1})
    assert llm.with_structured_output(Answer).invoke("hi") == Answer(text="good")


READER = """
import json
from langchain_core.output_parsers.openai_tools import parse_tool_call

def _tool_call_of(call):
    return json.loads(call)

def _create_chat_result(response):
    for choice in response["choices"]:
        message = parse_tool_call({"id": "t", "function": {"name": "double", "arguments": choice}})
    return message

def _generate(self, messages, stop=None, run_manager=None, **kwargs):
    response = {"choices": self.choices}
    return _tool_call_of(response["choices"][0]) if self.itself else _create_chat_result(response)
"""
"""A package reads the arguments of a call itself, or has core's parser do it, and goes on with what it made last."""
READ = [(True, ['{"a": 1, "b'], "malformed_tool_call"), (False, ['{"n":'], "malformed_tool_call"),
        (False, [], "server_error")]  # fmt: skip


class Reading(Scripted):
    itself: bool
    choices: list[str]


@pytest.mark.parametrize(("itself", "choices", "fault"), READ)
def test_what_a_package_could_not_read_is_the_models_fault_or_the_servers(
    itself: bool, choices: list[str], fault: str
) -> None:
    module = ModuleType("langchain_cohere.chat_models")
    exec(READER, vars(module))  # noqa: S102 - our own source, in a module of that name
    made = type("ChatCohere", (Reading,), {"__module__": module.__name__, "_generate": vars(module)["_generate"]})
    llm = _routed(made(itself=itself, choices=choices))
    assert llm.invoke("hi").content == "good"
    assert _faults(llm) == [fault, None]


# -- what a stream owes ---------------------------------------------------------------------------

TEXT = AIMessageChunk(content="one", response_metadata={"finish_reason": "FINISH_REASON_UNSPECIFIED"})
"""With the word that ChatVertexAI has for no reason."""
SILENT = [
    ("langchain_nvidia_ai_endpoints", "ChatNVIDIA"), ("langchain_sambanova", "ChatSambaNova"),
    ("langchain_google_vertexai", "ChatVertexAI"), ("langchain_azure_ai", "AzureAIChatCompletionsModel"),
]  # fmt: skip


@pytest.mark.parametrize(("package", "name"), SILENT, ids=[name for _, name in SILENT])
def test_a_first_stream_that_ends_without_a_reason_is_no_answer(package: str, name: str) -> None:
    """They pass over an error event in a stream, so that what came before it looks like all."""
    with pytest.raises(StreamInterrupted) as caught:
        list(_routed(_named(Streaming, package, name)(chunks=[TEXT])).stream("hi"))
    assert caught.value.partial == "one"


class FireworksError(Exception):
    """As the SDK's own, which is no ValueError."""


def test_a_stream_without_a_chunk_is_truncated_whatever_class_says_so() -> None:
    chunks = [FireworksError("Received empty stream from Fireworks")]
    llm = _routed(_named(Streaming, "langchain_fireworks", "ChatFireworks")(chunks=chunks))
    assert "".join(str(chunk.content) for chunk in llm.stream("hi")) == "good"
    assert _faults(llm) == ["truncated", None]


@pytest.mark.parametrize("served", ["page", "nothing"])
@pytest.mark.parametrize("awaited", [False, True])
def test_an_invoke_that_gathers_a_stream_without_a_chunk_asks_the_next_model(served: str, awaited: bool) -> None:
    page = reply(b"<html><body>down</body></html>", headers=CLOSE, kind="text/html")
    with ChatServer({"page": page, "nothing": sse(headers=CLOSE)}[served]) as server:
        llm = _routed(ChatOpenAI(model="m", base_url=server.base_url, api_key="k", streaming=True))
        answer = asyncio.run(llm.ainvoke("hi")) if awaited else llm.invoke("hi")
    assert answer.content == "good"
    assert _faults(llm) == ["truncated", None]
    assert llm.router.health()[0]["failed"] == 1
    assert llm.router.ledger.calls()[0].usage.input_tokens > 0


def test_a_graph_that_streams_messages_asks_the_next_model_for_a_stream_without_a_chunk() -> None:
    llm = _routed(Streaming(chunks=[]))
    graph = StateGraph(MessagesState)
    graph.add_node("ask", lambda state: {"messages": [llm.invoke(state["messages"])]})
    graph.add_edge(START, "ask")
    told = [m.content for m, _ in graph.compile().stream({"messages": [("user", "hi")]}, stream_mode="messages")]
    assert "good" in told
    assert _faults(llm) == ["truncated", None]


# -- a sentence in place of an error --------------------------------------------------------------


def test_the_status_in_a_sentence_decides_who_is_asked_next() -> None:
    """A request that is wrong is wrong everywhere; a model that is gone is gone here alone."""
    wrong, gone = Exception("[400] Bad Request\nno such role"), Exception("[404] Not Found\nFunction f: Not found")
    with pytest.raises(AllCandidatesFailed, match=r"rejected the request \(400\)"):
        _routed(Scripted(script=[wrong])).invoke("hi")
    llm = _routed(Scripted(script=[gone]))
    assert llm.invoke("hi").content == "good"
    assert _faults(llm) == ["not_found", None]
