"""Trials compared: what the intervals say, against numbers worked out elsewhere."""

from __future__ import annotations

import json
from math import comb
from pathlib import Path
from random import Random
from statistics import NormalDist, fmean, stdev
from typing import Any

import pytest
from click.testing import CliRunner
from unit.report.decisions import BEGAN, attempt, decision

from capability_router.cli.main import main
from capability_router.decision_log.reading import DecisionLog, parse_log
from capability_router.report import trial_records
from capability_router.report.data import ReportData
from capability_router.report.trials import Comparison, compared
from capability_router.stats.interval import between, mean, quantile, within
from capability_router.telemetry.records import feedback_record


def row(n: int, *, canary: bool | None = None, pico: int = 100, took: float = 1.0, **more: Any) -> dict[str, Any]:
    mark = {} if canary is None else {"canary": canary, "policy": "cheapest" if canary else "adaptive"}
    return decision(float(n), attempt("a/one", pico=pico, took=took), request_id=f"id-{n}", **{**mark, **more})


def only(*rows: dict[str, Any], feedback: Any = (), shadows: Any = (), scores: Any = ()) -> Comparison:
    (found,) = compared(DecisionLog(list(rows), list(feedback), shadows=list(shadows), shadow_scores=list(scores)))
    return found


def line(found: Comparison, name: str) -> Any:
    return next(line for line in found.lines if line.name.startswith(name))


# -- intervals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("freedom", "known"), [(10, 2.2281), (19, 2.0930), (30, 2.0423), (120, 1.9799), (1e9, 1.96)])
def test_students_t_is_that_of_the_tables(freedom: float, known: float) -> None:
    assert quantile(freedom) == pytest.approx(known, abs=1e-3)


def test_without_sessions_it_is_the_textbooks_mean() -> None:
    values = [Random(1).gauss(5, 2) for _ in range(1)] + [float(n % 7) for n in range(99)]
    found = mean((str(n), value) for n, value in enumerate(values))
    assert found is not None
    assert found.value == pytest.approx(fmean(values))
    assert found.error == pytest.approx(stdev(values) / len(values) ** 0.5)
    span = within(found)
    assert span.high is not None
    assert span.high - found.value == pytest.approx(1.98422 * found.error, rel=1e-4)  # t at 99 degrees of freedom


def test_requests_of_one_session_count_as_one() -> None:
    values = [(str(n), float(n % 2)) for n in range(40)]
    alone, tenfold = mean(values), mean([value for value in values for _ in range(10)])
    assert alone is not None
    assert tenfold is not None
    assert (tenfold.value, tenfold.requests, tenfold.sessions) == (alone.value, 400, 40)
    assert tenfold.error == pytest.approx(alone.error)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    chance, held = Random(7), 0
    for _ in range(1_000):
        arms = []
        for centre in (0.0, 0.5):
            sessions = [(str(s), chance.gauss(centre, 1)) for s in range(30)]
            arms.append(mean((s, mid + chance.gauss(0, 0.5)) for s, mid in sessions for _ in range(1 + int(s) % 4)))
        assert arms[0] is not None
        assert arms[1] is not None
        span = between(arms[0], arms[1])
        assert span.low is not None
        assert span.high is not None
        held += span.low <= 0.5 <= span.high
    spread = NormalDist().inv_cdf(0.999) * (0.95 * 0.05 / 1_000) ** 0.5
    assert 0.95 - spread - 0.01 < held / 1_000 < 0.95 + spread + 0.01


@pytest.mark.parametrize("length", [1, 20])
@pytest.mark.parametrize("share", [0.8, 0.95, 0.995])
def test_the_interval_of_a_share_holds_it_as_often_as_it_says_whatever_the_length_of_sessions(
    length: int, share: float
) -> None:
    """A whole session fails or none of it: what a request more or less would say is nothing beside that."""
    held = 0.0
    for up in range(61):
        found = mean([(str(n), float(n < up)) for n in range(60)] * length, (0.0, 1.0))
        assert found is not None
        span = within(found)
        assert span.low is not None
        assert span.high is not None
        held += (span.low <= share <= span.high) * comb(60, up) * share**up * (1 - share) ** (60 - up)
    assert held > 0.94


# -- a canary -------------------------------------------------------------------------------------


def arms(number: int, cheap: int = 50) -> list[dict[str, Any]]:
    return [row(n, canary=bool(n % 2), pico=(cheap if n % 2 else 100) * 10**6 + n % 5) for n in range(number)]


def test_a_canary_that_costs_less_is_told_to() -> None:
    found = only(*arms(200))
    assert (found.kind, found.now, found.other) == ("canary", "adaptive", "cheapest")
    cost = line(found, "cost")
    assert (cost.reads, cost.requests) == ("lower", (100, 100))
    assert cost.difference.value == pytest.approx(-50e-6, rel=1e-3)
    assert cost.difference.low < -50e-6 < cost.difference.high


