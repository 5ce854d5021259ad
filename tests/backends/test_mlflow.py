"""MLflow's own server: what it shows of routed calls by its autologging, and of the router's spans over OTLP."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import mlflow
import pytest
from adapters.otel_fleet import SECRET, WAYS, Fleet
from backends.drawn import drawn, stands_in
from backends.mlflow_reading import shown, traces
from backends.served import Served
from backends.work import asked, fleet_of, switched_on
from mlflow.entities import AssessmentSource
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from telemetry.kept import Kept

pytestmark = [  # what these packages use of each other
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
INSTRUMENTORS = {"langchain": LangChainInstrumentor, "llamaindex": LlamaIndexInstrumentor}
Autolog = Callable[..., None]
LOGS: dict[str, Autolog] = {  # their modules warn when they are loaded
    "langchain": lambda **how: mlflow.langchain.autolog(**how),
    "llamaindex": lambda **how: mlflow.llama_index.autolog(**how),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("mlflow")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1",
               "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]  # fmt: skip
    made = Served(command, "/health", folder, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
    mlflow.set_tracking_uri(made.url)
    yield made
    made.close()


@pytest.fixture
def experiment(server: Served, request: pytest.FixtureRequest) -> str:
    return str(mlflow.set_experiment(request.node.name).experiment_id)


@pytest.fixture(params=["langchain", "llamaindex"])
async def fleet(request: pytest.FixtureRequest) -> AsyncIterator[Fleet]:
    async with fleet_of(request.param) as made:
        yield made


@pytest.fixture
def over_otlp(server: Served, experiment: str, otel: Kept) -> Iterator[str]:
    """An experiment to which the process's spans go."""
    sent = OTLPSpanExporter(f"{server.url}/v1/traces", headers={"x-mlflow-experiment-id": experiment})
    processor = SimpleSpanProcessor(sent)
    otel.provider.add_span_processor(processor)
    yield experiment
    processor.shutdown()
    otel.provider._active_span_processor._span_processors = otel.provider._active_span_processor._span_processors[:-1]


def agrees(trace: Any, total: Any, priced: bool) -> None:
    told = trace.info
    assert (told.token_usage["input_tokens"], told.token_usage["output_tokens"]) == (
        total.input_tokens, total.output_tokens,
    )  # fmt: skip
    counted = [span.tokens for span in shown(trace) if span.tokens]
    assert counted == [(total.input_tokens, total.output_tokens)]
    if priced:
        assert told.cost["total_cost"] == pytest.approx(float(total.cost_usd), rel=1e-9)


@pytest.mark.parametrize("way", WAYS)
async def test_the_routers_spans_with_the_ledgers_sums(otel: Kept, over_otlp: str, fleet: Fleet, way: str) -> None:
    llm = fleet.made()
    with otel.tracer.start_as_current_span("app"):
        await fleet.ask(llm, way)
    (trace,) = traces(over_otlp, 4)
    agrees(trace, llm.router.ledger.total(), priced=True)
    assert {span.name: span.kind for span in shown(trace) if span.kind} == {
        f"route {llm.router.name}": "chain", "chat house-small": "chat model", "chat house-large": "chat model",
    }  # fmt: skip
    assert SECRET not in str(trace.to_dict())


async def test_the_tree_of_the_routers_spans_is_that_of_the_page(otel: Kept, over_otlp: str) -> None:
    async with fleet_of("langchain") as fleet:
        with otel.tracer.start_as_current_span("POST /orders"):
            asked(fleet, fleet.made())
    (trace,) = traces(over_otlp, 4)
    tree = drawn(shown(trace))
    print(f"\n{tree}")
    assert stands_in("mlflow.md", tree)


async def test_openinferences_spans_over_otlp(otel: Kept, over_otlp: str, fleet: Fleet) -> None:
    llm = fleet.made()
    with switched_on(INSTRUMENTORS[fleet.kind](), otel.provider):
        asked(fleet, llm)
    (trace,) = traces(over_otlp, len(otel.all()))
    agrees(trace, llm.router.ledger.total(), priced=False)


@pytest.fixture
def logged(experiment: str, fleet: Fleet) -> Iterator[str]:
    LOGS[fleet.kind]()
    yield experiment
    LOGS[fleet.kind](disable=True)


@pytest.mark.parametrize("way", WAYS)
async def test_autologging_shows_each_call_once(otel: Kept, logged: str, fleet: Fleet, way: str) -> None:
    llm = fleet.made()
    await fleet.ask(llm, way)
    (trace,) = traces(logged, 3)
    if (fleet.kind, way) == ("llamaindex", "awaited stream"):
        assert trace.info.token_usage is None  # MLflow 3.17.2 reads none of these, of a model without a router neither
    else:
        agrees(trace, llm.router.ledger.total(), priced=False)
    (root,) = [span for span in trace.data.spans if span.parent_id is None]
    if fleet.kind == "langchain":
        assert (root.attributes["router_model"], root.attributes["router_attempts"]) == ("house-large", 2)
        assert root.attributes["router_cost_usd"] == pytest.approx(float(llm.router.ledger.total().cost_usd))
    assert [span.name for span in otel.spans()][1:] == ["chat house-small", "chat house-large"]  # to another place


async def test_the_tree_of_autologging_is_that_of_the_page(otel: Kept, logged: str, fleet: Fleet) -> None:
    asked(fleet, fleet.made())
    (trace,) = traces(logged, 5)
    tree = drawn(shown(trace))
    print(f"\n{tree}")
    assert stands_in("mlflow.md", tree)


async def test_scores_given_in_mlflow_teach_the_router(otel: Kept, over_otlp: str) -> None:
    async with fleet_of("langchain") as fleet:
        llm, scores = fleet.made(), dict[str, float]()
        llm.router.feedback = scores.__setitem__  # what becomes of a score is seen elsewhere
        asked(fleet, llm)
    (trace,) = traces(over_otlp, 3)
    source = AssessmentSource(source_type="HUMAN", source_id="reader")
    mlflow.log_feedback(trace_id=trace.info.trace_id, name="helpful", value=0.5, source=source)
    learned(llm.router, over_otlp)
    (span,) = otel.spans()[:1]
    assert scores == {(span.attributes or {})["capability_router.request_id"]: 0.5}


def learned(router: Any, experiment: str) -> None:
    """As on the page."""
    for trace in mlflow.search_traces(locations=[experiment], return_type="list"):
        told: dict[str, Any] = {}
        for span in trace.data.spans:
            told |= span.attributes
        request_id = told.get("capability_router.request_id") or told.get("router_request_id")
        for note in trace.search_assessments(name="helpful", type="feedback"):
            if request_id:
                router.feedback(request_id, float(note.value))
