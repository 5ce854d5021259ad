"""What else calls an LLM: routers of engines, sub-questions, rerankers, extractors, pipelines, agents that write code.

Each runs over the second candidate alone and over both, with a first one that answers, that is always at
its limit, or that cuts its streams before their first token; the result is the same.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Cut, Refuse, Say
from llama_index.core import get_response_synthesizer
from llama_index.core.agent.workflow import AgentWorkflow, CodeActAgent, FunctionAgent, ReActAgent
from llama_index.core.extractors import KeywordExtractor, QuestionsAnsweredExtractor, SummaryExtractor, TitleExtractor
from llama_index.core.indices.prompt_helper import PromptHelper
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.postprocessor import LLMRerank, StructuredLLMRerank
from llama_index.core.query_engine import RetrieverQueryEngine, RouterQueryEngine, SubQuestionQueryEngine
from llama_index.core.question_gen import LLMQuestionGenerator
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.selectors import LLMMultiSelector, LLMSingleSelector, PydanticSingleSelector
from llama_index.core.tools import FunctionTool, QueryEngineTool

from llamaindex_router import RouterLLM

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's own
NODES = [TextNode(id_=str(i), text=f"passage {i} " + "word " * 50) for i in range(4)]
QUESTION = "How does the breaker decide?"
Ask = Callable[[Any], Awaitable[str]]


class Fixed(BaseRetriever):
    """Finds the same passages for every question."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [NodeWithScore(node=node, score=1.0) for node in NODES]


def echo(body: dict[str, Any]) -> Say:
    """An answer that depends on everything that was sent."""
    size = sum(len(str(m["content"])) for m in body["messages"])
    return Say(f"{len(body['messages'])} messages of {size} characters")


def memory() -> ChatMemoryBuffer:
    """The default one leaves its database open."""
    return ChatMemoryBuffer.from_defaults(token_limit=3_000)


def engine(llm: Any, mode: ResponseMode = ResponseMode.COMPACT, **settings: Any) -> RetrieverQueryEngine:
    helper = PromptHelper.from_llm_metadata(llm.metadata)
    return RetrieverQueryEngine(
        Fixed(), get_response_synthesizer(llm=llm, response_mode=mode, prompt_helper=helper, **settings)
    )


def tool(llm: Any, name: str) -> QueryEngineTool:
    return QueryEngineTool.from_defaults(engine(llm), name=name, description=name)


@pytest.fixture(params=["well", "429", "cut"])
def same(
    request: pytest.FixtureRequest, child: Callable[..., Any], pair: RouterLLM, server: ChatServer
) -> Callable[[Any, Ask], Awaitable[str]]:
    """Run something over the one and over both; gives the result that they agree on."""

    async def same(answering: Any, ask: Ask) -> str:
        server.script("b", answering)
        server.script("a", {"well": answering, "429": Refuse(429), "cut": Cut(0)}[request.param])
        alone = await ask(child("b"))
        assert not server.of("a")
        asked = len(server.requests)
        assert await ask(pair) == alone
        assert len(server.requests) > asked
        return alone

    return same


Same = Callable[[Any, Ask], Awaitable[str]]


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("mode", [m for m in ResponseMode if m.value not in ("no_text", "context_only")])
async def test_async_modes(same: Same, mode: ResponseMode, streaming: bool) -> None:
    streaming = streaming and "accumulate" not in mode.value  # which LlamaIndex doesn't stream

    async def ask(llm: Any) -> str:
        response = await engine(llm, mode, streaming=streaming).aquery(QUESTION)
        return "".join([t async for t in response.async_response_gen()]) if streaming else str(response)

    assert "messages of" in await same(echo, ask)


@pytest.mark.parametrize("kind", ["single", "multi", "pydantic"])
async def test_router_query_engine(same: Same, kind: str) -> None:
    def choosing(body: dict[str, Any]) -> Say:
        if body.get("tools"):
            return Say(tools=((body["tools"][0]["function"]["name"], {"index": 2, "reason": "it fits"}),))
        if "choices" not in str(body):
            return echo(body)
        return Say('[{"choice": 2, "reason": "it fits"}]')

    async def ask(llm: Any) -> str:
        tools = [tool(llm, name) for name in ("code", "docs")]
        if kind == "pydantic":
            selector: Any = PydanticSingleSelector.from_defaults(llm=llm)
        else:
            selector = (LLMSingleSelector if kind == "single" else LLMMultiSelector).from_defaults(llm=llm)
        summarizer = get_response_synthesizer(llm=llm, response_mode=ResponseMode.TREE_SUMMARIZE)
        response = RouterQueryEngine(selector, tools, llm=llm, summarizer=summarizer).query(QUESTION)
        chosen = response.metadata["selector_result"]
        return f"{chosen.selections[0].index} {response}"

    assert (await same(choosing, ask)).startswith("1 ")


