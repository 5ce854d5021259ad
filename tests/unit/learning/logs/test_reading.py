"""Logs as they are found: of real routers, torn, mixed, hostile."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy", reason="what is read is looked at with numpy (the extra `learn`)")

import numpy as np

from capability_router import ConfigError, Request, routing
from capability_router.learning.logs.logged_features import with_text
from capability_router.learning.logs.sample import AGAIN
from capability_router.learning.logs.scored_request import ScoredAnswer
from capability_router.learning.logs.sign_records import MOST_MODELS
from capability_router.learning.logs.training_log import TrainingLog, read
from capability_router.learning.quality.sketch import sketch
from capability_router.learning.quality.surface import NAMES
from capability_router.learning.quality.traits import LABELS, WORDS, traits
from capability_router.telemetry.records import feedback_record, health_record
from capability_router.testing import ask, scripted_router

PROMPT = "the secret recipe, in 3 steps"


def logged(path: Path, *, prompts: int = 1, **telemetry: Any) -> list[str]:
    """A real router's decision log, each answer scored 0.25; the requests' ids."""
    router = scripted_router({"a": ["fine"] * prompts}, telemetry={"jsonl": str(path), **telemetry})
    ids = []
    for i in range(prompts):
        with routing(tenant="acme", tags=["nightly"]):
            request = Request((f"{PROMPT} {i}",))
        ask(router, request)
        router.feedback(request.id, score=0.25)
        ids.append(request.id)
    router.close()
    return ids


def reasons(log: TrainingLog) -> dict[str, int]:
    return dict(log.omissions)


def lines(path: Path, *items: object) -> Path:
    path.write_text("".join(f"{json.dumps(item)}\n" for item in items), encoding="utf-8")
    return path


def decided(id: str, **fields: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "kind": "decision",
        "request_id": id,
        "at": 1_800_000_000.0,
        "elapsed_s": 1.0,
        "attempts": [],
        "model": "a",
        "router": "r",
        "plan": {},
        **fields,
    }


def test_a_router_s_own_log_gives_its_scored_requests(tmp_path: Path) -> None:
    id, *_ = logged(tmp_path / "log.jsonl", prompts=2)
    log = read([tmp_path / "log.jsonl"])
    row = next(row for row in log.rows if row.id == id)
    assert (len(log.rows), log.omissions, row.worded, row.group) == (2, [], False, "router")
    assert row.answers["a"].score == 0.25
    assert row.answers["a"].cost_usd is not None
    assert row.answers["a"].cost_usd > 0
    assert row.size > 5


def test_without_words_the_labels_are_those_of_live_requests(tmp_path: Path) -> None:
    logged(tmp_path / "log.jsonl")
    (row,) = read([tmp_path / "log.jsonl"]).rows
    with routing(tenant="acme", tags=["nightly"]):
        live = sketch(traits(Request((PROMPT,))))
    labels = live.places[live.places >= WORDS]
    assert row.sketch.places.tolist() == labels.tolist()
    assert len(labels) == 2
    assert LABELS > 2
    length = NAMES.index("characters")
    assert abs(row.sketch.surface[length] - live.surface[length]) < 1.0


def test_hashed_words_are_what_a_live_request_shows(tmp_path: Path) -> None:
    logged(tmp_path / "log.jsonl", hashed_words=True)
    text = (tmp_path / "log.jsonl").read_text(encoding="utf-8")
    assert "recipe" not in text
    (row,) = read([tmp_path / "log.jsonl"]).rows
    with routing(tenant="acme", tags=["nightly"]):
        live = sketch(traits(Request((f"{PROMPT} 0",))))
    assert row.worded
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(row.sketch, live, strict=True))


def test_the_last_feedback_counts_whatever_the_order(tmp_path: Path) -> None:
    scores = [feedback_record("x", "a", score, at=at) for score, at in ((0.9, 20.0), (0.1, 10.0))]
    (row,) = read([lines(tmp_path / "f.jsonl", *scores), lines(tmp_path / "d.jsonl", decided("x"))]).rows
    assert row.answers["a"].score == 0.9


@pytest.mark.parametrize("turned", [False, True])
def test_an_evaluator_never_replaces_a_user(tmp_path: Path, turned: bool) -> None:
    given = [
        feedback_record("x", "a", 0.0, at=10.0),
        feedback_record("x", "a", 1.0, at=20.0, source="evaluator"),
        feedback_record("y", "a", 0.5, at=20.0, source="evaluator"),
    ]
    scores = lines(tmp_path / "f.jsonl", *(reversed(given) if turned else given))
    rows = read([scores, lines(tmp_path / "d.jsonl", decided("x"), decided("y"))]).rows
    assert {row.id: row.answers["a"].score for row in rows} == {"x": 0.0, "y": 0.5}


def test_an_answer_that_nobody_scored_is_no_bad_score(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = [{"id": f"{i}", "prompt": f"p {i}", "model": "a", "score": None} for i in range(9)]
    told.append({"id": "9", "prompt": "p 9", "model": "a", "score": 1})
    outcomes = {"id": "o", "prompt": "o", "outcomes": {"a": {"score": None}, "b": {"score": 0.5}}}
    files = [lines(tmp_path / "t.jsonl", *told, outcomes), written_csv(tmp_path / "t.csv", told)]
    for file, rows, unscored in zip(files, ({"9", "o"}, {"9"}), (10, 9), strict=True):
        log = read([file])
        assert ({row.id for row in log.rows}, reasons(log)) == (rows, {"answers without a score": unscored})


@pytest.mark.parametrize(
    ("text", "score"), [("True", 1.0), ("FALSE", 0.0), (" true", 1.0), ("1", 1.0), ("-1", None), ("good", None)]
)
def test_truth_values_of_a_csv_count_one_and_zero(tmp_path: Path, text: str, score: float | None) -> None:
    (tmp_path / "t.csv").write_text(f"model,score\na,{text}\n", encoding="utf-8")
    assert [row.answers["a"].score for row in read([tmp_path / "t.csv"]).rows] == ([] if score is None else [score])


@pytest.mark.parametrize(("cost", "told"), [
    ("0.25", {}), ("0", {}), ("", {}), ("nan", {}), ("-0.25", {"costs below 0": 1}), ("-inf", {"costs below 0": 1}),
    ("$0.01", {"costs that are no number of USD up to 1,000,000": 1}),
    ("2e6", {"costs that are no number of USD up to 1,000,000": 1}),
])  # fmt: skip
def test_a_cost_that_is_none_is_told_and_its_answer_kept(tmp_path: Path, cost: str, told: dict[str, int]) -> None:
    (tmp_path / "t.csv").write_text(f"model,score,cost_usd\na,1,{cost}\n", encoding="utf-8")
    log = read([tmp_path / "t.csv"])
    (row,) = log.rows
    assert (row.answers["a"].score, reasons(log)) == (1.0, told)
    assert (row.answers["a"].cost_usd is None) == (cost not in ("0.25", "0"))


def test_costs_of_any_kind_in_a_table_of_requests_are_told(tmp_path: Path) -> None:
    costs: list[Any] = [None, 0.5, -1, True, [3], {"usd": 1}, "0.5 USD", float("nan")]
    outcomes = {f"m{at}": {"score": 1, "cost_usd": cost} for at, cost in enumerate(costs)}
    log = read([lines(tmp_path / "t.jsonl", {"id": "1", "prompt": "p", "outcomes": outcomes})])
    assert len(log.rows[0].answers) == len(costs)
    assert reasons(log) == {"costs that are no number of USD up to 1,000,000": 4, "costs below 0": 1}


@pytest.mark.parametrize("packed", [False, True])
def test_a_tsv_file_is_a_csv_with_tabs(tmp_path: Path, packed: bool) -> None:
    text = b"id\tprompt\tmodel\tscore\tcost_usd\n1\tsay hi, please\ta\t0.5\t0.25\n"
    path = tmp_path / ("t.tsv.gz" if packed else "t.TSV")
    path.write_bytes(gzip.compress(text) if packed else text)
    log = read([path])
    assert ([row.answers for row in log.rows], log.omissions) == ([{"a": ScoredAnswer(0.5, None, 0.25)}], [])
    assert log.rows[0].worded


def test_blank_lines_before_the_columns_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\n \nmodel;score\na;0,5\n", encoding="utf-8")
    log = read([tmp_path / "t.csv"])
    assert ([row.answers["a"].score for row in log.rows], log.omissions) == ([0.5], [])


def test_what_is_left_out_is_counted_by_its_reason(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "log.jsonl",
        decided("good"), feedback_record("good", "a", 1.0, at=1.0),
        decided("new", schema_version=7), decided("silent"), decided("failed", model=None),
        feedback_record("nobody", "a", 1.0, at=1.0), feedback_record("good", "a", 1.5, at=2.0),
        {"schema_version": 1, "kind": "feedback", "request_id": "good", "score": True},
        health_record("breaker_opened", "a", "5 in a row", at=3.0, router="r"),
        {"kind": "something else"}, [1, 2], "text",
    )  # fmt: skip
    with path.open("a", encoding="utf-8") as file:
        file.write('{"schema_version": 1, "kind": "feedback", "request_id": "good", "score": NaN}\n{"torn": ')
    log = read([path])
    assert [row.id for row in log.rows] == ["good"]
    assert reasons(log) == {
        "another schema version": 2, "decisions without feedback": 1, "decisions without an answer": 1,
        "feedback without a decision": 1, "score is not a number from 0 to 1": 3,
        "no JSON object": 2, "no JSON": 1,
    }  # fmt: skip


def test_a_gzip_that_breaks_off_is_read_up_to_there(tmp_path: Path) -> None:
    rows = [{"id": str(i), "prompt": f"{i} {i * i}", "outcomes": {"a": {"score": 1}}} for i in range(5_000)]
    packed = gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode())
    (tmp_path / "log.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    log = read([tmp_path / "log.jsonl.gz"])
    assert 500 < len(log.rows) < 4_900
    assert reasons(log) == {"compressed data that is damaged or broken off, to its end": 1}


def test_a_document_that_breaks_off_is_read_up_to_there(tmp_path: Path) -> None:
    rows = [{"id": str(i), "prompt": "x", "model": "a", "score": 1} for i in range(3)]
    (tmp_path / "log.json").write_text(json.dumps(rows, indent=1)[:-20], encoding="utf-8")
    log = read([tmp_path / "log.json"])
    assert [row.id for row in log.rows] == ["0", "1"]
    assert reasons(log) == {"the rest of a JSON document that breaks off or is damaged": 1}


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000, b'{"a":' * 50_000, b"\x00\xff\xfe", b'{"outcomes": {"a": {"score": 1e999}}}',
        b'{"outcomes": {"": {"score": 1}, "b": 3}}',
        b'{"kind": "decision", "request_id": {"a": 1}, "schema_version": 1}',
        b'{"run_type": "llm", "id": "r", "parent_run_id": "r", "inputs": {"messages": [[[[[]]]]]}}',
        b'{"run_type": "llm", "id": 3, "extra": 7, "tags": {"a": 1}, "feedback_stats": [1]}',
        b'{"model": "a", "score": 1, "id": ' + b"9" * 5_000 + b"}", b'{"run_id": null, "key": [], "score": "x"}',
    ],
)  # fmt: skip
def test_a_hostile_line_costs_only_itself(tmp_path: Path, line: bytes) -> None:
    good = json.dumps({"id": "good", "prompt": "p", "outcomes": {"a": {"score": 1, "cost_usd": 0.5}}}).encode()
    (tmp_path / "log.jsonl").write_bytes(good + b"\n" + line + b"\n" + good.replace(b"good", b"also") + b"\n")
    rows = {row.id: row for row in read([tmp_path / "log.jsonl"]).rows}
    assert rows["good"].answers == {"a": ScoredAnswer(1.0, None, 0.5)}
    assert "also" in rows


def test_a_flood_of_models_is_bounded(tmp_path: Path) -> None:
    many = [{"id": str(i), "prompt": "p", "model": f"m{i // 2}", "score": 1} for i in range(400)]
    log = read([lines(tmp_path / "log.jsonl", *many)])
    assert len({model for row in log.rows for model in row.answers}) == MOST_MODELS
    assert sum(count for _, count in log.omissions) == 400 - 2 * MOST_MODELS


def test_of_too_many_requests_the_newest_are_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capability_router.learning.logs.scored_request.MOST_HELD", 3)
    many = [decided(str(i)) for i in range(5)]
    scores = [feedback_record(str(i), "a", 1.0, at=1.0) for i in range(2, 5)]
    log = read([lines(tmp_path / "log.jsonl", *many, *scores)])
    assert [row.id for row in log.rows] == ["2", "3", "4"]
    assert [count for _, count in log.omissions] == [2]


def test_of_more_than_is_wanted_a_sample_is_drawn_the_same_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def seen(*told: Any, **more: Any) -> Any:
        looked.append(told)
        return with_text(*told, **more)

    monkeypatch.setattr("capability_router.learning.logs.table_rows.with_text", seen)
    many = [{"id": f"{i}", "prompt": f"p {i}", "model": m, "score": 1} for i in range(4_000) for m in ("a", "b")]
    log = read([lines(tmp_path / "log.jsonl", *many)], most=100)
    assert (len(log.rows), all(set(row.answers) == {"a", "b"} for row in log.rows)) == (100, True)
    assert [int(row.id) for row in log.rows] == sorted(int(row.id) for row in log.rows)
    assert 100 + log.beyond == pytest.approx(4_000, rel=0.3), "it is an estimate"
    assert sum(int(row.id) for row in log.rows) / 100 == pytest.approx(2_000, rel=0.15)
    assert len(looked) < 1_000, "the others cost no more than their ids"
    again = read([lines(tmp_path / "log.jsonl", *reversed(many))], most=100)
    assert {row.id for row in again.rows} == {row.id for row in log.rows}
    assert read([tmp_path / "log.jsonl"], most=4_000).beyond == 0


def test_a_sample_of_lines_without_ids_has_all_answers_to_its_texts(tmp_path: Path) -> None:
    twice = [{"prompt": f"p {i}", "model": m, "score": 1} for _ in range(2) for i in range(1_000) for m in ("a", "b")]
    log = read([lines(tmp_path / "log.jsonl", *twice)], most=100)
    assert {len(row.answers) for row in log.rows} == {2}
    assert 95 <= len(log.rows) <= 101
    assert sum(AGAIN in row.id for row in log.rows) == pytest.approx(len(log.rows) / 2, abs=1)


def test_a_sample_of_decisions_is_of_those_with_feedback(tmp_path: Path) -> None:
    log = [decided(str(i)) for i in range(300)]
    scores = [feedback_record(str(i), "a", 1.0, at=1.0) for i in range(0, 300, 2)]
    found = read([lines(tmp_path / "log.jsonl", *log, *scores)], most=100)
    assert (len(found.rows), found.beyond) == (100, 50)


def test_the_same_request_in_two_files_is_one_row_with_its_words(tmp_path: Path) -> None:
    id, *_ = logged(tmp_path / "log.jsonl")
    table = lines(tmp_path / "table.jsonl", {"id": id, "prompt": PROMPT, "model": "b", "score": 0.5})
    (row,) = read([tmp_path / "log.jsonl", table, tmp_path / "log.jsonl"]).rows
    assert ({model: answer.score for model, answer in row.answers.items()}, row.worded) == ({"a": 0.25, "b": 0.5}, True)


@pytest.mark.parametrize("scored", ["in the table alone", "in both"])
@pytest.mark.parametrize("turned", [False, True])
def test_scores_of_a_table_join_a_decision_log(tmp_path: Path, scored: str, turned: bool) -> None:
    plan = {"chosen": "a", "propensity": 0.75, "chances": {"a": 0.75, "b": 0.25}, "task": "chat"}
    log = [decided("x", plan=plan, cost_usd=0.5, output_tokens=7), decided("y", plan=plan)]
    given = [feedback_record("x", "a", 0.25, at=1.0)] if scored == "in both" else []
    files = [lines(tmp_path / "log.jsonl", *log, *given), tmp_path / "scores.csv"]
    files[1].write_text("id,model,score\nx,a,0.25\n", encoding="utf-8")
    found = read(files[::-1] if turned else files)
    (row,) = found.rows
    assert (row.answers, row.chances) == ({"a": ScoredAnswer(0.25, 7, 0.5)}, {"a": 0.75, "b": 0.25})
    assert (row.group, row.kind) == ("r", "chat")
    assert reasons(found) == {"decisions without feedback": 1}, "of the one that nothing scores"


def test_what_a_table_states_of_an_answer_stays_and_a_log_of_another_model_gives_no_chances(tmp_path: Path) -> None:
    plan = {"chosen": "a", "propensity": 1.0}
    log = lines(tmp_path / "log.jsonl", *(decided(id, plan=plan, cost_usd=0.5, output_tokens=7) for id in "xy"))
    told = {"score": 1.0, "cost_usd": 0.25}
    table = lines(tmp_path / "t.jsonl", {"id": "x", "model": "a", **told}, {"id": "y", "model": "b", **told})
    x, y = read([log, table]).rows
    assert (x.answers, x.chances) == ({"a": ScoredAnswer(1.0, 7, 0.25)}, {"a": 1.0})
    assert (y.answers, y.chances) == ({"b": ScoredAnswer(1.0, None, 0.25)}, {})


def test_a_table_s_task_is_no_label(tmp_path: Path) -> None:
    told = {"id": "1", "prompt": "p", "task": "algebra", "outcomes": {"a": {"score": 1}}}
    plain, routed = read([lines(tmp_path / "t.jsonl", told, {**told, "id": "2", "routing": {"task": "algebra"}})]).rows
    assert not (plain.sketch.places >= WORDS).any()
    assert (routed.sketch.places >= WORDS).sum() == 1


def written_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    return path


ANSWERS: list[dict[str, Any]] = [
    {"prompt": 'say "hi",\nplease', "model": "a", "score": 1.0, "output_tokens": 7, "cost_usd": 0.001, "tags": "x,y"},
    {"prompt": 'say "hi",\nplease', "model": "b", "score": 0.5, "output_tokens": None, "cost_usd": None, "tags": "x,y"},
    {"prompt": "long " * 50_000, "model": "a", "score": 0.0, "output_tokens": 9, "cost_usd": 0.002, "tags": ""},
]


def test_messages_in_a_cell_are_read_as_messages(tmp_path: Path) -> None:
    """As JSON they would be learned with their keys and signs, which no live request has."""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "prove it"}]
    line = {"id": "1", "messages": messages, "model": "a", "score": 1}
    (plain,) = read([lines(tmp_path / "t.jsonl", line)]).rows
    (cell,) = read([written_csv(tmp_path / "t.csv", [{**line, "messages": json.dumps(messages)}])]).rows
    (text,) = read([written_csv(tmp_path / "u.csv", [{**line, "messages": "[sic] prove it"}])]).rows
    assert cell.size == plain.size
    assert all(np.array_equal(mine, its) for mine, its in zip(cell.sketch[:2], plain.sketch[:2], strict=True))
    assert text.worded, "a text that only begins like JSON"


@pytest.mark.parametrize("prompt", ['{"sum": 12.5, "lines": [3, 4]}', "[3, 1, 2]"])
def test_json_without_a_message_is_the_prompt_itself(tmp_path: Path, prompt: str) -> None:
    line = {"id": "1", "messages": prompt, "model": "a", "score": 1}
    (cell,) = read([written_csv(tmp_path / "t.csv", [line])]).rows
    (plain,) = read([lines(tmp_path / "t.jsonl", line)]).rows
    assert (cell.worded, cell.size) == (True, plain.size)


def test_csv_and_parquet_tell_the_same(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(ANSWERS), tmp_path / "t.parquet")
    found = [read([path]) for path in (written_csv(tmp_path / "t.csv", ANSWERS), tmp_path / "t.parquet")]
    for log in found:
        assert log.omissions == []
        assert [row.answers for row in log.rows] == [
            {"a": ScoredAnswer(1.0, 7, 0.001), "b": ScoredAnswer(0.5)}, {"a": ScoredAnswer(0.0, 9, 0.002)},
        ]  # fmt: skip
        assert (log.rows[0].sketch.places >= WORDS).sum() == 2
    assert [row.id for row in found[0].rows] == [row.id for row in found[1].rows]


def test_a_damaged_parquet_file_is_left_out(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and then nothing")
    log = read([tmp_path / "t.parquet"])
    assert (log.rows, reasons(log)) == ([], {"the rest of a file that breaks off or is damaged": 1})


def test_a_table_without_a_needed_column_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no column 'score'.*'scores'"):
        read([written_csv(tmp_path / "t.csv", [{"prompt": "p", "model": "a", "scores": 1}])])


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the log"):
        read([tmp_path / "none.jsonl"])


def test_reading_tells_how_far_it_is(tmp_path: Path) -> None:
    logged(tmp_path / "log.jsonl", prompts=5)
    told: list[int] = []
    read([tmp_path / "log.jsonl"], tick=told.append)
    assert sum(told) == (tmp_path / "log.jsonl").stat().st_size


ROWS = [{"id": str(i), "prompt": f"p {i}", "model": "a", "score": 0.5} for i in range(3)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le-with-mark"])
@pytest.mark.parametrize("text", [json.dumps(ROWS), json.dumps(ROWS, indent=1), "\n".join(map(json.dumps, ROWS))])
def test_a_mark_of_the_byte_order_is_none_of_the_text(tmp_path: Path, text: str, encoding: str) -> None:
    marked = f"\ufeff{text}".encode("utf-16-le") if encoding == "utf-16-le-with-mark" else text.encode(encoding)
    (tmp_path / "log.json").write_bytes(marked)
    log = read([tmp_path / "log.json"])
    assert ([row.id for row in log.rows], log.omissions) == (["0", "1", "2"], [])


@pytest.mark.parametrize(
    "text", [json.dumps(ROWS), json.dumps({"runs": ROWS}), f'{{"runs": [\n{json.dumps(ROWS)[1:]}}}']
)
def test_a_document_may_be_longer_than_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A LangSmith export in one line is soon beyond 16 MB."""
    monkeypatch.setattr("capability_router.learning.logs.json_item_reader.LONGEST", 50)
    (tmp_path / "runs.json").write_text(text, encoding="utf-8")
    log = read([tmp_path / "runs.json"])
    assert ([row.id for row in log.rows], log.omissions) == (["0", "1", "2"], [])


