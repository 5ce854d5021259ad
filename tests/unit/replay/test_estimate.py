"""Off-policy estimates: what the formulas of the textbooks give, and no interval where a log supports none."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import pytest
from unit.replay.logs import again, candidate, config, decision, lines, score

from capability_router.replay.estimate import ESTIMATED, Estimate, ScoredChoice, estimates


def lines_of(samples: list[ScoredChoice | None]) -> dict[str, Estimate]:
    return {line.name: line for line in estimates(samples).lines}


def drawn(chance: Random, count: int, share: float, worth: float, *, sessions: int = 0) -> list[ScoredChoice | None]:
    """A log whose pick is `a` (right 7 times of 10), replayed under "always b" (right with a chance of `worth`)."""
    found: list[ScoredChoice | None] = []
    for number in range(count):
        tried = chance.random() < share
        right = float(chance.random() < (worth if tried else 0.7))
        session = f"s{number % sessions}" if sessions else f"r{number}"
        found.append(
            ScoredChoice(session, right, 1 / share if tried else 0.0, True, worth - 0.1, worth - 0.1 if tried else 0.8)
        )
    return found


def test_the_values_are_those_of_the_textbook() -> None:
    samples = [s for s in drawn(Random(1), 400, 0.25, 0.5) if s is not None]
    found = lines_of(list(samples))
    weights = [s.weight for s in samples]
    assert found["logged"].value == pytest.approx(fmean(s.score for s in samples))
    assert found["IPS"].value == pytest.approx(fmean(s.weight * s.score for s in samples))
    assert found["self-normalised"].value == pytest.approx(sum(s.weight * s.score for s in samples) / sum(weights))
    robust = [(s.new or 0) + s.weight * (s.score - (s.old or 0)) for s in samples]
    assert found["doubly robust"].value == pytest.approx(fmean(robust))
    assert found["difference"].value == pytest.approx(fmean(r - s.score for r, s in zip(robust, samples, strict=True)))
    whole = estimates(list(samples))
    assert whole.effective == pytest.approx(sum(weights) ** 2 / sum(w * w for w in weights))
    assert (whole.scored, whole.supported, whole.moved, whole.most_weight) == (400, 400, 400, 4.0)
    assert whole.met == sum(w > 0 for w in weights)
    assert whole.why == ""


def test_where_every_choice_was_certain_all_of_them_are_the_plain_mean() -> None:
    samples: list[ScoredChoice | None] = [
        ScoredChoice(f"r{n}", float(n % 4 > 0), 1.0, False, 0.5, 0.5) for n in range(100)
    ]
    found = estimates(samples)
    assert {line.value for line in found.lines if line.name in ("IPS", "self-normalised", "doubly robust")} == {0.75}
    assert "no scored request changes" in found.why


@pytest.mark.parametrize("worth", [0.5, 0.9, 0.97])
@pytest.mark.parametrize(("count", "share"), [(200, 0.2), (800, 0.1)])
def test_the_intervals_hold_the_truth_as_often_as_they_say(worth: float, count: int, share: float) -> None:
    chance, logs = Random(5), 200
    held = dict.fromkeys(ESTIMATED, 0)
    told = 0
    for _ in range(logs):
        found = estimates(drawn(chance, count, share, worth))
        told += not found.why
        for line in found.lines:
            if line.name in held and line.low is not None and line.high is not None:
                truth = (1 - share) * (worth - 0.7) if line.name == "difference" else worth  # the log tries b too
                held[line.name] += line.low <= truth <= line.high
    assert told > 0.9 * logs
    slack = 3 * math.sqrt(0.05 * 0.95 / told)
    for name, hits in held.items():
        assert hits / told >= 0.95 - slack, (name, hits, told)


def test_without_exploration_no_interval_would_be_right_and_none_is_given() -> None:
    samples = [None if n % 2 else ScoredChoice(f"r{n}", 1.0, 1.0, False, 0.9, 0.9) for n in range(200)]
    found = estimates(samples)
    assert "did not explore" in found.why
    assert (found.scored, found.supported) == (200, 100)
    assert "no request in the log has a score" in estimates([]).why
    assert "explored nothing" in estimates([None] * 50).why


def test_too_few_that_were_met_are_told_as_such() -> None:
    samples: list[ScoredChoice | None] = [
        ScoredChoice(f"r{n}", 1.0, 20.0 if n < 4 else 0.0, True, 0.9, 0.9) for n in range(200)
    ]
    found = estimates(samples)
    assert "too few changed choices" in found.why
    assert "worth 4.0" in found.why
    assert all(line.low is None for line in found.lines)


def test_where_little_changes_it_may_be_worth_anything_and_the_rest_is_known() -> None:
    """A tenth changes, and is never met; where it doesn't, 8 of 10 are right."""
    samples: list[ScoredChoice | None] = [
        ScoredChoice(f"r{n}", float(n % 10 > 2), 0.0, True, 0.5, 0.5) if n % 10 == 3 else
        ScoredChoice(f"r{n}", float(n % 10 > 2), 1.0, False, 0.5, 0.5) for n in range(1_000)
    ]  # fmt: skip
    found = estimates(samples)
    assert found.bounded
    assert not found.why
    lines = {line.name: line for line in found.lines}
    assert list(lines) == ["logged", "IPS", "doubly robust", "difference"]
    for name in ("IPS", "doubly robust"):
        low, high = lines[name].low, lines[name].high
        assert low is not None
        assert high is not None
        assert 0.56 < low < 0.6  # 6 of 10, if none of the changed were right
        assert 0.7 < high < 0.74  # 7 of 10, if all were
        assert low <= lines[name].value <= high
    apart = lines["difference"]
    assert apart.low is not None
    assert apart.high is not None
    assert apart.low <= -0.1  # those that were right and might not be any more
    assert apart.high >= 0.0