@pytest.mark.parametrize("use_async", [False, True])
async def test_sub_question_query_engine(same: Same, use_async: bool) -> None:
    items = [{"sub_question": f"what of {name}?", "tool_name": name} for name in ("code", "docs")]

    def asking(body: dict[str, Any]) -> Say:
        return Say(f"```json\n{json.dumps({'items': items})}\n```") if "sub_question" in str(body) else echo(body)

    async def ask(llm: Any) -> str:
        made = SubQuestionQueryEngine.from_defaults(
            [tool(llm, "code"), tool(llm, "docs")], llm=llm, question_gen=LLMQuestionGenerator.from_defaults(llm=llm),
            use_async=use_async, verbose=False, response_synthesizer=get_response_synthesizer(llm=llm),
        )  # fmt: skip
        response = await made.aquery(QUESTION)
        return f"{response} {sorted(n.node.get_content() for n in response.source_nodes)}"

    answer = await same(asking, ask)
    assert "Sub question: what of code?" in answer


async def test_rerankers(same: Same) -> None:
    documents = {"documents": [{"document_number": 3, "relevance": 9}, {"document_number": 1, "relevance": 4}]}

    def ranking(body: dict[str, Any]) -> Say:
        if body.get("tools"):
            return Say(tools=((body["tools"][0]["function"]["name"], documents),))
        structured = "response_format" in body or "schema" in str(body)
        return Say(json.dumps(documents)) if structured else Say("Doc: 3, Relevance: 9\nDoc: 1, Relevance: 4")

    async def ask(llm: Any) -> str:
        found = [NodeWithScore(node=node) for node in NODES]
        plain = LLMRerank(llm=llm, top_n=2).postprocess_nodes(found, query_str=QUESTION)
        structured = StructuredLLMRerank(llm=llm, top_n=2).postprocess_nodes(found, query_str=QUESTION)
        return " ".join(n.node.node_id for n in (*plain, *structured))

    assert await same(ranking, ask) == "2 0 2 0"


EXTRACTORS: dict[str, Callable[[Any], Any]] = {
    "title": lambda llm: TitleExtractor(llm=llm, nodes=1, num_workers=1),
    "summary": lambda llm: SummaryExtractor(llm=llm, summaries=["prev", "self"], num_workers=1),
    "questions": lambda llm: QuestionsAnsweredExtractor(llm=llm, questions=1, num_workers=1),
    "keywords": lambda llm: KeywordExtractor(llm=llm, keywords=2, num_workers=1),
}


@pytest.mark.parametrize("kind", list(EXTRACTORS))
async def test_extractors(same: Same, kind: str) -> None:
    async def ask(llm: Any) -> str:
        return json.dumps(await EXTRACTORS[kind](llm).aextract(NODES[:2]))

    assert "messages of" in await same(echo, ask)


@pytest.mark.parametrize("workers", [1, 2])
def test_ingestion_pipelines_with_workers(built_in: Callable[..., Any], server: ChatServer, workers: int) -> None:
    """With two, the router is pickled, made again in each process, and falls back there."""
    server.script("a", Refuse(429))
    server.script("b", Say("a title"))
    llm = RouterLLM(models=[built_in("a"), built_in("b")], policy="single")
    nodes = IngestionPipeline(transformations=[TitleExtractor(llm=llm, nodes=1, num_workers=1)]).run(
        nodes=[node.model_copy() for node in NODES], num_workers=workers
    )
    assert [node.metadata["document_title"] for node in nodes] == ["a title"] * len(NODES)
    assert server.of("a")