def test_all_answered_on_both_sides_is_no_certainty() -> None:
    found = line(only(*arms(200)), "answered")
    assert (found.now, found.other, found.difference.value, found.reads) == (1.0, 1.0, 0.0, "no difference shown")
    assert found.difference.low < -0.02 < 0.02 < found.difference.high


def test_a_canary_that_answers_less_is_told_to() -> None:
    rows = [
        decision(
            float(n), attempt("a", "overloaded" if n % 2 and n % 5 else None), request_id=f"{n}", canary=bool(n % 2)
        )
        for n in range(200)
    ]
    assert line(only(*rows), "answered").reads == "lower"


def test_scores_are_those_of_the_feedback() -> None:
    feedback = [{"request_id": f"id-{n}", "score": 0.9 if n % 2 else 0.5 + n % 3 / 10} for n in range(100)]
    found = line(only(*arms(200), feedback=feedback), "score")
    assert (found.requests, found.reads) == ((50, 50), "higher")
    assert not [line for line in only(*arms(200)).lines if line.name == "score"]


def test_thumbs_all_up_on_a_small_side_are_no_lead() -> None:
    """Of 25 thumbs at 0.97 all are up in every second log; the 475 others show 14 down."""
    rows = [row(n, canary=n < 25) for n in range(500)]
    feedback = [{"request_id": f"id-{n}", "score": float(n < 25 or n % 33 > 0)} for n in range(500)]
    found = line(only(*rows, feedback=feedback), "score")
    assert (found.other, found.reads) == (1.0, "no difference shown")


def test_few_sessions_are_too_few_however_many_requests_they_have() -> None:
    rows = [{**each, "session": f"s{n % 10}"} for n, each in enumerate(arms(400))]
    found = line(only(*rows), "cost")
    assert (found.reads, found.difference.low) == ("too few: 5 of 20 sessions", None)


def test_one_arm_alone_is_compared_with_nothing() -> None:
    found = only(*[row(n, canary=True) for n in range(50)])
    assert found.lines == ()
    assert found.told == ("50 requests of 50 requests went to the canary: 50 sessions of 50.",)