def test_a_session_counts_as_one_observation() -> None:
    apart, together = (
        estimates(drawn(Random(3), 2_000, 0.2, 0.6)),
        estimates(drawn(Random(3), 2_000, 0.2, 0.6, sessions=25)),
    )
    assert together.effective <= 25 < apart.effective
    one = {line.name: line for line in together.lines}["IPS"]
    assert one.value == {line.name: line for line in apart.lines}["IPS"].value


def test_scores_that_are_all_alike_do_not_make_an_interval_of_no_width() -> None:
    samples: list[ScoredChoice | None] = [
        ScoredChoice(f"r{n}", 1.0, 4.0 if n % 4 == 0 else 0.0, True, 1.0, 1.0) for n in range(400)
    ]
    for name in ("self-normalised", "doubly robust"):
        line = lines_of(samples)[name]
        assert line.low is not None
        assert line.high is not None
        assert line.low < 0.999
        assert line.high == 1.0


# -- from a log ------------------------------------------------------------------------------------


def explored(number: int, chosen: str, right: float, **plan: Any) -> list[dict[str, Any]]:
    """A pick `b` at nine tenths, or the dearer `a` or `c`, tried."""
    others = [each for each in ("b", "a", "c") if each != chosen]
    cost = {"a": 2e-6, "b": 1e-6, "c": 3e-6}
    ranked = [candidate(each, 0.5, cost[each]) for each in (chosen, *others)]
    return [decision(number, ranked, plan=plan), score(number, right)]


def test_the_chances_of_a_log_are_its_weights(tmp_path: Path) -> None:
    chances = {"b": 0.9, "a": 0.05, "c": 0.05}
    told = [
        line
        for n in range(400)
        for line in explored(
            n, "a" if n % 20 == 7 else "b", float(n % 20 == 7), propensity=0.05 if n % 20 == 7 else 0.9, chances=chances
        )
    ]
    cards = {name: {"price": {"input_mtok": 1, "output_mtok": 1}} for name in ("a", "b", "c")}
    always = config(tmp_path / "a.yaml", {"name": "rules", "rules": [{"then": ["a"]}]}, cards)
    scores = again(lines(tmp_path / "log", *told), always)[1].scores
    assert (scores.scored, scores.supported, scores.moved, scores.met, scores.most_weight) == (400, 400, 400, 20, 20.0)
    found = {line.name: line for line in scores.lines}
    assert found["IPS"].value == pytest.approx(1.0)
    assert found["logged"].value == pytest.approx(0.05)
    assert found["self-normalised"].value == pytest.approx(1.0)
    assert found["doubly robust"].value == pytest.approx(0.5 + 20 * 0.5 / 20)


def test_a_choice_that_had_no_chance_is_left_out_whoever_was_chosen(tmp_path: Path) -> None:
    known = {"chances": {"b": 0.9, "a": 0.1}}
    told = [line for n in range(10) for line in explored(n, "b", 1.0, propensity=0.9, **known)]
    told += [line for n in range(10, 14) for line in explored(n, "a", 1.0, propensity=0.1, **known)]
    cards = {name: {"price": {"input_mtok": 1, "output_mtok": 1}} for name in ("a", "b", "c")}
    always = config(tmp_path / "c.yaml", {"name": "rules", "rules": [{"then": ["c"]}]}, cards)
    scores = again(lines(tmp_path / "log", *told), always)[1].scores
    assert (scores.scored, scores.supported) == (14, 0)


def test_a_record_that_does_not_list_the_chances_says_by_a_small_one_that_others_had_some(tmp_path: Path) -> None:
    told = [line for n in range(30) for line in explored(n, "abc"[n % 3], 1.0, propensity=1 / 3)]
    certain = [line for n in range(30, 40) for line in explored(n, "a", 1.0, propensity=1.0)]
    scores = again(lines(tmp_path / "log", *told, *certain), "cheapest")[1].scores
    assert (scores.scored, scores.supported, scores.met) == (40, 30, 10)
    assert scores.effective_met == pytest.approx(10.0)


def test_trials_of_the_log_are_told_apart_from_changes_of_policy(tmp_path: Path) -> None:
    told = explored(1, "a", 1.0, propensity=0.1, chances={"b": 0.9, "a": 0.1})
    _, found = again(lines(tmp_path / "log", *told), "cheapest")
    assert (found.changed, found.trials) == (1, 1)


def test_what_was_drawn_does_not_sway_a_tie(tmp_path: Path) -> None:
    """Else the new choice would follow the lot, and the weights would be wrong."""
    chances = {"b": 0.8, "a": 0.1, "c": 0.1}
    told = [
        decision(
            n,
            [candidate(each, 0.5, 1e-6) for each in order],
            plan={"chances": chances, "propensity": chances[order[0]]},
        )
        for n, order in enumerate(("bac", "abc", "cba"))
    ]
    made, _ = again(lines(tmp_path / "log", *told), "cheapest")
    assert [each.choice.model for each in made] == ["b", "b", "b"]
