from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from unit.report.decisions import BEGAN, attempt, decision

from capability_router.report.data import ReportData
from capability_router.report.figures import OTHERS, accounts, incidents, leading, refusals, span, spent, sums, total
from capability_router.report.request_row import RequestRow
from capability_router.stats.percentile import percentile, percentiles


def decisions(records: Iterable[dict[str, Any]]) -> list[RequestRow]:
    return ReportData.of(records).requests


def test_requests_come_in_the_order_of_their_start_whatever_that_of_the_ends() -> None:
    slow, quick = decision(0, attempt("a", took=9)), decision(2, attempt("a", took=1))
    rows = decisions([quick, slow])
    assert [row.start_s - BEGAN for row in rows] == [0.0, 2.0]
    assert span(rows) == (BEGAN, BEGAN + 9.0)


def test_a_failed_attempt_counts_for_its_own_model_and_its_cost_for_the_request() -> None:
    tried = [attempt("a", "timeout", took=2, pico=5), attempt("b", start=2, took=1, pico=7)]
    rows = decisions([decision(0, *tried)])
    by_model = accounts(rows)
    assert (by_model["a"].failed, by_model["a"].answered, by_model["a"].cost_pico) == (1, 0, 5)
    assert (by_model["b"].failed, by_model["b"].answered, by_model["b"].cost_pico) == (0, 1, 7)
    assert by_model["b"].latencies == [1.0], "its own time; that it was asked late is not its doing"
    assert by_model["b"].rescued == 1
    assert by_model["a"].faults == {"timeout": 1}
    assert by_model["a"].latencies == []
    assert list(by_model) == ["b", "a"]  # the dearest first
    whole = total(rows)
    assert (whole.cost_pico, whole.fallbacks, whole.failed_attempts, whole.answered) == (12, 1, 1, 1)


def test_a_request_that_nobody_answered_has_no_latency() -> None:
    whole = total(decisions([decision(0, attempt("a", "connection", took=30)), decision(1, attempt("a", took=2))]))
    assert (whole.requests, whole.answered, whole.latency_s(0.95)) == (2, 1, 2.0)


def test_sums_by_tenant() -> None:
    paid = ((3, "acme"), (5, "globex"), (4, "acme"))
    rows = decisions(decision(i, attempt("a", pico=pico), tenant=who) for i, (pico, who) in enumerate(paid))
    by_tenant = sums(rows, lambda row: row.tenant)
    assert {name: (s.requests, s.cost_pico) for name, s in by_tenant.items()} == {"acme": (2, 7), "globex": (1, 5)}


def test_the_recognised_task_stands_in_for_an_unstated_one() -> None:
    stated, recognised = decisions([decision(0, task="mine"), decision(1)])
    assert (stated.task, recognised.task) == ("mine", "chat")


def test_an_incident_runs_from_the_first_failure_to_the_next_answer() -> None:
    rows = decisions([
        decision(0, attempt("a", took=1)),
        decision(2, attempt("a", "connection", took=0.5), attempt("b", start=0.5)),
        decision(4, attempt("a", "timeout", took=0.5), attempt("b", start=0.5)),
        decision(6, attempt("a", "connection", took=0.5), attempt("b", start=0.5)),
        decision(9, attempt("a", took=1)),
    ])  # fmt: skip
    (found,) = incidents(rows)
    assert (found.model, found.start_s, found.end_s) == ("a", BEGAN + 2.0, BEGAN + 10.0)
    assert found.faults == (("connection", 2), ("timeout", 1))


def test_an_incident_without_a_later_answer_is_open() -> None:
    tries = [decision(t, attempt("a", "server_error"), attempt("b", start=1)) for t in (0, 3)]
    assert incidents(decisions(tries))[0].end_s is None


def test_one_failure_or_a_fault_of_the_request_is_no_incident() -> None:
    once = [decision(0, attempt("a", "connection"), attempt("b", start=1)), decision(3, attempt("a"))]
    own_fault = [decision(t, attempt("a", "context_overflow"), attempt("b", start=1)) for t in (0, 3)]
    assert incidents(decisions(once)) == []
    assert incidents(decisions(own_fault)) == []


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_enough_values_do_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(v <= found for v in values) >= math.ceil(share * len(values)) - 1e-9
    assert sum(v < found for v in values) < share * len(values) + 1e-9


def test_no_values_no_percentile() -> None:
    assert percentile([], 0.95) is None
    assert percentiles([3.0, 1.0, 2.0], 0.5, 0.99) == [2.0, 3.0]


def test_a_first_tokens_time_is_known_of_streams_alone() -> None:
    told = {**attempt("a", took=2), "ttft_s": 0.5}
    (account,) = accounts(decisions([decision(0, told, stream=True), decision(5, told, stream=False)])).values()
    assert (account.ttfts, account.latencies) == ([0.5], [2.0, 2.0])


def test_refusals_are_counted_by_request_and_rule() -> None:
    window, tools = {"rule": "context_window", "detail": "d"}, {"rule": "tool_calling", "detail": "d"}
    both = [{"model": "a", **window}, {"model": "b", **window}, {"model": "b", **tools}]
    unserved = {**decision(5), "attempts": [], "model": None, "plan": {"refusals": both[:1]}}
    found = refusals(decisions([decision(0, plan={"refusals": both}), decision(3), unserved]))
    assert {rule: (r.requests, r.unserved) for rule, r in found.items()} == {
        "context_window": (2, 1), "tool_calling": (1, 0),
    }  # fmt: skip
    assert found["context_window"].models == {"a": 2, "b": 1}


def test_money_by_name_and_time_and_who_is_told_apart() -> None:
    rows = decisions(decision(i, attempt("a", pico=i + 1), tenant=f"t{i}") for i in range(4))
    found = spent(rows, lambda row: [(row.tenant, row.cost_pico)], lambda at: int(at - BEGAN) // 2)
    assert found["t3"] == {1: 4}
    kept = leading(found, 2)
    assert {name: own.total() for name, own in kept.items()} == {"t3": 4, "t2": 3, OTHERS: 3}
