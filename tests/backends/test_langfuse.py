"""What Langfuse's own client sends of routed calls to a stand-in for its server: spans over OTLP, and scores."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from adapters.otel_fleet import SECRET, WAYS, Fleet
from backends.drawn import Shown, drawn, stands_in
from backends.langfuse_server import LangfuseServer, Span
from backends.work import asked, fleet_of, switched_on
from langchain_core.messages import HumanMessage
from langfuse import Langfuse
from langfuse.langchain import CallbackHandler
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from telemetry.kept import Kept, kept

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def client() -> Iterator[tuple[Langfuse, LangfuseServer]]:
    """The client writes through the application's own provider, as it does by itself where there is one."""
    server = LangfuseServer()
    made = Langfuse(public_key="pk-lf-x", secret_key="sk-lf-x", base_url=server.url, tracer_provider=kept().provider)
    yield made, server
    made.shutdown()
    server.close()


@pytest.fixture
def langfuse(client: tuple[Langfuse, LangfuseServer], otel: Kept) -> LangfuseServer:
    client[0].flush()
    return client[1].emptied()


@pytest.fixture(params=["langchain", "llamaindex"])
async def fleet(request: pytest.FixtureRequest) -> AsyncIterator[Fleet]:
    async with fleet_of(request.param) as made:
        yield made


@pytest.fixture
async def chain() -> AsyncIterator[Fleet]:
    async with fleet_of("langchain") as made:
        yield made


def sent(client: tuple[Langfuse, LangfuseServer]) -> list[Span]:
    client[0].flush()
    return sorted(client[1].spans, key=lambda span: span.began)


def agrees(spans: list[Span], total: Any) -> None:
    """The ledger's tokens, on one span of those that Langfuse counts."""
    assert [span.tokens for span in spans if span.tokens] == [(total.input_tokens, total.output_tokens)]
    assert all(span.kind == "generation" for span in spans if span.tokens)
    ids = {span.id for span in spans}
    assert len([span for span in spans if span.parent not in ids]) == 1  # nothing hangs below what was left out
    assert len({span.trace for span in spans}) == 1


async def _called(llm: Any, way: str, config: Any) -> None:
    if way == "whole":
        llm.invoke([HumanMessage(SECRET)], config)
    elif way == "awaited":
        await llm.ainvoke([HumanMessage(SECRET)], config)
    elif way == "stream":
        list(llm.stream([HumanMessage(SECRET)], config))
    else:
        _ = [chunk async for chunk in llm.astream([HumanMessage(SECRET)], config)]


@pytest.mark.parametrize("way", WAYS)
async def test_its_callback_handler_shows_each_call_once_and_the_decision(
    client: tuple[Langfuse, LangfuseServer], langfuse: LangfuseServer, chain: Fleet, way: str
) -> None:
    llm = chain.made()
    chain.second.script[:] = [chain.answer(way)]
    await _called(llm, way, {"callbacks": [CallbackHandler()]})
    assert llm.router.flush()
    spans, total = sent(client), llm.router.ledger.total()
    agrees(spans, total)
    assert {span.scope for span in spans} == {"langfuse-sdk"}
    routed, failed, answered = spans
    told = {name.rpartition(".")[2]: value for name, value in routed.attributes.items() if ".metadata." in name}
    assert (routed.kind, json.loads(told["router_model"])) == ("chain", "house-large")
    assert json.loads(told["router_cost_usd"]) == pytest.approx(float(total.cost_usd))
    assert (failed.kind, failed.failed, answered.failed) == ("generation", True, False)
    models = [span.attributes["langfuse.observation.model.name"] for span in (failed, answered)]
    assert models[0] == "house-small"
    assert models[1].startswith("house-large")


@pytest.mark.parametrize("way", WAYS)
async def test_the_routers_own_spans_with_its_cost(
    client: tuple[Langfuse, LangfuseServer], langfuse: LangfuseServer, fleet: Fleet, way: str
) -> None:
    llm = fleet.made()
    await fleet.ask(llm, way)
    spans, total = sent(client), llm.router.ledger.total()
    agrees(spans, total)
    assert {span.name: span.kind for span in spans} == {
        f"route {llm.router.name}": "chain", "chat house-small": "generation", "chat house-large": "generation",
    }  # fmt: skip
    costs = {span.name: cost for span in spans if (cost := span.attributes.get("gen_ai.usage.cost")) is not None}
    assert costs == {"chat house-large": pytest.approx(float(total.cost_usd))}
    assert SECRET not in str(spans)


async def test_below_openinferences_spans_of_a_query_engine(
    client: tuple[Langfuse, LangfuseServer], langfuse: LangfuseServer, otel: Kept
) -> None:
    async with fleet_of("llamaindex") as fleet:
        llm = fleet.made()
        with switched_on(LlamaIndexInstrumentor(), otel.provider):
            asked(fleet, llm)
    spans = sent(client)
    agrees(spans, llm.router.ledger.total())
    (routed,) = [span for span in spans if span.name == "RouterCall.call"]
    assert routed.attributes["capability_router.model"] == "house-large"
    tree = drawn([_shown(span) for span in spans])
    print(f"\n{tree}")
    assert stands_in("langfuse.md", tree)


async def test_the_tree_of_an_answer_is_that_of_the_page_and_scores_come(
    client: tuple[Langfuse, LangfuseServer], langfuse: LangfuseServer, chain: Fleet
) -> None:
    llm, handler = chain.made(), CallbackHandler()
    asked(chain, llm, {"callbacks": [handler]})
    tree = drawn([_shown(span) for span in sent(client)])
    print(f"\n{tree}")
    assert stands_in("langfuse.md", tree)
    client[0].create_score(trace_id=str(handler.last_trace_id), name="helpful", value=1.0)
    client[0].flush()
    (score,) = langfuse.scores
    assert (score["traceId"], score["value"]) == (langfuse.spans[0].trace, 1.0)


def _shown(span: Span) -> Shown:
    status = "ERROR" if span.failed else "OK"
    return Shown(span.id, span.parent or None, span.name, span.kind, status, f"{span.began:020}", span.tokens)
