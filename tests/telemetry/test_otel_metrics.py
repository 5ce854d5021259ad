"""What is measured: the same tokens and dollars as in the books, and what a scrape by Prometheus shows of it."""

from __future__ import annotations

import gc
import json
import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from prometheus_client import generate_latest
from telemetry.kept import Kept, summed, told

from capability_router import AllCandidatesFailed, NoEligibleModel, Request, StreamInterrupted, routing
from capability_router.clock import SystemClock
from capability_router.request import Usage
from capability_router.router import Router
from capability_router.telemetry.otel import names
from capability_router.testing import ScriptedEndpoint, ScriptedModel, ask, assert_books_balanced, scripted_router

DASHBOARD = Path(__file__).parents[2] / "docs" / "dashboards" / "capability-router.json"
STEPS = ["ok", "overloaded", "cut:3", "empty", "rate_limited", "ok"]


def made(name: str, scripts: Any, **settings: Any) -> Router:
    settings = {"telemetry": {"otel": True}, "retry": {"per_target": 0}, **settings}
    return scripted_router(scripts, clock=SystemClock(), name=name, **settings)


def busy(router: Router, times: int) -> None:
    for n in range(times):
        with suppress(AllCandidatesFailed, StreamInterrupted):
            ask(router, stream=n % 2 == 0)


