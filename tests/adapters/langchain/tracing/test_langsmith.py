"""What LangSmith's own client sends of a routed call: multipart, compressed and not, as spans, and both at once."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from joke import Joke
from langchain.agents import create_agent
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langsmith_backends import Backend, traced
from langsmith_server import LangSmithServer
from langsmith_spans import Spans
from openai_server import Server
from traced import Traced

from langchain_router import AllCandidatesFailed, ChatEndpoint, ChatRouter, NoEligibleModel

PRICE: dict[str, Any] = {"price": {"input_mtok": 1, "output_mtok": 2}}
COST = 0.000016  # 10 tokens in, 3 out
RESERVED = {"usage_metadata", "total_cost", "prompt_cost", "completion_cost", "total_tokens", "ls_provider",
            "ls_model_name", "ls_model_type", "ls_invocation_params"}  # fmt: skip


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def failing_then_good(server: Server, first: str = "dead-x", second: str = "ok-y") -> ChatRouter:
    broken = ChatOpenAI(model=first, base_url=server.url, api_key="sk-test", use_responses_api=False)
    good = ChatEndpoint(base_url=server.url, model=second, provider="house", tool_calling=True, structured_output=True)
    able = {**PRICE, "tool_calling": True, "structured_output": True}
    return ChatRouter(models=[(broken, able), (good, PRICE)], policy="single")


def chained(model: Any) -> Runnable[Any, Any]:
    return ChatPromptTemplate.from_template("{x}") | model | StrOutputParser()


async def _astream(runnable: Any, input: Any, config: Any) -> Any:
    return [chunk async for chunk in runnable.astream(input, config)]


async def _av3(model: ChatRouter, config: Any) -> Any:
    return await (await model.astream_events("hi", config, version="v3"))  # type: ignore[misc]  # v3 is awaitable


VERBS: dict[str, Callable[[ChatRouter, Any], Any]] = {
    "invoke": lambda m, c: m.invoke("hi", c),
    "ainvoke": lambda m, c: m.ainvoke("hi", c),
    "stream": lambda m, c: list(m.stream("hi", c)),
    "astream": lambda m, c: _astream(m, "hi", c),
    "v3": lambda m, c: m.stream_events("hi", c, version="v3").output,
    "av3": _av3,
    "batch": lambda m, c: m.batch(["hi", "ho"], c),
    "abatch": lambda m, c: m.abatch(["hi", "ho"], c),
    "chain": lambda m, c: chained(m).invoke({"x": "hi"}, c),
    "chain stream": lambda m, c: list(chained(m).stream({"x": "hi"}, c)),
    "chain astream": lambda m, c: _astream(chained(m), {"x": "hi"}, c),
    "agent": lambda m, c: create_agent(m, [add]).invoke({"messages": "1+2?"}, c),
    "agent async": lambda m, c: create_agent(m, [add]).ainvoke({"messages": "1+2?"}, c),
    "structured": lambda m, c: m.with_structured_output(Joke).invoke("hi", c),
    "structured async": lambda m, c: m.with_structured_output(Joke).ainvoke("hi", c),
}  # fmt: skip


async def call(verb: str, model: ChatRouter, config: Any) -> Any:
    given = VERBS[verb](model, config)
    return await given if isinstance(given, Awaitable) else given


def routed(roots: list[Traced]) -> list[Traced]:
    return [run for root in roots for run in root.all() if run.name == "ChatRouter"]


def models(run: Traced) -> list[Traced]:
    return run.below("llm")


def assert_tells_and_does_not_count(run: Traced) -> None:
    """A router's run: the decision on it, flat, and nothing that a backend would count or price."""
    assert run.kind == "chain"
    assert not RESERVED & run.metadata.keys()
    assert run.usage is None
    assert run.model is None
    told = {key: value for key, value in run.metadata.items() if key.startswith("router_")}
    assert all(isinstance(value, (str, int, float, bool)) for value in told.values())
    assert run.metadata["user"] == "u"


@pytest.mark.parametrize("verb", VERBS)
async def test_each_request_is_one_chain_run_and_usage_stands_on_the_billed_leaves_alone(
    server: Server, backend: Backend, verb: str
) -> None:
    await call(verb, failing_then_good(server), traced(backend))
    roots = backend.tree()
    assert len(roots) == (2 if "batch" in verb else 1)
    runs = routed(roots)
    assert len(runs) == (2 if "batch" in verb or "agent" in verb else 1)
    for run in runs:
        assert_tells_and_does_not_count(run)
        *failed, billed = models(run)  # in an agent's second turn the conversation stays on its model
        assert run.metadata["router_model"] == "house/ok-y"
        assert run.metadata["router_provider"] == "house"
        assert run.metadata["router_policy"] == "single"
        assert run.metadata["router_cost_usd"] == pytest.approx(COST)
        assert run.metadata["router_attempts"] == 1 + len(failed)
        for run_ in failed:
            assert (run_.model, run_.metadata["router_fault"], run_.usage) == ("dead-x", "server_error", None)
            assert "500" in run_.error
        assert (billed.metadata["ls_provider"], billed.model, billed.error) == ("house", "ok-y", "")
        assert "router_fault" not in billed.metadata
    assert "1 openai/dead-x: server_error" in runs[0].metadata["router_faults"]
    counted = [run for root in roots for run in root.all() if run.usage]
    assert counted == [models(run)[-1] for run in runs]
    assert {run.usage for run in counted} == {(10, 3)}


