"""The accounts of the approaches on made-up rows, held to what was worked out by hand."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise, product
from math import exp
from pathlib import Path
from random import Random

import pytest

from benchmarks.approaches.anatomy import BACK, FAILED_OVER, FAIR, GONE, LONG_INPUT, OTHERS, SHORT, STRONG, anatomy
from benchmarks.approaches.bounds import (
    Choice,
    ForeseenOutcome,
    cheapest_usd,
    least_p95,
    least_usd,
    quickest_s,
    unseen_p95,
)
from benchmarks.approaches.estimate import estimate
from benchmarks.approaches.fitting import Fit, Trial, asked_of, at_share, best, compared, one_cut
from benchmarks.approaches.fleet_models import FleetModel
from benchmarks.approaches.foreseen import foreseen_p95
from benchmarks.approaches.provider import Outage, RecordedProvider, outages
from benchmarks.approaches.questions import CLASSIFY, READ, Question, RecordedAnswer
from benchmarks.approaches.reach import ReachRow, run_of, tried
from benchmarks.approaches.recorded_simulation import RecordedSimulation
from benchmarks.approaches.sheet import RequestLine, RunSheet, sheet
from benchmarks.approaches.speeds import Speed
from benchmarks.approaches.verdict import beside
from benchmarks.approaches.workload import Mix, PosedQuestion, Workload

ROOT = Path(__file__).parents[2]
GOOD = RecordedAnswer(1.0, 100, 50)
ANSWERS = {"dear": GOOD, "cheap": RecordedAnswer(0.0, 100, 20)}
DEAR = FleetModel("dear", (10.0, 30.0), None, 10_000, 1_000, Speed(1.0, 50.0, ""))
CHEAP = FleetModel("cheap", (1.0, 2.0), (400, 2.0, 4.0), 1_000, 1_000, Speed(0.5, 100.0, ""))


def asked(at: float, extra: int = 0, text: str = "Which of the following is it?") -> PosedQuestion:
    return PosedQuestion(at, READ if extra else CLASSIFY, text, extra, Question("q", CLASSIFY, text, ANSWERS))


def played(members: list[FleetModel], posed: list[PosedQuestion], away: list[Outage], **policy: object) -> RunSheet:
    providers = [RecordedProvider(m, [o for o in away if o.model == m.name], 1, 0.0) for m in members]
    clocks = {"first_token": 12.0}
    return sheet(
        RecordedSimulation(providers, 1, policy=policy or {"name": "single"}, timeouts=clocks).play(posed), away
    )


def test_one_model_costs_what_its_tokens_cost_and_takes_what_its_speed_takes() -> None:
    found = played([DEAR], [asked(10.0 * n) for n in range(4)], [])
    assert found.usd_per_request == pytest.approx((100 * 10 + 50 * 30) / 1e6)
    assert found.usd_per_1k_tokens == pytest.approx(0.0025 / 150 * 1_000)
    assert (found.p50_s, found.p95_s) == pytest.approx((2.005, 2.005))  # 1 s, 100 / 20,000 s, 50 / 50 s
    assert (found.success, found.overall, found.answered, found.favourite) == (1.0, 1.0, 1.0, "dear")


def test_each_model_has_its_own_answer_and_long_inputs_their_own_price() -> None:
    text = "word " * 600
    found = played([DEAR, CHEAP], [asked(0.0), asked(10.0, 500, text)], [], name="cheapest")
    assert found.shares == {"cheap": 1.0}
    assert found.success == 0.0
    short, long = 100 * 1 + 20 * 2, 600 * 2 + 20 * 4
    assert found.usd_per_request == pytest.approx((short + long) / 2 / 1e6)


def test_what_no_window_holds_counts_as_unanswered_and_costs_nothing() -> None:
    found = played([CHEAP], [asked(0.0), asked(10.0, 5_000, "word " * 5_000)], [])
    assert (found.answered, found.requests) == (0.5, 2)
    assert found.usd_per_request == pytest.approx((100 * 1 + 20 * 2) / 1e6)


def test_resilience_is_of_the_favourite_s_outage_alone() -> None:
    away = [Outage("dear", "down", 45.0, 75.0), Outage("cheap", "down", 100.0, 102.0)]
    posed = [asked(10.0 * n) for n in range(20)]
    alone, both = played([DEAR], posed, away), played([DEAR, CHEAP], posed, away)
    assert (alone.resilience, alone.in_outages, alone.answered) == (0.0, 0.25, 0.85)
    assert alone.overall == pytest.approx(0.85)
    assert alone.success == 1.0
    assert (both.resilience, both.in_outages, both.answered) == (1.0, 1.0, 1.0)
    assert both.shares == {"dear": 0.85, "cheap": 0.15}
    assert both.overall == pytest.approx(0.85)


def test_more_than_the_limit_in_a_minute_is_refused_and_counted() -> None:
    provider = RecordedProvider(DEAR._replace(rpm=3), [], 1, 0.0)
    scripts = [provider.play(at, "x", (100, 50)) for at in (0.0, 1.0, 2.0, 3.0, 60.5)]
    refused = [script.fault for script in scripts if script.fault is not None]
    assert [fault.retry_after_s for fault in refused] == [57.0]
    assert provider.refused == 1


def test_the_columns_by_hand() -> None:
    lines = [
        RequestLine(0.0, CLASSIFY, "a", 1.0, 2_000_000_000, 1.0, 500, 0, 1),
        RequestLine(1.0, CLASSIFY, "a", 0.5, 1_000_000_000, 3.0, 500, 2, 3),
        RequestLine(2.0, CLASSIFY, None, 0.0, 1_000_000_000, 9.0, 0, 1, 2),
        RequestLine(3.0, CLASSIFY, "b", 0.0, 0, 2.0, 1_000, 0, 1),
    ]
    found = sheet(lines, [Outage("a", "down", 0.5, 2.5), Outage("b", "down", 2.9, 3.5)])
    assert found.usd_per_request == pytest.approx(0.004 / 3)
    assert found.usd_per_1k_tokens == pytest.approx(0.002)
    assert (found.p50_s, found.p95_s) == (2.0, 3.0)
    assert (found.success, found.overall, found.answered) == (0.5, 0.375, 0.75)
    assert (found.favourite, found.resilience) == ("a", 0.5)
    assert found.in_outages == pytest.approx(2 / 3)
    assert found.limited == 750.0


def test_everybody_is_away_once_and_never_two_together() -> None:
    away = outages(["a", "b", "c"], 5, 300.0)
    assert sorted(o.model for o in away) == ["a", "b", "c"]
    assert all(one.until <= other.since for one, other in pairwise(away))


def test_a_document_is_of_the_part_to_learn_from_and_its_tokens_are_counted() -> None:
    learned = [Question(f"l{i}", CLASSIFY, f"learned {i} " * 50, ANSWERS) for i in range(300)]
    held = [Question(f"h{i}", CLASSIFY, f"held {i}", ANSWERS) for i in range(10)]
    workload = Workload(Mix("made up", (), {READ: 1.0}), learned, held)
    posed = list(workload.posed(1, 10.0))
    assert posed == list(workload.posed(1, 10.0))
    for each in posed:
        assert each.text.endswith(each.question.prompt)
        assert each.text.count("held") == 1
        assert each.extra * 4 >= len(each.text) - len(each.question.prompt) > each.extra * 4 - 4
    assert {each.question.id[0] for each in posed} == {"h"}


def test_an_interval_is_students() -> None:
    found = estimate([1.0, 2.0, 3.0, float("nan")])
    assert found.value == 2.0
    assert found.reach == pytest.approx(4.30 / 3**0.5)


def test_without_the_data_nothing_is_claimed() -> None:
    command = [sys.executable, "-m", "benchmarks.approaches", "--shared", "/nowhere"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - this interpreter, our own module
    assert run.returncode == 2
    assert "NOTHING WAS MEASURED" in run.stderr
    assert run.stdout == ""


def drawn_choices(seed: int, requests: int) -> list[list[Choice]]:
    chance = Random(seed)
    return [
        [Choice(chance.random(), chance.choice((0.0, 0.5, 1.0)), 9 * chance.random(), 1.0, 1.0, 0.0) for _ in range(3)]
        for _ in range(requests)
    ]


@pytest.mark.parametrize("seed", range(8))
def test_no_choice_of_models_is_below_the_bounds(seed: int) -> None:
    choices, points = drawn_choices(seed, 7), 4.0
    able = [pick for pick in product(*choices) if sum(c.score for c in pick) >= points]
    usd = min(sum(c.usd for c in pick) for pick in able)
    assert usd - 0.5 < least_usd(choices, points) <= usd + 1e-9
    soonest = min(max(c.took_s for c in pick) for pick in able)  # of seven not one may be late
    assert least_p95(choices, points) == pytest.approx(soonest, abs=1e-3)


def test_one_in_twenty_may_be_late() -> None:
    slow, quick = Choice(1.0, 1.0, 30.0, 1.0, 1.0, 0.0), Choice(1.0, 1.0, 2.0, 1.0, 1.0, 0.0)
    assert least_p95([[quick]] * 19 + [[slow]], 20.0) == pytest.approx(2.0, abs=1e-3)
    assert least_p95([[quick]] * 18 + [[slow]] * 2, 20.0) == pytest.approx(30.0, abs=1e-3)


def test_speeds_that_are_not_known_are_met_by_their_spread() -> None:
    writes = Choice(1.0, 1.0, 0.0, 1e-9, 2.0, 3.0)  # three seconds of reading, then a median of two
    assert unseen_p95([[writes]], 0.35) == pytest.approx(3.0 + 2.0 * exp(0.35 * 1.645), abs=0.03)
    dearer = writes._replace(writing_s=1.0)
    assert unseen_p95([[writes, dearer]], 0.35) == pytest.approx(3.0 + exp(0.35 * 1.645), abs=0.03)


def line(at: float, took_s: float, *, kind: str = CLASSIFY, model: str | None = "dear", calls: int = 1) -> RequestLine:
    return RequestLine(at, kind, model, 1.0, 10**12, took_s, 100, 0, calls)


def test_of_each_of_the_slowest_it_is_told_why() -> None:
    slow = [
        line(1.0, 9.0, calls=2), line(2.0, 8.0, kind=READ), line(3.0, 7.0), line(4.0, 6.0, model="cheap"),
        line(5.0, 99.0, model=None),
    ]  # fmt: skip
    found = anatomy([*slow, *(line(10.0, 1.0) for _ in range(76))], [], "dear", "cheap")
    assert found.tail == {FAILED_OVER: 0.25, LONG_INPUT: 0.25, STRONG: 0.25, OTHERS: 0.25}


def test_what_was_paid_is_told_by_what_it_was_for() -> None:
    read = [line(at, 1.0, kind=READ, model="cheap") for at in (2.0, 6.5)]
    lines = [line(1.0, 1.0), *read, line(5.0, 1.0, kind=READ), line(6.0, 1.0, kind=READ)]
    away = [Outage("cheap", "down", 5.0, 6.0), Outage("dear", "down", 0.0, 9.0)]
    found = anatomy(lines, away, "dear", "cheap")
    assert found.usd == {SHORT: 0.2, FAIR: 0.4, GONE: 0.2, BACK: 0.2}


def test_documents_alone_take_what_all_but_the_slowest_take() -> None:
    def took(seconds: float, usd: float = 1.0) -> Choice:
        return Choice(usd, 0.0, seconds, 0.0, 0.0, 0.0)

    choices = [[took(5.0), took(9.0, 0.5)], [took(7.0)], [took(3.0)]]
    assert [quickest_s(choices, late) for late in range(4)] == [7.0, 5.0, 3.0, 0.0]
    assert cheapest_usd(choices) == 2.5


def test_who_only_foresees_scores_buys_them_where_they_are_foreseen() -> None:
    """Of a hundred a slow model answers a few rightly, and a quick one none: who can't tell which has to ask it all."""
    quick = Choice(1.0, 0.0, 0.0, 1e-9, 1.0, 0.0, ForeseenOutcome(0.2, 1.0, 1.0))

    def asked(right: float, foreseen: float) -> list[Choice]:
        return [quick, Choice(1.0, right, 0.0, 1e-9, 10.0, 0.0, ForeseenOutcome(foreseen, 1.0, 10.0))]

    for few, least in ((4, 2.24), (7, 8.2)):  # of four all may be late, and one of the others; of seven five
        known = [asked(1.0, 0.9)] * few + [asked(0.0, 0.3)] * (100 - few)
        hidden = [asked(1.0, 0.3)] * few + [asked(0.0, 0.9)] * (100 - few)
        assert foreseen_p95(known, few / 100, 0.35) == pytest.approx(least, abs=0.1)
        assert foreseen_p95(hidden, few / 100, 0.35) == pytest.approx(10.0 * exp(0.35 * 1.645), abs=0.2)
        assert foreseen_p95(known, 0.5, 0.35) == pytest.approx(60.0), "the scores are not to be had"


