"""What Phoenix and other readers of OpenInference spans get: one trace, attempts below one span, tokens once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Refuse, Say
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel

from llamaindex_router import RouterLLM

# The instrumentor reads metadata with pydantic's old method; raised inside it, the warning would drop the span.
pytestmark = pytest.mark.filterwarnings("ignore:The `json` method is deprecated")
Exported = Callable[[], tuple[ReadableSpan, ...]]
WAYS = ("chat", "achat", "stream_chat", "astream_chat")
HI = [ChatMessage(content="hi")]
KIND, PROMPT, COMPLETION = "openinference.span.kind", "llm.token_count.prompt", "llm.token_count.completion"


@pytest.fixture
def exported() -> Iterator[Exported]:
    exporter, provider, root = InMemorySpanExporter(), TracerProvider(), get_dispatcher()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans, events = list(root.span_handlers), list(root.event_handlers)
    instrumentor = LlamaIndexInstrumentor()
    instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    yield exporter.get_finished_spans
    instrumentor.uninstrument()
    root.span_handlers, root.event_handlers = spans, events
    provider.shutdown()


async def ask(llm: RouterLLM, way: str) -> None:
    if way == "chat":
        llm.chat(HI)
    elif way == "stream_chat":
        list(llm.stream_chat(HI))
    elif way == "achat":
        await llm.achat(HI)
    else:
        _ = [chunk async for chunk in await llm.astream_chat(HI)]


def attribute(span: ReadableSpan, name: str) -> Any:
    return (span.attributes or {}).get(name)


def tokens(spans: Iterable[ReadableSpan]) -> tuple[int, int]:
    """Input and output over all spans, as a backend sums them."""
    kept = list(spans)
    return sum(attribute(s, PROMPT) or 0 for s in kept), sum(attribute(s, COMPLETION) or 0 for s in kept)


@pytest.mark.parametrize("way", WAYS)
async def test_one_trace_attempts_below_one_span_that_is_no_llm_tokens_once(
    pair: RouterLLM, server: ChatServer, exported: Exported, way: str
) -> None:
    server.script("a", Refuse(503))
    server.script("b", Say("hello world", usage=(100, 20)))
    await ask(pair, way)
    spans = exported()
    assert len({span.context.trace_id for span in spans}) == 1
    (outer,) = [span for span in spans if span.parent is None]
    assert outer.name.startswith("RouterCall.")
    assert attribute(outer, KIND) != "LLM"
    assert (attribute(outer, PROMPT), attribute(outer, "llm.model_name")) == (None, None)
    attempts = sorted(
        (s for s in spans if s.parent and s.parent.span_id == outer.context.span_id), key=lambda s: s.start_time or 0
    )
    assert [attribute(s, KIND) for s in attempts] == ["LLM", "LLM"]
    assert [attribute(s, "llm.model_name") for s in attempts] == ["a", "b"]
    # OpenAILike's chat() calls OpenAI's in a span below its own, and there the tokens are.
    assert tokens(spans) == (100, 20)
    (billed,) = [s for s in spans if attribute(s, PROMPT)]
    assert billed is attempts[1] or (billed.parent and billed.parent.span_id == attempts[1].context.span_id)


def test_predict_is_one_trace_with_tokens_once(pair: RouterLLM, server: ChatServer, exported: Exported) -> None:
    server.script("a", Say("hello world", usage=(100, 20)))
    pair.predict(PromptTemplate("hi"))
    spans = exported()
    assert len({span.context.trace_id for span in spans}) == 1
    assert tokens(spans) == (100, 20)
    (outermost,) = [span for span in spans if span.parent is None]
    assert attribute(outermost, "llm.model_name") == "llm-router/router"  # no model's name, so nothing is inferred


class City(BaseModel):
    """A city."""

    name: str


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


TOOL = FunctionTool.from_defaults(multiply)
PARIS = PromptTemplate("Tell about Paris.")


def told(body: dict[str, Any]) -> Say:
    """A tool call for whoever offers tools and has no result yet; else JSON for who asks for it, else words."""
    if body.get("tools"):
        name = body["tools"][0]["function"]["name"]
        answered = body["messages"][-1]["role"] == "tool"
        call = ((name, {"name": "Paris"} if name == "City" else {"a": 6, "b": 7}),)
        return Say("it is 42", usage=(100, 20)) if answered else Say(tools=call, usage=(100, 20))
    return Say('{"name": "Paris"}', usage=(100, 20))


async def use(llm: RouterLLM, way: str) -> int:
    """Ask in one of many ways; how many answered calls it takes."""
    if way == "structured_predict":
        llm.structured_predict(City, PARIS)
    elif way == "astructured_predict":
        await llm.astructured_predict(City, PARIS)
    elif way == "stream_structured_predict":
        list(llm.stream_structured_predict(City, PARIS))
    elif way == "chat_with_tools":
        llm.chat_with_tools([TOOL], "6 times 7?")
    elif way == "astream_chat_with_tools":
        _ = [c async for c in await llm.astream_chat_with_tools([TOOL], "6 times 7?")]
    else:
        agent = FunctionAgent(tools=[TOOL], llm=llm, streaming=way == "streaming agent")
        answer = await agent.run("6 times 7?", memory=ChatMemoryBuffer.from_defaults(token_limit=3_000))
        assert str(answer) == "it is 42"
        return 2
    return 1


USES = ("structured_predict", "astructured_predict", "stream_structured_predict", "chat_with_tools",
        "astream_chat_with_tools", "agent", "streaming agent")  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's agents' own
@pytest.mark.parametrize("way", USES)
async def test_tokens_once_and_one_trace_for_tools_objects_and_agents(
    pair: RouterLLM, server: ChatServer, exported: Exported, way: str
) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    pair.callback_manager = CallbackManager([counter])
    server.script("a", Refuse(503))
    server.script("b", told)
    calls = await use(pair, way)
    spans = exported()
    routed = [span for span in spans if span.name.startswith("RouterCall.")]
    assert len(routed) == calls
    if way != "stream_structured_predict":  # LlamaIndex tells of an object's growth on whichever span is open
        assert not any(attribute(span, KIND) == "LLM" for span in routed)
    assert not any(attribute(span, name) for span in routed for name in (PROMPT, COMPLETION, "llm.model_name"))
    assert len({span.context.trace_id for span in spans}) == 1
    assert tokens(spans) == (100 * calls, 20 * calls)
    assert {attribute(s, "llm.model_name") for s in spans if attribute(s, PROMPT)} == {"b"}
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (100 * calls, 20 * calls)