def test_what_an_ingestion_pipeline_keeps_is_kept_by_models(built_in: Callable[..., Any], server: ChatServer) -> None:
    for name in "ab":
        server.script(name, Say(f"a title by {name}"))
    cache = IngestionCache()

    def titled(model: str) -> str:
        llm = RouterLLM(models=[built_in(model)], policy="single")
        pipeline = IngestionPipeline(transformations=[TitleExtractor(llm=llm, nodes=1, num_workers=1)], cache=cache)
        return str(pipeline.run(nodes=[NODES[0].model_copy(deep=True)])[0].metadata["document_title"])

    assert [titled(model) for model in "aab"] == ["a title by a", "a title by a", "a title by b"]
    assert len(server.of("a")) == 2  # a title and its summary, once


# -- agents


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


TOOL = FunctionTool.from_defaults(multiply)
ASK = Say(tools=(("multiply", {"a": 6, "b": 7}),))


def ended(body: dict[str, Any]) -> dict[str, Any]:
    last: dict[str, Any] = body["messages"][-1]
    return last


@pytest.mark.parametrize("streaming", [True, False])
async def test_react_agents_use_tools_by_text(same: Same, server: ChatServer, streaming: bool) -> None:
    def thinking(body: dict[str, Any]) -> Say:
        if "Observation: 42" in str(ended(body)["content"]):
            return Say("Thought: I can answer without using any more tools.\nAnswer: it is 42")
        return Say('Thought: I need a tool.\nAction: multiply\nAction Input: {"a": 6, "b": 7}')

    async def ask(llm: Any) -> str:
        agent = ReActAgent(tools=[TOOL], llm=llm, streaming=streaming)
        answer = await agent.run("6 times 7?", memory=memory())
        return f"{answer} {[c.tool_output.content for c in answer.tool_calls]}"

    assert await same(thinking, ask) == "it is 42 ['42']"
    assert not any("tools" in body for body in server.requests)


async def test_agents_that_write_code(same: Same) -> None:
    def writing(body: dict[str, Any]) -> Say:
        if "Result of executing the code" in str(body["messages"]):
            return Say("it is 42")
        return Say("<execute>\nprint(multiply(6, 7))\n</execute>")

    async def execute(code: str) -> str:
        return f"ran {len(code)} characters"

    async def ask(llm: Any) -> str:
        agent = CodeActAgent(code_execute_fn=execute, tools=[multiply], llm=llm)
        return str(await agent.run("6 times 7?", memory=memory()))

    assert await same(writing, ask) == "it is 42"


@pytest.mark.parametrize("streaming", [True, False])
async def test_workflows_hand_over(same: Same, streaming: bool) -> None:
    def steps(body: dict[str, Any]) -> Say:
        names = [t["function"]["name"] for t in body.get("tools", [])]
        if "handoff" in names and not any(m["role"] == "tool" for m in body["messages"]):
            return Say(tools=(("handoff", {"to_agent": "sums", "reason": "it multiplies"}),))
        return Say("it is 42") if "multiply" not in names or ended(body)["content"] == "42" else ASK

    async def ask(llm: Any) -> str:
        front = FunctionAgent(
            name="front", description="greets", llm=llm, can_handoff_to=["sums"], tools=[], streaming=streaming
        )
        sums = FunctionAgent(
            name="sums", description="multiplies", llm=llm, tools=[TOOL], can_handoff_to=[], streaming=streaming
        )
        answer = await AgentWorkflow(agents=[front, sums], root_agent="front").run("6 times 7?", memory=memory())
        return f"{answer.current_agent_name}: {answer} {[c.tool_name for c in answer.tool_calls]}"

    assert await same(steps, ask) == "sums: it is 42 ['handoff', 'multiply']"


@pytest.mark.parametrize("plain", ["mock", "stated"])
async def test_models_without_tools_take_no_part_in_a_function_agents_run(
    child: Callable[..., Any], server: ChatServer, plain: str
) -> None:
    """Yet they answer what needs none."""
    server.script("b", lambda body: Say("it is 42") if ended(body)["role"] == "tool" else ASK)
    first = MockLLM() if plain == "mock" else child("a")
    llm = RouterLLM(models=[(first, {"id": "plain", "tool_calling": False}), child("b")], policy="single")
    answer = await FunctionAgent(tools=[TOOL], llm=llm).run("6 times 7?", memory=memory())
    assert str(answer) == "it is 42"
    assert [c.tool_name for c in answer.tool_calls] == ["multiply"]
    assert not server.of("a")
    assert llm.complete("hi").additional_kwargs["router"]["model"] == "plain"