def test_of_the_settings_that_keep_enough_those_with_the_least_cost_and_p95_are_taken() -> None:
    both, quick, cheap, poor = Fit(0.96, 0.02), Fit(0.96, 0.08), Fit(0.97, 0.01), Fit(0.94, 0.12)
    tried = [
        Trial(both, 0.971, 0.01, 2.0, 4.0), Trial(quick, 0.98, 0.01, 3.0, 3.0), Trial(cheap, 0.98, 0.01, 1.0, 9.0),
        Trial(poor, 0.969, 0.01, 1.0, 3.0),
    ]  # fmt: skip
    assert best(tried) == both
    none = [Trial(cheap, 0.95, 0.01, 2.0, 5.0), Trial(poor, 0.93, 0.01, 1.0, 3.0)]
    assert best(none) == cheap, "none does: the one that keeps most"


def test_each_question_of_the_log_is_either_held_back_or_learned_from() -> None:
    learned = [Question(f"l{i}", CLASSIFY, f"question number {i} of them all", ANSWERS) for i in range(400)]
    workload = Workload(Mix("made up", (), {CLASSIFY: 1.0}), learned, [Question("judged", CLASSIFY, "?", ANSWERS)])
    (cut,) = one_cut(workload)
    assert len(cut.workload.held) > 80
    assert sorted(q.id for q in [*cut.workload.held, *cut.workload.learned]) == sorted(q.id for q in learned)