def test_lines_that_are_too_long_cost_only_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capability_router.learning.logs.json_item_reader.LONGEST", 100)
    long = {"id": "long", "prompt": "x" * 500, "model": "a", "score": 1}
    log = read([lines(tmp_path / "log.jsonl", ROWS[0], long, ROWS[1], long)])
    assert ([row.id for row in log.rows], reasons(log)) == (["0", "1"], {"longer than 16 MB": 2})


def test_a_log_whose_first_line_is_torn_is_lines_all_the_same(tmp_path: Path) -> None:
    path = lines(tmp_path / "log.jsonl", *ROWS)
    path.write_bytes(b'{"id": "torn", "prom\n' + path.read_bytes())
    log = read([path])
    assert ([row.id for row in log.rows], reasons(log)) == (["0", "1", "2"], {"no JSON": 1})


def test_long_names_and_ids_stay_apart(tmp_path: Path) -> None:
    many = [{"id": f"{'i' * 300}{i}", "prompt": "p", "model": f"{'m' * 300}{i}", "score": 1} for i in range(2)]
    log = read([lines(tmp_path / "log.jsonl", *many)])
    assert len(log.rows) == 2
    assert len({model for row in log.rows for model in row.answers}) == 2
    assert max(len(row.id) for row in log.rows) == 200