def test_sums_of_several_routers_in_many_threads_are_those_of_the_ledgers(otel: Kept) -> None:
    health = {"consecutive": 1_000}
    routers = [
        made(name, {"a": ScriptedModel(STEPS, usage=Usage(n, 2 * n)), "b": ["ok", "overloaded"]}, health=health)
        for name, n in (("first", 7), ("second", 1_000))
    ]
    threads = [threading.Thread(target=busy, args=(router, 12)) for router in routers for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(router.flush() for router in routers)
    points, spans = otel.points(), otel.spans()
    for router in routers:
        assert_books_balanced(router)
        total, own = router.ledger.total(), {"router_router": router.name}
        tokens = points["gen_ai.client.token.usage"]
        assert summed(tokens, token_type="input", **own) == total.input_tokens > 0
        assert summed(tokens, token_type="output", **own) == total.output_tokens > 0
        assert summed(points["capability_router.cost"], **own) == pytest.approx(float(total.cost_usd or 0), rel=1e-12)
        assert summed(points["capability_router.requests"], **own) == 48
        routes = [told(s) for s in spans if s.name == f"route {router.name}"]
        assert len(routes) == 48
        assert sum(r["cost_usd"] for r in routes) == pytest.approx(float(total.cost_usd or 0), rel=1e-12)
        ids = {s.context.span_id for s in spans if s.name == f"route {router.name}"}
        calls = [told(s) for s in spans if s.parent is not None and s.parent.span_id in ids]
        assert len(calls) == total.calls == sum(r["attempts"] for r in routes)
        assert sum(c.get("gen_ai.usage.input_tokens", 0) for c in calls) == total.input_tokens
        counted = [
            p for p in points["gen_ai.client.operation.duration"] if p.attributes[names.OWN + ".router"] == router.name
        ]
        assert sum(p.count for p in counted) == total.calls


def test_a_shadows_calls_are_measured_and_have_a_trace_of_their_own(otel: Kept) -> None:
    dear, cheap = ({"price": {"input_mtok": n, "output_mtok": n}, "max_output_tokens": 100} for n in (10, 1))
    cards = {"strong": dear, "small": cheap}
    shadow = {"name": "cheapest", "execute": 1.0, "budget_usd": 1}
    router = made("shaded", {"strong": ["ok"], "small": ["ok"]}, cards=cards, shadow=shadow)
    with otel.tracer.start_as_current_span("app"):
        run = router.start(
            Request(("hi",)), ScriptedEndpoint(router.scripted, router.clock),  # type: ignore[attr-defined]  # its script
            again=lambda: ScriptedEndpoint(router.scripted, router.clock),  # type: ignore[attr-defined]  # its script
        )  # fmt: skip
        assert "".join(run)
    router.close()
    points = otel.points()
    assert summed(points["capability_router.requests"]) == 1
    assert summed(points["gen_ai.client.token.usage"], token_type="input") == router.ledger.total().input_tokens == 20
    shown = [s for s in otel.spans() if "shadow_of" in told(s)]
    assert [told(s)["shadow_of"] for s in shown] == [run.request.id]
    assert shown[0].parent is None


def test_requests_are_counted_by_how_they_ended(otel: Kept) -> None:
    router = made("ends", {"a": ["ok", "overloaded", "overloaded", "cut:2"], "b": ["ok", "overloaded"]})
    ask(router)
    ask(router)
    with pytest.raises(AllCandidatesFailed):
        ask(router)
    with routing(deny=["a", "b"]), pytest.raises(NoEligibleModel):
        ask(router)
    chunks = iter(
        router.start(Request(("hi",), stream=True), ScriptedEndpoint(router.scripted, router.clock, stream=True))  # type: ignore[attr-defined]  # its script
    )
    next(chunks)
    chunks.close()
    router.flush()
    counted = otel.points()["capability_router.requests"]
    assert {p.attributes["capability_router.outcome"]: p.value for p in counted} == {
        "answered": 1, "fallback": 1, "failed": 1, "refused": 1, "cancelled": 1,
    }  # fmt: skip


def test_time_to_first_chunk_is_of_streams_alone(otel: Kept) -> None:
    router = made("streams", {"a": ["ok"]})
    ask(router)
    router.flush()
    assert "gen_ai.client.operation.time_to_first_chunk" not in otel.points()
    ask(router, stream=True)
    router.flush()
    (point,) = otel.points()["gen_ai.client.operation.time_to_first_chunk"]
    assert point.count == 1


def test_what_the_conventions_want_beside_each_value(otel: Kept) -> None:
    router = made("beside", {"a": ["overloaded"], "b": ["ok"]})
    ask(router)
    router.flush()
    points = otel.points()
    failed, well = sorted(
        points[gen_ai_metrics.GEN_AI_CLIENT_OPERATION_DURATION], key=lambda p: p.attributes[names.REQUEST_MODEL]
    )
    assert (failed.attributes["error.type"], "error.type" in well.attributes) == ("overloaded", False)
    for point in (failed, well, *points[gen_ai_metrics.GEN_AI_CLIENT_TOKEN_USAGE]):
        assert {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"} <= set(point.attributes)
    assert (well.explicit_bounds[0], round(well.explicit_bounds[-1], 2)) == (0.01, 81.92)
    assert points[gen_ai_metrics.GEN_AI_CLIENT_TOKEN_USAGE][0].explicit_bounds[-1] == 4**13


def gauge(otel: Kept, name: str, router: str) -> dict[str, float]:
    found = [p for p in otel.points().get(name, []) if p.attributes["capability_router.router"] == router]
    return {
        str(p.attributes.get("capability_router.candidate") or p.attributes["capability_router.scope"]): p.value
        for p in found
    }


def test_breakers_and_budgets_are_read_when_they_are_asked_for(otel: Kept) -> None:
    caps = [{"scope": "global", "limit_usd": 1, "window": "day"}]
    router = made("kept", {"a": ["ok"], "b": ["ok"]}, budgets=caps, cards={"a": {"max_output_tokens": 10}})
    other = made("other", {"a": ["ok"]})
    assert gauge(otel, "capability_router.breaker.state", "kept") == {"a": 0, "b": 0}
    router.isolate("b")
    ask(router)
    assert gauge(otel, "capability_router.breaker.state", "kept") == {"a": 0, "b": 3}
    assert gauge(otel, "capability_router.breaker.state", "other") == {"a": 0}
    (row,) = router.budgets.rows()
    assert gauge(otel, "capability_router.budget.left", "kept") == {"global": row["left_usd"]}
    assert row["left_usd"] == pytest.approx(1 - 16e-6)
    del router, other
    gc.collect()
    assert gauge(otel, "capability_router.breaker.state", "other") == {}


def test_what_a_sink_loses_is_measured(otel: Kept) -> None:
    def broken(record: Any) -> None:
        raise OSError("disk full")

    router = made("lossy", {"a": ["ok"]})
    router.add_sink(broken)
    busy(router, 3)
    assert router.flush()
    lost = summed(otel.points()["capability_router.records.dropped"], router_router="lossy")
    assert lost == router.sinks.dropped == 3


@pytest.mark.parametrize("troubled", [0, 1, 2])
def test_of_routers_with_one_name_the_worst_is_told(otel: Kept, troubled: int) -> None:
    caps = [{"scope": "global", "limit_usd": 1, "window": "day"}]
    routers = [
        made("alike", {"a": ["ok"], "b": ["ok"]}, budgets=caps, cards={"a": {"max_output_tokens": 10}})
        for _ in range(3)
    ]
    routers[troubled].isolate("b")
    ask(routers[troubled])
    assert gauge(otel, "capability_router.breaker.state", "alike") == {"a": 0, "b": 3}
    (row,) = routers[troubled].budgets.rows()
    assert gauge(otel, "capability_router.budget.left", "alike") == {"global": row["left_usd"]}
    assert row["left_usd"] < 1


def test_every_query_of_the_dashboard_is_of_a_metric_and_labels_that_prometheus_gets(otel: Kept) -> None:
    router = made("shown", {"a": ["overloaded"], "b": ["ok"]}, budgets=[{"scope": "global", "limit_usd": 1}])
    ask(router, stream=True)
    router.flush()
    scraped = generate_latest().decode()
    series = {line.partition("{")[0] for line in scraped.splitlines() if not line.startswith("#")}
    labels = set(re.findall(r'[{,](\w+)="', scraped))
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    queries += [v["query"]["query"] for v in board["templating"]["list"] if v["type"] == "query"]
    asked = {name for query in queries for name in re.findall(r"\b(?:gen_ai|capability_router)_\w+(?=\{|,)", query)}
    assert len(queries) > 8
    assert all(re.search(r"(gen_ai|capability_router)_", query) for query in queries)
    assert asked - labels <= series
    grouped = {
        label for query in queries for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(", ")
    }
    matched = {label for query in queries for label in re.findall(r'(\w+)(?==~?"|!~?=")', query)}
    assert grouped | matched <= labels
    shown = {name.partition("{")[0] for name in series if name.startswith(("gen_ai_", "capability_router_"))}
    ends = ("_bucket", "_count", "_sum", "_created")
    families = {next((s.removesuffix(e) for e in ends if s.endswith(e)), s) for s in shown}
    assert all(any(family in query for query in queries) for family in families - {"capability_router_requests"})