def test_a_ratio_of_means_is_as_certain_as_there_are_questions() -> None:
    own, other = [1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]
    assert compared(own, other, 4) == pytest.approx(
        (
            0.5,
            0.57735 / 2,
        ),
        abs=1e-4,
    )
    assert compared(own * 9, other * 9, 4)[1] == pytest.approx(0.5071 / 2, abs=1e-4), "asked again they tell no more"
    assert compared(other, other, 4) == (1.0, 0.0)


def test_a_share_is_met_on_foreseen_scores_at_the_least_cost_and_seconds_count() -> None:
    """Of five requests each may be answered better for 1 USD; by how much differs, and one takes its time."""

    def asked(gain: float, seconds: float = 0.0) -> list[Choice]:
        cheap = Choice(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ForeseenOutcome(0.5, 0.0, 0.0))
        return [cheap, Choice(1.0, 1.0, 0.0, 0.0, 0.0, 0.0, ForeseenOutcome(0.5 + gain, 1.0, seconds))]

    requests = [asked(gain / 10, 9.0 if gain == 4 else 0.0) for gain in range(5)]
    share = 3.0 / 3.5  # the best come to 3.5 in all
    assert at_share(asked_of(requests), share, 0.0).tolist() == [0, 0, 0, 1, 1]
    assert at_share(asked_of(requests), share, 0.1).tolist() == [0, 0, 1, 1, 0]