def test_without_ids_the_same_prompt_again_is_asked_again(tmp_path: Path) -> None:
    """Of logs without ids every score counts, and those of two models are of one request wherever they can be."""
    said = [("a", 1), ("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    log = read([lines(tmp_path / "log.jsonl", *({"prompt": "p", "model": m, "score": s} for m, s in said))])
    told = [{model: answer.score for model, answer in row.answers.items()} for row in log.rows]
    assert (told, log.omissions) == ([{"a": 1, "b": 0}, {"a": 0, "b": 1}, {"a": 1}], [])


def test_an_id_that_stands_for_two_texts_is_told(tmp_path: Path) -> None:
    clash = [{"id": 1.0, "prompt": f"p {i}", "model": "a", "score": i} for i in range(2)]
    log = read([lines(tmp_path / "log.jsonl", *clash)])
    assert [(row.id, row.answers["a"].score) for row in log.rows] == [("1", 1)]
    assert reasons(log) == {
        "texts that differ from the first one with their id": 1,
        "scores before the last one of a request and model": 1,
    }


def test_the_chance_of_a_choice_is_not_that_of_whom_it_fell_back_on(tmp_path: Path) -> None:
    """A model that was tried at 1 % and failed: the answer came of another, which is asked nearly always."""
    tried = {"plan": {"chosen": "b", "propensity": 0.01}}
    log = [decided("kept", **tried, model="b"), decided("fell", **tried, model="a")]
    scores = [feedback_record(id, "a", 1.0, at=1.0) for id in ("kept", "fell")]
    assert [row.chances for row in read([lines(tmp_path / "log.jsonl", *log, *scores)]).rows] == [{"b": 0.01}, {}]


@pytest.mark.parametrize("head", ["Model;Score;Prompt", '"model"\t" score "\tprompt', "model|score|prompt"])
def test_columns_are_found_whatever_stands_between_them(tmp_path: Path, head: str) -> None:
    between = next(each for each in ";\t|" if each in head)
    (tmp_path / "t.csv").write_text(f"{head}\n{between.join(('a', '0.5', 'hello'))}\n", encoding="utf-8")
    (row,) = read([tmp_path / "t.csv"]).rows
    assert (row.answers["a"].score, row.worded) == (0.5, True)


@pytest.mark.parametrize(("between", "score"), [(";", 0.25), ("\t", 0.25), (",", 0.0)])
def test_a_fraction_may_have_a_comma_where_that_parts_no_columns(tmp_path: Path, between: str, score: float) -> None:
    (tmp_path / "t.csv").write_text(between.join(("model", "score", "cost_usd")) + f"\na{between}0,25{between},5\n")
    answers = [row.answers["a"] for row in read([tmp_path / "t.csv"]).rows]
    assert [answer.score for answer in answers] == [score]
    assert (answers[0].cost_usd == 0.5) == (between != ",")


def test_what_is_no_utf8_and_what_has_no_outcome_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("model,score,prompt\na,1,é\n".encode("latin-1"))
    log = read([tmp_path / "t.csv", lines(tmp_path / "t.jsonl", {"id": "x", "prompt": "p", "outcomes": {}})])
    assert reasons(log) == {"letters that are not UTF-8, in lines": 1, "requests without outcomes": 1}


def test_a_parquet_file_whose_texts_are_no_unicode_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"model": ["a"], "score": [1.0], "prompt": ["a marked word"]})
    parquet.write_table(table, tmp_path / "t.parquet", compression="none", use_dictionary=False)
    damaged = (tmp_path / "t.parquet").read_bytes().replace(b"a marked word", b"a marked w\xffrd")
    (tmp_path / "t.parquet").write_bytes(damaged)
    log = read([tmp_path / "t.parquet"])
    assert (log.rows, reasons(log)) == ([], {"the rest of a file that breaks off or is damaged": 1})


