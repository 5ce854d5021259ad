"""Which spans a request makes, where they hang, and what stands on them."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from typing import Any

import pytest
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import SpanKind, StatusCode
from telemetry.kept import Kept, below, told

from capability_router import (
    AllCandidatesFailed,
    BudgetExceeded,
    ConfigError,
    NoEligibleModel,
    Request,
    StreamInterrupted,
    routing,
)
from capability_router.clock import SystemClock
from capability_router.router import Router
from capability_router.telemetry import sink_thread
from capability_router.telemetry.otel import names
from capability_router.testing import ScriptedEndpoint, ScriptedModel, ask, scripted_router

SECRET, ANSWER = "the prompt's own words", "the answer's own words"


def made(scripts: Any, **settings: Any) -> Router:
    telemetry = {"otel": True, **settings.pop("telemetry", {})}
    return scripted_router(scripts, clock=SystemClock(), telemetry=telemetry, retry={"per_target": 0}, **settings)


def test_what_a_screen_found_stands_on_the_router_s_span_by_its_labels(otel: Kept) -> None:
    keeps = {"a": {"data": {"retention": "zero", "training": False}}}
    router = made({"a": ["ok"]}, cards=keeps, screen=lambda text: ["one", "one", "two"] * ("two" in text))
    ask(router, "one")
    ask(router, "two")
    assert router.flush()
    found = [told(span).get("screen") for span in otel.spans() if span.name == "route router"]
    assert found == [None, ("one", "two")]


def test_a_fallback_below_the_callers_span(otel: Kept) -> None:
    router = made({"a": ["rate_limited:slow down"], "b": ["ok"]})
    with otel.tracer.start_as_current_span("app") as app, routing(tenant="acme", task="sum", tags=["nightly"]):
        run = ask(router)
    assert router.flush()
    route, first, second = otel.spans()
    assert route.parent is not None
    assert route.parent.span_id == app.get_span_context().span_id
    assert (route.name, route.kind, route.status.status_code) == ("route router", SpanKind.INTERNAL, StatusCode.UNSET)
    assert below(route, otel.spans()) == [first, second]
    assert [(s.name, s.kind) for s in (first, second)] == [("chat a", SpanKind.CLIENT), ("chat b", SpanKind.CLIENT)]
    assert (first.status.status_code, second.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert told(first)["error.type"] == "rate_limited"
    outcome = run.outcome
    assert outcome is not None
    assert told(route) == {
        "router": "router", "request_id": outcome.request_id, "policy": "single", "reason": outcome.reason,
        "model": "b", "provider": "scripted", "outcome": "fallback", "fallback": True, "attempts": 2, "refusals": 0,
        "stream": False, "cost_usd": 16e-6, "tenant": "acme", "task": "sum", "tags": ("nightly",), "finish": "stop",
        "gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "router",
        "openinference.span.kind": "CHAIN",
    }  # fmt: skip
    assert told(second) == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "scripted", "gen_ai.request.model": "b",
        "gen_ai.response.finish_reasons": ("stop",), "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 3,
        "attempt": 2, "candidate": "b", "cost_usd": 16e-6, "gen_ai.usage.cost": 16e-6, "llm.cost.total": 16e-6,
        "mlflow.llm.cost": '{"total_cost": 1.6e-05}',
    }  # fmt: skip


def test_the_times_are_those_at_which_things_were(otel: Kept) -> None:
    router = made({"a": ScriptedModel(["timeout"], delay_s=0.02), "b": ScriptedModel(["ok"], delay_s=0.01)})
    with otel.tracer.start_as_current_span("app"):
        run = ask(router)
    router.flush()
    (app,), (route, first, second) = otel.spans("the application"), otel.spans()
    times = [(s.start_time or 0, s.end_time or 0) for s in (route, first, second)]
    assert times[0][0] <= times[1][0] < times[1][1] <= times[2][0] < times[2][1] <= times[0][1]
    outcome = run.outcome
    assert outcome is not None
    assert times[0][1] - times[0][0] == round(outcome.elapsed_s * 1e9)
    assert abs(times[0][0] - (app.start_time or 0)) < 1e9  # both by the wall clock


@pytest.mark.parametrize("stream", [False, True])
def test_no_text_of_prompt_or_answer_is_anywhere(otel: Kept, stream: bool) -> None:
    router = made({"a": ["overloaded"], "b": [f"ok:{ANSWER}"]})
    assert ask(router, Request((SECRET,), stream=stream)).answer == ANSWER  # type: ignore[attr-defined]  # set by ask
    router.flush()
    everything = "".join(span.to_json() for span in otel.spans()) + str(otel.points())
    assert "chat b" in everything
    assert SECRET not in everything
    assert ANSWER not in everything


def test_with_capture_content_the_answering_attempt_has_it(otel: Kept) -> None:
    router = made({"a": ["overloaded"], "b": [f"ok:{ANSWER}"]}, telemetry={"capture_content": True})
    ask(router, Request(("be kind", SECRET, "and now?"), roles=("system", "human")))
    router.flush()
    route, first, second = otel.spans()
    assert not [name for span in (route, first) for name in told(span) if "messages" in name]
    assert json.loads(told(second)["gen_ai.input.messages"]) == [
        {"role": role, "parts": [{"type": "text", "content": text}]}
        for role, text in (("system", "be kind"), ("user", SECRET), ("user", "and now?"))
    ]
    assert json.loads(told(second)["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": ANSWER}], "finish_reason": "stop"}
    ]


def test_nobody_eligible_is_an_error_without_attempts(otel: Kept) -> None:
    router = made({"a": ["ok"]})
    with otel.tracer.start_as_current_span("app"), routing(deny=["a"]), pytest.raises(NoEligibleModel):
        ask(router)
    router.flush()
    (route,) = otel.spans()
    assert (told(route)["outcome"], told(route)["error.type"], told(route)["refusals"]) == (
        "refused", "no_eligible_model", 1,
    )  # fmt: skip
    assert route.status.status_code is StatusCode.ERROR
    assert route.parent is not None


def test_no_answer_at_all_is_the_last_fault(otel: Kept) -> None:
    router = made({"a": ["overloaded"], "b": ["server_error"]})
    with pytest.raises(AllCandidatesFailed):
        ask(router)
    router.flush()
    route, *_ = otel.spans()
    assert (told(route)["outcome"], told(route)["error.type"]) == ("failed", "server_error")


def test_what_was_never_sent_is_told_as_such(otel: Kept) -> None:
    router = made({"a": ["ok"]}, budgets=[{"scope": "global", "limit_usd": 0}])
    with pytest.raises(BudgetExceeded):
        ask(router)
    router.flush()
    (route,) = otel.spans()
    assert (told(route)["outcome"], told(route)["error.type"]) == ("failed", "not_sent")


def test_a_stream_cut_after_its_first_words(otel: Kept) -> None:
    router = made({"a": ["cut:3"], "b": ["ok"]})
    with pytest.raises(StreamInterrupted):
        ask(router, stream=True)
    router.flush()
    route, attempt = otel.spans()
    assert route.status.status_code is attempt.status.status_code is StatusCode.ERROR
    assert told(attempt)["error.type"] == told(route)["error.type"] == "connection"
    assert told(attempt)["gen_ai.response.time_to_first_chunk"] >= 0
    total = router.ledger.total()
    assert told(attempt)["gen_ai.usage.output_tokens"] == total.output_tokens > 0
    assert told(attempt)["estimated"] is True


def test_a_stream_that_its_caller_leaves_is_no_error(otel: Kept) -> None:
    router = made({"a": ["ok"]})
    run = router.start(Request(("hi",), stream=True), ScriptedEndpoint(router.scripted, router.clock, stream=True))  # type: ignore[attr-defined]  # its script
    chunks = iter(run)
    next(chunks)
    chunks.close()
    router.flush()
    route, attempt = otel.spans()
    assert (told(route)["outcome"], told(attempt)["fault"]) == ("cancelled", "cancelled")
    assert route.status.status_code is attempt.status.status_code is StatusCode.UNSET


async def test_the_slower_of_a_hedge_is_no_error_and_overlaps(otel: Kept) -> None:
    models = {"a": ScriptedModel(["ok"], delay_s=5), "b": ScriptedModel(["ok"])}
    router = made(models, hedge={"after_s": 0.01, "extra": 1.0})
    run = router.start(Request(("hi",)), ScriptedEndpoint(models, router.clock))
    with otel.tracer.start_as_current_span("app"):  # after it began: not where it belongs
        _ = [chunk async for chunk in run]
    router.flush()
    route, slow, fast = otel.spans()
    assert route.parent is None
    assert (slow.name, fast.name) == ("chat a", "chat b")
    assert (slow.end_time or 0) > (fast.start_time or 0)
    assert slow.status.status_code is StatusCode.UNSET
    assert (told(slow)["fault"], "error.type" in told(slow)) == ("cancelled", False)


async def test_each_task_and_thread_has_its_own_parent(otel: Kept) -> None:
    router = made({"a": ["ok"]}, name="shared")

    def in_thread(n: int) -> None:
        with otel.tracer.start_as_current_span(f"caller {n}"):
            ask(router)

    async def in_task(n: int) -> None:
        with otel.tracer.start_as_current_span(f"caller {n}"):
            run = router.start(Request(("hi",)), ScriptedEndpoint(router.scripted, router.clock))  # type: ignore[attr-defined]  # its script
            await asyncio.sleep(0)
            _ = [chunk async for chunk in run]

    threads = [threading.Thread(target=in_thread, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(in_task(n) for n in range(8, 16)))
    for thread in threads:
        await asyncio.to_thread(thread.join)
    router.flush()
    spans, callers = otel.spans(), otel.spans("the application")
    assert len(callers) == 16
    for caller in callers:
        (route,) = below(caller, spans)
        (attempt,) = below(route, spans)
        assert {s.context.trace_id for s in (caller, route, attempt)} == {caller.context.trace_id}


def test_without_spans_of_attempts_they_are_events(otel: Kept) -> None:
    router = made({"a": ["overloaded"], "b": ["ok"]}, telemetry={"otel": {"attempts": "never"}})
    ask(router)
    router.flush()
    (route,) = otel.spans()
    events = [(e.name, dict(e.attributes or {})) for e in route.events]
    assert [name for name, _ in events] == ["capability_router.attempt"] * 2
    assert [e["capability_router.candidate"] for _, e in events] == ["a", "b"]
    assert events[0][1]["capability_router.fault"] == "overloaded"


class LangchainInstrumentor(BaseInstrumentor):
    def instrumentation_dependencies(self) -> list[str]:
        return []

    def _instrument(self, **kwargs: Any) -> None:
        pass

    def _uninstrument(self, **kwargs: Any) -> None:
        pass


def test_an_instrumentor_that_keeps_its_span_current_gets_the_decision_below_it(
    otel: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = "opentelemetry.instrumentation.langchain"
    monkeypatch.setitem(sys.modules, scope, sys.modules[__name__])
    router = made({"a": ["overloaded"], "b": ["ok"]})
    instrumentor = LangchainInstrumentor()
    with routing(framework="langchain"):
        instrumentor.instrument()
        with otel.provider.get_tracer(scope).start_as_current_span("langchain.workflow") as theirs:
            ask(router)
        with otel.tracer.start_as_current_span("app") as app:
            ask(router)
        instrumentor.uninstrument()
        router.flush()
        routes = otel.spans()
        parents = [route.parent.span_id for route in routes if route.parent is not None]
        assert parents == [span.get_span_context().span_id for span in (theirs, app)]
        assert [e.name for e in routes[0].events] == ["capability_router.attempt"] * 2
        ask(router)
    router.flush()
    assert "chat b" in [span.name for span in otel.spans()]  # once it is switched off


@pytest.mark.parametrize("scope", ["the application", "opentelemetry.instrumentation.fastapi"])
def test_where_metadata_tell_the_decision_no_span_does(otel: Kept, monkeypatch: pytest.MonkeyPatch, scope: str) -> None:
    monkeypatch.setattr(LangChainInstrumentor, "_instrument", lambda *_, **__: None)
    monkeypatch.setattr(LangChainInstrumentor, "_uninstrument", lambda *_, **__: None)
    router, instrumentor = made({"a": ["ok"]}), LangChainInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    with routing(framework="langchain"), otel.provider.get_tracer(scope).start_as_current_span("POST /orders"):
        ask(router)
    instrumentor.uninstrument()
    router.flush()
    assert otel.spans() == []


def test_an_exporter_that_hangs_or_raises_hinders_no_call(otel: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_thread, "PATIENCE_S", 0.001)
    released = threading.Event()
    otel.hinder.does = released.wait
    router = made({"a": ["ok"]})
    for _ in range(3):
        assert ask(router).outcome is not None  # would not return
    assert otel.spans() == []

    released.set()
    assert router.flush()
    assert len(otel.spans()) == 6

    def broken() -> None:
        raise OSError("no route to the collector")

    otel.hinder.does = broken
    assert ask(router).outcome is not None
    assert router.flush()
    assert router.sinks.dropped == 1
    otel.hinder.does = lambda: None
    ask(router)
    router.flush()
    assert len(otel.spans()) == 8


def test_switched_off_nothing_is_made(otel: Kept) -> None:
    for telemetry in ({}, {"otel": False}, {"otel": {"on": False, "attempts": "always"}}):
        router = scripted_router({"a": ["ok"]}, telemetry=telemetry)
        ask(router)
        router.flush()
    assert otel.spans() == []


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith(("opentelemetry", f"{names.__package__}."))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigError, match=r"opentelemetry-api: install capability-router\[otel\]"):
        made({"a": ["ok"]})


def test_a_bad_setting_is_told() -> None:
    with pytest.raises(ConfigError, match="attempts"):
        made({"a": ["ok"]}, telemetry={"otel": {"attempts": "sometimes"}})


def test_the_names_are_those_of_the_conventions() -> None:
    known = {v for n, v in vars(gen_ai_attributes).items() if n.startswith("GEN_AI_") and isinstance(v, str)}
    ours = {v for n, v in vars(names).items() if n.isupper() and isinstance(v, str) and v.startswith("gen_ai.")}
    metric = {names.DURATION, names.TOKEN_USAGE, names.TO_FIRST_CHUNK}
    assert len(ours) > 12
    assert ours - metric - {names.USAGE_COST} <= known  # for money they have no name


@pytest.mark.parametrize(
    ("provider", "folded", "name"),
    [
        ("openai", "openai", "openai"), ("google_genai", "google", "gcp.gemini"),
        ("google_vertexai", "google", "gcp.vertex_ai"), ("mistralai", "mistral", "mistral_ai"),
        ("grok", "xai", "x_ai"), ("bedrock_converse", "bedrock", "aws.bedrock"),
        ("azure_openai", "azure", "azure.ai.openai"), ("azure_ai_inference", "azure", "azure.ai.inference"),
        ("kimi", "moonshot", "moonshot_ai"), ("ibm", "watsonx", "ibm.watsonx.ai"), ("groq", "groq", "groq"),
    ],
)  # fmt: skip
def test_a_provider_has_the_conventions_name(provider: str, folded: str, name: str) -> None:
    assert names.provider_name(provider, folded) == name
    known = {member.value for member in gen_ai_attributes.GenAiProviderNameValues}
    assert name in {*known, "moonshot_ai"}  # which the conventions' new home has added