def test_a_model_that_a_request_is_too_long_for_is_not_picked_for_being_free() -> None:
    seen, unforeseen = ForeseenOutcome(0.5, 1.0, 1.0), Choice(9.0, 1.0, 1.0, 1.0, 1.0, 0.0)  # a plan without it
    requests = [[Choice(1.0, 0.5, 1.0, 1.0, 1.0, 0.0, seen), unforeseen], [unforeseen._replace(foreseen=seen)]]
    assert at_share(asked_of(requests), 0.9, 0.9).tolist() == [0, 0]


def test_what_prices_that_are_chosen_afterwards_come_to() -> None:
    """A good slow model and a poor quick one, 20 times: lengths that are known show which answers are soon there."""
    rules = sheet([line(0.0, 10.0)], [])  # 10 s, 1 USD

    def asked(number: int) -> list[Choice]:
        brief = number < 10  # of the slow one's answers: half take 1 s, half 30 s, and 5 s are foreseen of each
        took = 1.0 if brief else 30.0
        good = Choice(2.0, 1.0, took, 0.0, took, 0.0, ForeseenOutcome(0.9, 2.0, 5.0, 5.0, 0.6))
        return [good, Choice(0.5, 0.5, 0.5, 0.0, 0.5, 0.0, ForeseenOutcome(0.5, 0.5, 0.5, 0.5, 0.6))]

    every = [asked(number) for number in range(20)]
    foreseen, known = (list(tried([run_of(every, rules, rules, known=known)])) for known in (False, True))
    assert {(row.success, row.cost) for row in foreseen} == {(1.0, 2.0), (0.5, 0.5)}, "all alike: all or none"
    assert ReachRow(0.75, 1.25, 0.1) in known, "the brief ones to the good model, and nobody is late"
    assert min(row.p95 for row in known if row.success > 0.75) == 3.0


def test_how_likely_an_answer_is_late_is_by_its_own_model_s_spread() -> None:
    rules = sheet([line(0.0, 10.0)], [])  # 0.6 to 0.9 of 10 s is late

    def chance(median_s: float, spread: float) -> float:
        choice = Choice(1.0, 1.0, 1.0, 0.0, 1.0, 0.0, ForeseenOutcome(0.9, 1.0, 5.0, median_s, spread))
        return float(run_of([[choice]], rules, rules, known=False).late[0.6][0, 0])

    assert chance(6.0, 1.3) == pytest.approx(0.5)
    assert chance(3.0, 0.0) == pytest.approx(0.0239, abs=1e-3), "two standard deviations of speeds, log(2) / 0.35"
    assert chance(3.0, 1.3) == pytest.approx(0.3034, abs=1e-3)
    assert chance(1.0, 1.3) < chance(3.0, 1.3)


def test_adaptive_is_told_beside_each_other_in_the_same_runs() -> None:
    own, other = sheet([line(0.0, 1.0)], []), sheet([line(0.0, 4.0), line(0.0, 4.0)], [])
    assert list(beside({"rules": [other], "adaptive": [own]}))[2:] == ["| rules | 1.0000 | 0.2500 | 1.0000 |"]
    assert len(list(beside({"rules": [other]}))) == 2