def ramped(number: int) -> list[dict[str, Any]]:
    """A tenth of the sessions first, then half of them; each comes in both halves of the log."""
    rows = []
    for n in range(number):
        share, session = (0.1, 0.5)[n >= number // 2], n % (number // 2)
        taken = session % 10 < share * 10
        rows.append(row(n, canary=taken, session=f"s{session}", basis={"canary_share": share}))
    return rows


def test_a_share_that_changed_and_sessions_in_both_arms_are_told(tmp_path: Path) -> None:
    (found,) = json.loads(run(tmp_path, ramped(200), "--trials", "--json").stdout)
    assert found["told"][0] == "60 requests of 200 requests went to the canary: 50 sessions of 100."
    assert found["told"][1].startswith("40 sessions had requests in both arms")
    assert "share changed (0.1, 0.5)" in found["told"][2]
    assert (found["in_both"], found["shares"]) == (40, [0.1, 0.5])


def test_of_a_share_that_stays_nothing_more_is_told() -> None:
    rows = [{**each, "basis": {"canary_share": 0.5}} for each in arms(100)]
    assert only(*rows).told == ("50 requests of 100 requests went to the canary: 50 sessions of 100.",)


# -- a shadow -------------------------------------------------------------------------------------


def beside(n: int, *, differs: bool, **more: Any) -> dict[str, Any]:
    plan = {"task": "chat", "candidates": [{"id": "a", "cost_usd": 1.0 + n % 3, "quality": 0.8, "latency_s": None}]}
    told = {"cost_usd": (0.5 if differs else 1.0) + n % 3, "quality": 0.8 - 0.1 * differs, "latency_s": 1.0}
    shadow = {"policy": "cheapest", "chosen": "b" if differs else "a", "differs": differs, "sampled": True, **told}
    return row(n, plan=plan, shadow=shadow, **more)


def test_pairs_tell_what_two_sets_would_not() -> None:
    found = only(*[beside(n, differs=n % 4 == 0) for n in range(100)])
    assert (found.kind, found.now, found.other) == ("shadow", "adaptive", "cheapest")
    assert found.facts["agreement"] == 0.75
    low, high = found.facts["agreement_interval"]
    assert 0.64 < low < 0.68
    assert 0.81 < high < 0.84
    cost, quality = line(found, "predicted cost"), line(found, "predicted quality")
    assert (cost.reads, cost.difference.value) == ("lower", pytest.approx(-0.125))
    assert cost.difference.high < -0.07  # costs themselves spread by 0.8
    assert (quality.reads, quality.difference.value) == ("lower", pytest.approx(-0.025))
    assert not [each for each in found.lines if "latency" in each.name or "called" in each.name]


def test_calls_of_a_shadow_are_compared_with_their_requests() -> None:
    rows = [beside(n, differs=True, pico=100 * 10**6, took=2.0) for n in range(40)]
    made = [{**row(n, pico=(60 + n % 2) * 10**6, took=1.0 + n % 2), "kind": "shadow"} for n in range(30)]
    found = only(*rows, shadows=made)
    cost, time, answered = (
        line(found, name) for name in ("cost, USD, called", "latency, s, called", "answered, called")
    )
    assert (cost.requests, cost.reads, cost.difference.value) == ((30, 30), "lower", pytest.approx(-39.5e-6))
    assert (time.reads, time.difference.value) == ("lower", pytest.approx(-0.5))
    assert (answered.difference.value, answered.reads) == (0.0, "no difference shown")
    assert "The shadow was called for 30 requests where they differed." in found.told


def test_scores_of_both_answers_are_compared_in_pairs() -> None:
    rows = [beside(n, differs=True) for n in range(40)]
    made = [{**row(n), "kind": "shadow"} for n in range(35)]
    ids = [each["request_id"] for each in rows]
    by = [{"request_id": id, "score": 0.1 + 0.8 * (n % 2), "source": "evaluator"} for n, id in enumerate(ids)]
    scores = [{"request_id": id, "score": 0.2 + 0.7 * (n % 2)} for n, id in enumerate(ids[:32])]
    users = [{"request_id": id, "score": 0.0, "source": "user"} for id in ids[32:]]
    found = only(*rows, shadows=made, feedback=[*by, *users], scores=scores)
    score = line(found, "score, called")
    assert (score.requests, score.now, score.other) == ((32, 32), pytest.approx(0.5), pytest.approx(0.55))
    assert score.difference.value == pytest.approx(0.05)
    assert score.difference.low is not None
    assert score.difference.low > -0.1, "the answers themselves are 0.8 apart"
    assert "An evaluator scored both answers of 32 of them." in found.told
    assert found.facts["scored"] == 32


def scored_pairs(pairs: list[tuple[float, float]]) -> Any:
    rows = [beside(n, differs=True) for n in range(len(pairs))]
    own = [
        {"request_id": r["request_id"], "score": a, "source": "evaluator"}
        for r, (a, _) in zip(rows, pairs, strict=True)
    ]
    others = [{"request_id": r["request_id"], "score": b} for r, (_, b) in zip(rows, pairs, strict=True)]
    made = [{**row(n), "kind": "shadow"} for n in range(len(pairs))]
    return line(only(*rows, shadows=made, feedback=own, scores=others), "score, called")


def test_scores_between_0_and_1_have_the_interval_of_their_own_differences() -> None:
    chance = Random(3)
    pairs = [(0.9 + chance.uniform(-0.02, 0.02), 0.85 + chance.uniform(-0.02, 0.02)) for _ in range(40)]
    own = mean((str(n), b - a) for n, (a, b) in enumerate(pairs))
    assert own is not None
    found, plain = scored_pairs(pairs), within(own)
    assert (found.difference.low, found.difference.high) == (pytest.approx(plain.low), pytest.approx(plain.high))
    assert found.reads == "lower"


def test_scores_that_are_all_0_or_1_are_widened() -> None:
    found = scored_pairs([(1.0, 1.0)] * 40)
    assert (found.difference.value, found.reads) == (0.0, "no difference shown")
    assert found.difference.low < -0.05 < 0.05 < found.difference.high


def test_a_users_score_is_not_paired_with_an_evaluators() -> None:
    rows = [beside(n, differs=True) for n in range(30)]
    made = [{**row(n), "kind": "shadow"} for n in range(30)]
    users = [{"request_id": each["request_id"], "score": 1.0, "source": "user"} for each in rows]
    scores = [{"request_id": each["request_id"], "score": 0.0} for each in rows]
    found = only(*rows, shadows=made, feedback=users, scores=scores)
    assert not [each for each in found.lines if each.name.startswith("score")]


def test_decisions_that_failed_are_counted() -> None:
    broken = {"policy": "cheapest", "chosen": None, "error": "ZeroDivisionError"}
    found = only(*[beside(n, differs=False) for n in range(30)], row(30, shadow=broken))
    assert found.told[-1] == "The shadow had no decision for 1 request: 1 × ZeroDivisionError."
    assert found.facts["agreement"] == 1.0
    assert found.facts["agreement_interval"][0] < 0.95


def test_few_pairs_say_so() -> None:
    found = only(*[beside(n, differs=bool(n % 2)) for n in range(10)])
    assert "too few for an interval: 10 of 20 sessions" in found.told[0]
    assert found.facts["agreement_interval"] is None


# -- the command ----------------------------------------------------------------------------------


def run(tmp_path: Path, rows: list[dict[str, Any]], *words: str) -> Any:
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return CliRunner().invoke(main, ["report", str(log), *words], env={"COLUMNS": "100"})


def test_the_command_prints_a_table_and_no_page(tmp_path: Path) -> None:
    told = run(tmp_path, [*arms(200), *[beside(n, differs=bool(n % 2)) for n in range(300, 340)]], "--trials")
    assert told.exit_code == 0
    assert "canary cheapest beside adaptive (Welch's t over sessions)" in told.output
    assert "shadow cheapest beside adaptive (Student's t of paired differences over sessions)" in told.output
    assert max(map(len, told.output.splitlines())) <= 100
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


def test_json_has_the_same_figures(tmp_path: Path) -> None:
    told = json.loads(run(tmp_path, arms(200), "--trials", "--json").output)
    assert told == [json.loads(json.dumps(each.to_dict())) for each in compared(parse_log(map(json.dumps, arms(200))))]
    assert told[0]["lines"][0]["interval"][1] < 0


def test_a_log_without_trials_says_how_to_have_one(tmp_path: Path) -> None:
    told = run(tmp_path, [row(1)], "--trials")
    assert "No request in this log had a canary or a shadow" in told.output
    assert json.loads(run(tmp_path, [row(1)], "--trials", "--json").output) == []


def test_of_long_logs_the_newest_trials_are_compared_and_the_rest_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_records, "MOST", 100)
    scores = [feedback_record(f"id-{n}", "a/one", 1.0, at=BEGAN + 999.0 + n) for n in range(110)]
    told = run(tmp_path, [*(row(n) for n in range(500, 700)), *arms(300)[::-1], *scores], "--trials", "--json")
    (found,) = json.loads(told.stdout)
    assert found["requests"] == [50, 50], "requests without a trial take no room"
    assert line_of(found, "score") is None, "the newest requests have no score"
    assert "200 × older than the newest 100 requests" in told.stderr
    assert "10 × what came of a request, before the newest 100 of its kind" in told.stderr
    monkeypatch.setattr(trial_records, "MOST", 300)
    (found,) = json.loads(run(tmp_path, [*arms(300)[::-1], *scores], "--trials", "--json").stdout)
    assert line_of(found, "score")["requests"] == [55, 55]


