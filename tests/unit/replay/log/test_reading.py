"""Logs are read as far as they go; what is left out is counted, and nothing that a log says is trusted."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.replay.logs import again, candidate, decision, lines, records, score, write

from capability_router.decision_log.file_order import files_of
from capability_router.decision_log.record_validation import flaw
from capability_router.errors import ConfigError
from capability_router.replay.log import replay_log as module
from capability_router.replay.log.parsing import UnreplayableRecord, logged_of
from capability_router.replay.log.replay_log import read
from capability_router.request import Need, Request
from capability_router.routing import Routing
from capability_router.telemetry.jsonl import JsonlSink

GOOD = decision(1, [candidate("a"), candidate("b")])
MOST = 10**400


def test_what_a_router_writes_comes_back(tmp_path: Path) -> None:
    terms = Routing(tenant="acme", task="x", tags=("t",), chain="c", session="s", deny=("large",), max_cost_usd=0.5)
    request = Request(
        ("hello there",), needs=Need.STREAMING, id="1", routing=terms, max_tokens=99, turns=2, stream=True
    )
    (found,) = read([write(tmp_path / "log", [request])]).decisions
    assert found.request.routing == terms
    assert (found.request.needs, found.request.max_tokens, found.request.turns) == (Need.STREAMING, 99, 2)
    assert (found.chosen, found.model, found.id) == ("small", "small", "1")
    assert [(each.model, each.rule) for each in found.refusals] == [("large", "deny")]
    assert found.features.input_tokens > 3
    assert found.features.bucket == "ascii"
    answer = found.answer()
    assert answer is not None
    assert (answer.input_tokens, answer.output_tokens, answer.elapsed_s) == (100, 50, 1.0)
    assert found.cost_pico == answer.cost_pico == 100 * 100_000 + 50 * 400_000
    assert found.at - found.began == 1.0
    assert found.request.texts == ()  # the log has no text


ODD: dict[str, Any] = {
    "no plan": {**GOOD, "plan": None}, "no tokens": decision(1, [candidate("a")], plan={"input_tokens": -5}),
    "a need from the future": decision(1, [candidate("a")], plan={"needs": ["telepathy"]}),
    "a need that is no text": decision(1, [candidate("a")], plan={"needs": [["x"]]}),
    "chosen, and no candidate": decision(1, [candidate("a")], plan={"chosen": "z"}),
    "candidates, and nobody chosen": decision(1, [candidate("a")], plan={"chosen": None}),
    "a chance of nothing": decision(1, [candidate("a")], plan={"propensity": 0}),
    "a chance above 1": decision(1, [candidate("a")], plan={"propensity": 1.5}),
    "chances above 1": decision(1, [candidate("a")], plan={"chances": {"a": 1.0, "b": 0.9}}),
    "chances of others": decision(1, [candidate("a")], plan={"propensity": 0.5, "chances": {"b": 0.5}}),
    "terms that are none": {**GOOD, "terms": {"max_cost_usd": "much"}},
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_a_decision_that_cannot_be_decided_again_is_left_out_with_a_reason(tmp_path: Path, name: str) -> None:
    found = read([lines(tmp_path / "log", ODD[name], decision(2, [candidate("a")]))])
    assert [each.id for each in found.decisions] == ["r2"]
    ((reason, count),) = found.omissions
    assert count == 1
    assert reason.startswith("decisions ")


def test_other_lines_are_counted_by_what_they_are(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "log", '{"kind": "decision", "schema_ver', "[1, 2]", '"text"',
        {"schema_version": 1, "kind": "invoice"}, {"schema_version": 1, "kind": ["x"]},
        {**GOOD, "schema_version": 2}, {**GOOD, "schema_version": True}, {**GOOD, "schema_version": {"x": 1}},
        score(1, 7), score(1, "<b>"), score(1, None), score(99, 1.0), GOOD, GOOD, "[" * 100_000,
        {"schema_version": 1, "kind": "shadow", "request_id": "x"},
    )  # fmt: skip
    with path.open("ab") as file:
        file.write(b"\xff\xfe\x00\n")
    found = read([path])
    assert len(found.decisions) == 1
    assert dict(found.omissions) == {
        "no JSON": 3, "no JSON object": 2, "another kind of record": 2, "another schema version": 3,
        "score is not a number from 0 to 1": 2, "score is missing": 1, "a record that was there before": 1,
        "at is missing": 1, "scores of requests that are not in the log": 1,
    }  # fmt: skip


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20) | st.just(MOST),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, each in inner for path in paths(each, (*at, key)))]


@settings(max_examples=400, deadline=None)
@given(where=st.sampled_from(paths(GOOD)[1:]), junk=JUNK)
def test_whatever_stands_anywhere_a_record_is_read_or_left_out(where: tuple[Any, ...], junk: Any) -> None:
    record = json.loads(json.dumps(GOOD))
    place = record
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = junk
    if flaw(record) is not None:
        return
    try:
        found = logged_of(record, traits=True)
    except UnreplayableRecord:
        return
    assert found.id
    assert 0 <= found.features.input_tokens <= 1e7
    assert all(0.0 < chance <= 1.0 for chance in found.chances.values())
    assert found.chosen == "" or found.seen(found.chosen) is not None


def test_a_path_that_a_log_names_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    os.mkfifo(secret) if hasattr(os, "mkfifo") else secret.mkdir()  # who opened it would wait for ever, or fail
    named = f"file://{secret}"
    record = decision(1, [candidate(str(secret)), candidate(named)], session=str(secret), chain=named)
    record["request"]["media"] = [str(secret)]
    record["embedding"] = {"embedder": str(secret)}
    made, _ = again(lines(tmp_path / "log", record), "cheapest")
    assert made[0].choice.model == str(secret)


def test_rotated_files_are_read_with_their_log_and_gzipped_ones_by_name(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    sink = JsonlSink(path, rotate_mb=0.004, keep=9)
    for number in range(8):
        sink.write(decision(number, [candidate("a")]))
    sink.close()
    assert len(list(tmp_path.glob("decisions.jsonl.*"))) > 1
    packed = tmp_path / "older.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(decision(50, [candidate("a")])).encode()))
    files = files_of([packed, path, path, tmp_path / "decisions.jsonl.1"])
    assert len(files) == len(set(files))
    found = read(files)
    assert [each.id for each in found.decisions] == [*(f"r{n}" for n in range(8)), "r50"]
    assert not found.omissions


def test_a_log_that_was_rotated_just_now_is_there_in_its_older_files(tmp_path: Path) -> None:
    lines(tmp_path / "log.1", GOOD)
    assert len(read(files_of([tmp_path / "log"])).decisions) == 1


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        files_of([tmp_path / "none"])


def test_the_newest_and_those_from_then_on(tmp_path: Path) -> None:
    path = lines(tmp_path / "log", *(decision(n, [candidate("a")]) for n in (4, 1, 3, 2)))
    assert [each.id for each in read([path], limit=2).decisions] == ["r3", "r4"]
    assert [each.id for each in read([path], since=1_800_000_000.0 + 120).decisions] == ["r2", "r3", "r4"]


def test_the_last_score_of_a_request_counts(tmp_path: Path) -> None:
    path = lines(tmp_path / "log", score(1, 0.2, at=20.0), score(1, 0.9, at=10.0), GOOD)
    assert read([path]).scores == {"r1": 0.2}


def test_beyond_a_bound_the_newest_decisions_stay_whichever_file_is_named_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 20)
    old = lines(tmp_path / "old.jsonl", *(decision(n, [candidate("a")]) for n in range(20)))
    new = lines(tmp_path / "new.jsonl", *(decision(n, [candidate("a")]) for n in range(20, 35)))
    files = files_of([new, old])
    assert files == [old, new]
    for order in (files, [new, old]):
        found = read(order)
        assert [each.id for each in found.decisions] == [f"r{n}" for n in range(15, 35)]
        assert sum(count for _, count in found.omissions) == 15
        assert [each.id for each in read(order, limit=2).decisions] == ["r33", "r34"]


def test_no_more_than_so_many_scores_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_SCORES", 3)
    told = [score(n, 0.5, at=100.0 + n) for n in range(1, 6)]
    found = read([lines(tmp_path / "log", *(decision(n, [candidate("a")]) for n in range(1, 6)), *told)])
    assert sorted(found.scores) == ["r3", "r4", "r5"]
    assert [count for reason, count in found.omissions if "before the newest" in reason] == [2]


def test_captured_texts_are_kept_only_where_something_reads_them(tmp_path: Path) -> None:
    path = lines(tmp_path / "log", {**GOOD, "content": {"messages": ["hello", "there"], "answer": "yes"}})
    assert [each.request.texts for each in read([path]).decisions] == [()]
    assert [each.request.texts for each in read([path], traits=True).decisions] == [("hello", "there")]


def test_a_record_without_terms_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "log", [Request(("x",), id="1")])
    (record,) = records(path)
    del record["terms"]
    assert not logged_of(record).terms_recorded


def test_the_draw_of_a_rule_is_no_chance_because_a_replayed_rule_draws_by_the_same_id() -> None:
    drawn = {"policy": "rules", "propensity": 0.9, "chances": {"a": 0.9, "b": 0.1}}
    found = logged_of(decision(1, [candidate("a"), candidate("b")], plan=drawn))
    assert (found.chances, found.stated) == ({"a": 1.0}, False)
