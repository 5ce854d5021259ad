"""Query engines, chat engines and what else calls an LLM: the same results with the router as without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Cut, Refuse, Say
from llama_index.core import Document, Settings, get_response_synthesizer
from llama_index.core.chat_engine import (
    CondensePlusContextChatEngine,
    CondenseQuestionChatEngine,
    ContextChatEngine,
    SimpleChatEngine,
)
from llama_index.core.extractors import TitleExtractor
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.node_parser import TokenTextSplitter
from llama_index.core.postprocessor import LLMRerank
from llama_index.core.query_engine import RetrieverQueryEngine, RouterQueryEngine, SubQuestionQueryEngine
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.selectors import LLMSingleSelector
from llama_index.core.tools import QueryEngineTool
from llama_index.retrievers.bm25 import BM25Retriever

from llamaindex_router import RouterLLM

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's own
ROOT = Path(__file__).parents[4]
QUESTION = "How does the breaker decide?"


@pytest.fixture(scope="module")
def retriever() -> BM25Retriever:
    texts = [p.read_text() for p in sorted((ROOT / "shared" / "capability_router").glob("*.py"))]
    splitter = TokenTextSplitter(chunk_size=256, chunk_overlap=16)  # needs no language data, unlike a sentence's
    nodes = splitter.get_nodes_from_documents([Document(text=t) for t in texts])
    return BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=6)


@pytest.fixture(autouse=True)
def no_default_llm() -> Iterator[None]:
    before = Settings._llm
    yield
    Settings._llm = before


def echo(body: dict[str, Any]) -> Say:
    """An answer that depends on everything that was sent."""
    size = sum(len(str(m["content"])) for m in body["messages"])
    return Say(f"{len(body['messages'])} messages of {size} characters")


def scripts(server: ChatServer, first: Any = echo) -> None:
    server.script("a", first)
    server.script("b", echo)
    server.requests.clear()


def bodies(server: ChatServer, model: str) -> list[Any]:
    return [body["messages"] for body in server.of(model)]


@pytest.fixture(params=["well", "429", "cut"])
def first(request: pytest.FixtureRequest) -> Any:
    """What the first candidate does: answer, always be at its limit, cut every stream before its first token."""
    return {"well": echo, "429": Refuse(429), "cut": Cut(0)}[request.param]


def asked(retriever: BM25Retriever, llm: Any, mode: ResponseMode, streaming: bool) -> str:
    synthesizer = get_response_synthesizer(llm=llm, response_mode=mode, streaming=streaming)
    return str(RetrieverQueryEngine(retriever, synthesizer).query(QUESTION))


MODES = [m for m in ResponseMode if m.value not in ("no_text", "context_only", "compact_accumulate")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
def test_query_engines(
    pair: RouterLLM, child: Callable[..., Any], server: ChatServer, retriever: BM25Retriever, mode: ResponseMode,
    streaming: bool, first: Any,
) -> None:  # fmt: skip
    streaming = streaming and mode is not ResponseMode.ACCUMULATE  # which LlamaIndex doesn't stream
    scripts(server)
    alone = asked(retriever, child("b"), mode, streaming)
    wanted = bodies(server, "b")
    scripts(server, first)
    assert asked(retriever, pair, mode, streaming) == alone
    assert (bodies(server, "a") if first is echo else bodies(server, "b")) == wanted


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
async def test_async_query_engines(
    pair: RouterLLM, child: Callable[..., Any], server: ChatServer, retriever: BM25Retriever, streaming: bool,
    first: Any,
) -> None:  # fmt: skip
    async def ask(llm: Any) -> str:
        synthesizer = get_response_synthesizer(llm=llm, streaming=streaming)
        response = await RetrieverQueryEngine(retriever, synthesizer).aquery(QUESTION)
        return "".join([t async for t in response.async_response_gen()]) if streaming else str(response)

    scripts(server)
    alone = await ask(child("b"))
    scripts(server, first)
    assert await ask(pair) == alone


def chat_engine(kind: str, llm: Any, retriever: BM25Retriever) -> Any:
    memory = ChatMemoryBuffer.from_defaults(token_limit=3_000)  # the default one leaves its database open
    if kind == "simple":
        return SimpleChatEngine.from_defaults(llm=llm, memory=memory)
    if kind == "context":
        return ContextChatEngine.from_defaults(retriever=retriever, llm=llm, memory=memory)
    if kind == "condense plus context":
        return CondensePlusContextChatEngine.from_defaults(retriever=retriever, llm=llm, memory=memory)
    engine = RetrieverQueryEngine(retriever, get_response_synthesizer(llm=llm, streaming=True))
    return CondenseQuestionChatEngine.from_defaults(query_engine=engine, llm=llm, memory=memory)


@pytest.mark.parametrize("kind", ["simple", "context", "condense plus context", "condense question"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_chat_engines(
    pair: RouterLLM, child: Callable[..., Any], server: ChatServer, retriever: BM25Retriever, kind: str,
    streamed: bool, first: Any,
) -> None:  # fmt: skip
    def talk(llm: Any) -> list[str]:
        engine = chat_engine(kind, llm, retriever)
        if not streamed:
            return [str(engine.chat(text)) for text in ("hello", "and then?")]
        return ["".join(engine.stream_chat(text).response_gen) for text in ("hello", "and then?")]

    scripts(server)
    alone = talk(child("b"))
    scripts(server, first)
    assert talk(pair) == alone


@pytest.mark.parametrize("kind", ["simple", "context", "condense plus context"])
async def test_async_chat_engines(pair: RouterLLM, server: ChatServer, retriever: BM25Retriever, kind: str) -> None:
    scripts(server, Refuse(429))
    engine = chat_engine(kind, pair, retriever)
    whole = await engine.achat("hello")
    streamed = await engine.astream_chat("and then?")
    assert "messages of" in str(whole)
    assert "messages of" in "".join([token async for token in streamed.async_response_gen()])


def test_router_query_engine(pair: RouterLLM, server: ChatServer, retriever: BM25Retriever) -> None:
    server.script("a", lambda b: Say('[{"choice": 2, "reason": "it fits"}]') if "choices" in str(b) else echo(b))
    tools = [
        QueryEngineTool.from_defaults(
            RetrieverQueryEngine(retriever, get_response_synthesizer(llm=pair)), name=name, description=name
        )
        for name in ("code", "docs")
    ]
    engine = RouterQueryEngine(LLMSingleSelector.from_defaults(llm=pair), tools, llm=pair)
    response = engine.query(QUESTION)
    assert "messages of" in str(response)
    assert response.metadata["selector_result"].ind == 1


def test_sub_question_engine(pair: RouterLLM, server: ChatServer, retriever: BM25Retriever) -> None:
    questions = '{"items": [{"sub_question": "what is a breaker?", "tool_name": "code"}]}'
    server.script("a", lambda b: Say(f"```json\n{questions}\n```") if "sub_question" in str(b) else echo(b))
    tool = QueryEngineTool.from_defaults(
        RetrieverQueryEngine(retriever, get_response_synthesizer(llm=pair)), name="code", description="code"
    )
    from llama_index.core.question_gen import LLMQuestionGenerator

    engine = SubQuestionQueryEngine.from_defaults(
        [tool], llm=pair, question_gen=LLMQuestionGenerator.from_defaults(llm=pair), use_async=False, verbose=False,
        response_synthesizer=get_response_synthesizer(llm=pair),
    )  # fmt: skip
    assert "messages of" in str(engine.query(QUESTION))


def test_rerankers_and_extractors(pair: RouterLLM, server: ChatServer, retriever: BM25Retriever) -> None:
    server.script("a", Refuse(429))
    server.script("b", Say("Doc: 2, Relevance: 9\nDoc: 1, Relevance: 3"))
    nodes = retriever.retrieve(QUESTION)
    best = LLMRerank(llm=pair, top_n=1).postprocess_nodes(nodes, query_str=QUESTION)
    assert [n.node.node_id for n in best] == [nodes[1].node.node_id]
    server.script("b", Say("A title"))
    titles = TitleExtractor(llm=pair, nodes=1, num_workers=1).extract([nodes[0].node])
    assert titles == [{"document_title": "A title"}]


def test_settings_llm(pair: RouterLLM, server: ChatServer, retriever: BM25Retriever) -> None:
    scripts(server, Refuse(429))
    Settings.llm = pair
    assert "messages of" in str(RetrieverQueryEngine.from_args(retriever).query(QUESTION))
    assert server.of("b")
