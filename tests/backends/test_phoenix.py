"""Phoenix's own server: the tree that it shows of routed calls, with the ledger's tokens and money."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from adapters.otel_fleet import PRICE, SECRET, WAYS, Fleet
from backends.drawn import drawn, stands_in
from backends.phoenix import Phoenix, nodes, shown
from backends.served import Served
from backends.work import NAMES, asked, fleet_of, switched_on
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from phoenix.client import Client
from telemetry.kept import Kept, kept

from capability_router import ModelCard

sys.path.append(str(Path(__file__).parents[2] / "examples"))
import phoenix_prices

pytestmark = [  # what the instrumentors use of pydantic and of LangChain; raised inside them, it would spoil a span
    pytest.mark.filterwarnings("ignore:The `json` method is deprecated"),
    pytest.mark.filterwarnings("ignore:Calling .text"),
]
INSTRUMENTORS = {"langchain": LangChainInstrumentor, "llamaindex": LlamaIndexInstrumentor}
PROGRAM = os.environ.get("PHOENIX") or str(Path(__file__).parents[2] / ".venv-phoenix" / "bin" / "phoenix")
KINDS = ("langchain", "llamaindex")


@pytest.fixture(scope="module")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phoenix]:
    folder = tmp_path_factory.mktemp("phoenix")
    variables = {"PHOENIX_WORKING_DIR": str(folder), "PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": "{port}",
                 "PHOENIX_GRPC_PORT": "0", "PHOENIX_TELEMETRY_ENABLED": "false"}  # fmt: skip
    server = Served([PROGRAM, "serve"], "/healthz", folder, variables)
    sent = SimpleSpanProcessor(OTLPSpanExporter(f"{server.url}/v1/traces"))
    kept().provider.add_span_processor(sent)
    cards = [ModelCard(id=name, price=PRICE) for name in NAMES]
    assert phoenix_prices.put(cards, server.url) == list(NAMES)
    assert phoenix_prices.put(cards, server.url) == list(NAMES)  # again, as when prices change
    time.sleep(7)  # Phoenix looks at its list every five seconds
    yield Phoenix(server.url)
    sent.shutdown()
    server.close()


@pytest.fixture(params=KINDS)
async def fleet(request: pytest.FixtureRequest) -> AsyncIterator[Fleet]:
    async with fleet_of(request.param) as made:
        yield made


def traced(otel: Kept, phoenix: Phoenix) -> dict[str, Any]:
    """The trace of all that has been done, as Phoenix has it."""
    spans = otel.all()
    (trace_id,) = {span.context.trace_id for span in spans}
    return phoenix.trace(trace_id, len(spans))


def agrees(trace: dict[str, Any], total: Any) -> None:
    """Phoenix's sums are the ledger's, and each call is shown once."""
    summed, spans = trace["costSummary"], nodes(trace)
    assert (summed["prompt"]["tokens"], summed["completion"]["tokens"]) == (total.input_tokens, total.output_tokens)
    assert summed["total"]["cost"] == pytest.approx(float(total.cost_usd), rel=1e-9)
    assert sum(span["tokenCountPrompt"] or 0 for span in spans) == total.input_tokens > 0
    assert sum(span["tokenCountCompletion"] or 0 for span in spans) == total.output_tokens > 0
    assert len(calls(spans)) == total.calls == 2


def calls(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The innermost spans of the kind LLM: OpenAILike calls OpenAI's below its own, RouterLLM.predict everything."""
    above, parents = set(), {span["spanId"]: span["parentId"] for span in spans}
    models = [span for span in spans if span["spanKind"] == "llm"]
    for span in models:
        at = span["parentId"]
        while at in parents:
            above.add(at)
            at = parents[at]
    return [span for span in models if span["spanId"] not in above]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("by", ["an instrumentor", "the router"])
async def test_each_call_once_with_the_ledgers_sums(
    otel: Kept, phoenix: Phoenix, fleet: Fleet, by: str, way: str
) -> None:
    llm = fleet.made()
    instrumentor = INSTRUMENTORS[fleet.kind]()
    with (
        switched_on(instrumentor, otel.provider) if by == "an instrumentor" else nullcontext(),
        otel.tracer.start_as_current_span("app"),
    ):
        await fleet.ask(llm, way)
    trace = traced(otel, phoenix)
    agrees(trace, llm.router.ledger.total())
    (root,) = [span for span in shown(trace) if span.parent is None]
    assert root.name == "app"
    (routed,) = [span for span in shown(trace) if span.parent == root.id]
    assert routed.kind == "chain"
    if by == "the router":
        assert SECRET not in str(trace)


async def test_the_tree_of_an_answer_is_that_of_the_page(otel: Kept, phoenix: Phoenix, fleet: Fleet) -> None:
    llm = fleet.made()
    with switched_on(INSTRUMENTORS[fleet.kind](), otel.provider):
        asked(fleet, llm)
    trace = traced(otel, phoenix)
    agrees(trace, llm.router.ledger.total())
    tree = drawn(shown(trace))
    print(f"\n{tree}")
    assert stands_in("phoenix.md", tree)


async def test_the_tree_without_an_instrumentor_is_that_of_the_page(otel: Kept, phoenix: Phoenix) -> None:
    async with fleet_of("langchain") as fleet:
        with otel.tracer.start_as_current_span("POST /orders"):
            asked(fleet, fleet.made())
    tree = drawn(shown(traced(otel, phoenix)))
    print(f"\n{tree}")
    assert stands_in("phoenix.md", tree)


async def test_scores_given_in_phoenix_teach_the_router(otel: Kept, phoenix: Phoenix, fleet: Fleet) -> None:
    llm, scores = fleet.made(), dict[str, float]()
    llm.router.feedback = scores.__setitem__  # what becomes of a score is seen elsewhere
    with switched_on(INSTRUMENTORS[fleet.kind](), otel.provider):
        asked(fleet, llm)
    trace, client = traced(otel, phoenix), Client(base_url=phoenix.url)
    (routed,) = (span for span in nodes(trace) if span["name"] == fleet.kind or "RouterCall" in span["name"])
    client.spans.add_span_annotation(
        span_id=routed["spanId"], annotation_name="helpful", annotator_kind="HUMAN", score=0.5, sync=True
    )
    learned(llm.router, client, trace_ids=[f"{otel.all()[0].context.trace_id:032x}"])
    ((request_id, score),) = scores.items()
    assert score == 0.5
    assert request_id in routed["attributes"]


def learned(router: Any, client: Client, **which: Any) -> None:
    """As on the page."""
    spans = {span["context"]["span_id"]: span for span in client.spans.get_spans(project_identifier="default", **which)}
    for note in client.spans.get_span_annotations(spans=spans.values(), project_identifier="default"):
        told = spans[note["span_id"]]["attributes"]
        request_id = told.get("capability_router.request_id") or told.get("metadata.router_request_id")
        if request_id and note["result"]["score"] is not None:
            router.feedback(request_id, note["result"]["score"])
