"""The key of a single call reaches the server, and no event, span or callback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Say
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.llms import LLM, ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation.event_handlers import BaseEventHandler
from llama_index_instrumentation.span import SimpleSpan
from llama_index_instrumentation.span_handlers import BaseSpanHandler
from pydantic import BaseModel, PrivateAttr

from langchain_router import ChatEndpoint
from llamaindex_router import EndpointLLM, RouterLLM

KEY = "sk-of-this-call-0123456789"
HI = [ChatMessage(content="hi")]
BROUGHT = [{"api_key": KEY}, {"extra_headers": {"Authorization": f"Bearer {KEY}", "x-trace": "abc-1"}}]
PLAIN = ["chat", "complete", "stream_chat", "stream_complete"]
STRUCTURED = ["chat", "complete", "stream_chat", "achat", "acomplete", "astream_chat"]
WAYS = [*PLAIN, *(f"a{way}" for way in PLAIN), "chat_with_tools", "astream_chat_with_tools", "predict_and_call",
        "apredict_and_call", "structured_predict", "astructured_predict", "stream_structured_predict",
        "astream_structured_predict", *(f"structured llm {way}" for way in STRUCTURED)]  # fmt: skip


class Said(BaseModel):
    """A structured answer."""

    word: str


class Events(BaseEventHandler):
    """Keeps each event as a text."""

    _texts: list[str] = PrivateAttr(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Events"

    def handle(self, event: Any, **_: Any) -> None:
        self._texts.append(f"{type(event).__name__} {event.model_dump()!r} {event.model_dump_json(fallback=str)}")


class Arguments(BaseSpanHandler[SimpleSpan]):
    """Keeps the arguments of each span as a text."""

    _texts: list[str] = PrivateAttr(default_factory=list)
    _names: list[str] = PrivateAttr(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Arguments"

    def new_span(self, id_: str, bound_args: Any, *args: Any, **kwargs: Any) -> SimpleSpan:
        self._texts.append(repr(bound_args.arguments))
        self._names.append(id_.split("-")[0])
        return SimpleSpan(id_=id_)

    def prepare_to_exit_span(self, id_: str, *args: Any, **kwargs: Any) -> Any:
        return self.open_spans[id_]

    def prepare_to_drop_span(self, id_: str, *args: Any, **kwargs: Any) -> Any:
        return self.open_spans[id_]


@pytest.fixture
def seen() -> Iterator[tuple[Events, Arguments]]:
    events, spans, root = Events(), Arguments(), get_dispatcher()
    before = list(root.event_handlers), list(root.span_handlers)
    root.add_event_handler(events)
    root.add_span_handler(spans)
    yield events, spans
    root.event_handlers, root.span_handlers = before


def endpoint(url: str, manager: CallbackManager) -> LLM:
    return EndpointLLM(base_url=url, model="m", api_key="sk-own", callback_manager=manager)


def router(url: str, manager: CallbackManager) -> LLM:
    entry = {"id": "m", "endpoint": {"base_url": url, "model": "m", "api_key": "sk-own"}, "tool_calling": True}
    return RouterLLM(models=[entry], callback_manager=manager)


def over_a_chain_model(url: str, manager: CallbackManager) -> LLM:
    model = ChatEndpoint(base_url=url, model="m", api_key="sk-own", tool_calling=True)
    return RouterLLM(models=[model], callback_manager=manager)


def answer(body: dict[str, Any]) -> Say:
    offered = [tool["function"]["name"] for tool in body.get("tools", ())]
    return Say(tools=((offered[0], {"word": "x"}),)) if offered else Say('{"word": "x"}')


async def ask(llm: Any, way: str, brought: dict[str, Any]) -> None:
    if way.startswith("structured llm "):
        llm, way = llm.as_structured_llm(Said), way.split()[-1]
    tools = [FunctionTool.from_defaults(lambda word: word, name="echo", description="Repeats a word.")]
    if "structured" in way:
        asked = getattr(llm, way)(Said, PromptTemplate("say a word"), llm_kwargs=brought)
    elif "complete" in way:
        asked = getattr(llm, way)("hi", **brought)
    elif "tools" in way or "call" in way:
        asked = getattr(llm, way)(tools, user_msg="hi", **brought)
    else:
        asked = getattr(llm, way)(HI, **brought)
    asked = await asked if hasattr(asked, "__await__") else asked
    if way.startswith("stream"):
        list(asked)
    elif way.startswith("astream"):
        [piece async for piece in asked]


@pytest.mark.filterwarnings("ignore:The `json` method is deprecated")  # StructuredLLM's own streams call it
@pytest.mark.parametrize("brought", BROUGHT)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [endpoint, router, over_a_chain_model])
async def test_a_key_of_a_call_is_sent_and_never_shown(
    server: ChatServer, seen: tuple[Events, Arguments], make: Callable[..., LLM], way: str, brought: dict[str, Any]
) -> None:
    server.script("m", answer)
    debug = LlamaDebugHandler(print_trace_on_end=False)
    await ask(make(server.url, CallbackManager([debug])), way, brought)
    assert server.keys == [f"Bearer {KEY}"]
    events, spans = seen
    payloads = repr([event.payload for event in debug.get_events()])
    assert events._texts
    assert KEY not in "".join(events._texts)
    assert KEY not in "".join(spans._texts)
    assert KEY not in payloads
    assert "**********" in payloads


async def test_spans_have_the_names_of_the_methods(server: ChatServer, seen: tuple[Events, Arguments]) -> None:
    llm = endpoint(server.url, CallbackManager([]))
    llm.chat(HI, api_key=KEY)
    await llm.acomplete("hi", api_key=KEY)
    assert seen[1]._names == ["EndpointLLM.chat", "EndpointLLM.acomplete"]


async def test_a_structured_llm_has_one_span_for_each_of_its_methods(
    server: ChatServer, seen: tuple[Events, Arguments]
) -> None:
    server.script("m", answer)
    llm = endpoint(server.url, CallbackManager([])).as_structured_llm(Said)
    llm.chat(HI, api_key=KEY)
    await llm.achat(HI, api_key=KEY)
    own = [name for name in seen[1]._names if name.startswith("KeylessStructuredLLM")]
    assert own == ["KeylessStructuredLLM.chat", "KeylessStructuredLLM.achat"]