@pytest.mark.parametrize("verb", ["invoke", "ainvoke", "stream", "astream", "v3", "structured"])
async def test_when_all_candidates_fail_each_says_why(server: Server, backend: Backend, verb: str) -> None:
    model = failing_then_good(server, "auth-x", "fail-y")
    with pytest.raises(AllCandidatesFailed):
        await call(verb, model, traced(backend))
    (root,) = backend.tree()
    assert_tells_and_does_not_count(root)
    assert "AllCandidatesFailed" in root.error
    assert root.metadata["router_faults"].startswith("1 openai/auth-x: auth; 2 house/fail-y: rate_limited")
    assert "router_model" not in root.metadata
    kinds = [run.metadata["router_fault"] for run in models(root)]
    assert kinds[:2] == ["auth", "rate_limited"]
    assert set(kinds[2:]) <= {"rate_limited"}
    assert not [run for run in root.all() if run.usage]


def test_why_the_other_models_were_not_taken_stands_on_the_run(server: Server, backend: Backend) -> None:
    model = failing_then_good(server, "ok-x")
    model.invoke("hi", {**traced(backend), "configurable": {"router": {"deny": ["openai/ok-x"]}}})
    with pytest.raises(NoEligibleModel):
        model.invoke("hi", {**traced(backend), "configurable": {"router": {"pin": "house/ok-y", "max_cost_usd": 0}}})
    one, none = backend.tree()
    assert one.metadata["router_refused"] == 1
    assert one.metadata["router_refusals"] == "openai/ok-x: deny: denied by the request"
    assert none.metadata["router_refused"] == 2
    assert none.metadata["router_refusals"].startswith("openai/ok-x: pin: pinned to 'house/ok-y'; house/ok-y: max_cost")
    assert "NoEligibleModel" in none.error
    assert none.children == []


@pytest.mark.parametrize("include_raw", [False, True])
async def test_frameworks_own_chains_count_as_without_a_router(server: Server, include_raw: bool) -> None:
    """LangSmith's exporter also finds usage in what a chain passes on; a router adds nothing to it."""
    plain = ChatEndpoint(base_url=server.url, model="ok-y", provider="house", structured_output=True)
    counted = []
    for model in (plain, ChatRouter(models=[(plain, PRICE)])):
        spans = Spans()
        if include_raw:
            model.with_structured_output(Joke, include_raw=True).invoke("hi", traced(spans))
        else:
            (ChatPromptTemplate.from_template("{x}") | model).invoke({"x": "hi"}, traced(spans))
        counted.append(sorted(run.name for root in spans.tree() for run in root.all() if run.usage))
        spans.close()
    assert counted[0] == counted[1]


def test_spans_and_multipart_at_once_tell_the_same(server: Server) -> None:
    spans = Spans()
    http = LangSmithServer(tracing_mode="hybrid", otel_tracer_provider=spans.provider)
    chained(failing_then_good(server)).invoke({"x": "hi"}, traced(http))
    sent, written = http.tree(), spans.written()
    spans.close()
    http.close()
    shown = [[(r.name, r.kind, r.usage, r.model, r.metadata.get("router_fault")) for r in t[0].all()]
             for t in (sent, written)]  # fmt: skip
    assert shown[0] == shown[1]
    assert len(shown[0]) == 6


def test_tags_the_cost_and_a_score_for_the_routers_run(server: Server) -> None:
    http = LangSmithServer()
    model, config = failing_then_good(server), traced(http)
    chained(model).invoke({"x": "hi"}, {**config, "tags": ["nightly"], "run_name": "an answer"})
    (root,) = http.tree()
    (routed,) = [run for run in root.all() if "router_request_id" in run.metadata]
    known = inspect.signature(http.client.create_feedback).parameters  # later clients want the project's id as well
    project = {"session_id": uuid4()} if "session_id" in known else {}
    http.client.create_feedback(run_id=routed.id, trace_id=root.id, key="helpful", score=1.0, **project)
    http.client.flush()
    runs = {run["id"]: run for run in http.runs}
    http.close()
    assert all("nightly" in run["tags"] for run in runs.values())
    assert routed.metadata["router_cost_usd"] == pytest.approx(float(model.router.ledger.total().cost_usd))
    (score,) = http.feedback
    assert (score["run_id"], score["trace_id"], score["key"], score["score"]) == (routed.id, root.id, "helpful", 1.0)