@pytest.mark.parametrize("turned", [False, True])
def test_of_langsmith_s_feedback_the_newest_version_counts(tmp_path: Path, turned: bool) -> None:
    """A run that was exported before its feedback was changed says the former mean."""
    named = {"metadata": {"ls_model_name": "m", "ls_provider": "p"}}
    runs = [
        {"run_type": "llm", "id": id, "extra": named, "inputs": {"prompt": id}, "feedback_stats": {"k": {"avg": 0.0}}}
        for id in ("changed", "twice", "mean")
    ]
    given = [
        {"run_id": "changed", "key": "k", "id": "f1", "score": 0.25, "modified_at": "2026-01-01T00:00:00+00:00"},
        {"run_id": "changed", "key": "k", "id": "f1", "score": 0.75, "modified_at": "2026-01-02T00:00:00+00:00"},
        {"run_id": "twice", "key": "k", "id": "f2", "score": 1.0},
        {"run_id": "twice", "key": "k", "id": "f3", "score": 0.5},
    ]
    items = [*runs, *given]
    log = read([lines(tmp_path / "runs.jsonl", *(reversed(items) if turned else items))])
    scores = {row.id: row.answers["p/m"].score for row in log.rows}
    assert scores == {"changed": 0.75, "twice": 0.75, "mean": 0.0}