def line_of(found: dict[str, Any], name: str) -> Any:
    return next((line for line in found["lines"] if line["name"] == name), None)


def test_calls_of_shadows_are_no_requests_of_the_log() -> None:
    shadow = {**row(1), "kind": "shadow"}
    read = parse_log([json.dumps(row(1)), json.dumps(shadow), json.dumps({**shadow, "attempts": None})])
    assert (len(read.decisions), len(read.shadows), read.unreadable) == (1, 1, 1)


@pytest.mark.parametrize("turned", [False, True])
def test_the_latest_score_of_a_request_counts_in_any_order(turned: bool) -> None:
    rows = [row(n, canary=n % 2 == 0) for n in range(60)]
    feedback = [
        {"schema_version": 1, "kind": "feedback", "at": 2e9 + late, "request_id": f"id-{n}", "score": value}
        for n in range(60)
        for late, value in ((1, 0.25), (2, 0.75))
    ]
    found = line(only(*rows, feedback=reversed(feedback) if turned else feedback), "score")
    assert (found.now, found.other) == (0.75, 0.75)


@pytest.mark.parametrize("turned", [False, True])
def test_an_evaluators_later_score_does_not_replace_a_users_in_the_report(turned: bool) -> None:
    given = [
        {"schema_version": 1, "kind": "feedback", "at": at, "request_id": "x", "score": score, "source": source}
        for at, score, source in ((2e9, 0.25, "user"), (2e9 + 1, 1.0, "evaluator"))
    ]
    assert ReportData.of(reversed(given) if turned else given).scores == {"x": 0.25}


@pytest.mark.parametrize("turned", [False, True])
def test_an_evaluators_later_score_does_not_replace_a_users_in_a_comparison(tmp_path: Path, turned: bool) -> None:
    rows = [row(n, canary=n % 2 == 0) for n in range(60)]
    feedback = [
        {"schema_version": 1, "kind": "feedback", "at": at, "request_id": f"id-{n}", "score": score, "source": source}
        for n in range(60)
        for at, score, source in ((2e9, 0.25, "user"), (2e9 + 1, 1.0, "evaluator"))
    ]
    told = run(tmp_path, [*rows, *(reversed(feedback) if turned else feedback)], "--trials", "--json")
    score = line_of(json.loads(told.stdout)[0], "score")
    assert (score["now"], score["other"]) == (0.25, 0.25)
    score = line(only(*rows, feedback=reversed(feedback) if turned else feedback), "score")
    assert (score.now, score.other) == (0.25, 0.25)
