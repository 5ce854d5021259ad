"""What `capability-router train` reads of LangSmith: runs as its client sends them, feedback as its SDK gives it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("numpy", reason="what is read is looked at with numpy (the extra `learn`)")

from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tracers import LangChainTracer
from langsmith.schemas import Feedback
from langsmith_server import LangSmithServer

from capability_router import ConfigError, Request
from capability_router.learning.logs.training_log import TrainingLog, read
from capability_router.learning.quality.sketch import sketch
from capability_router.learning.quality.traits import WORDS, traits
from langchain_router import ChatRouter

PRICED: dict[str, Any] = {"price": {"input_mtok": 1, "output_mtok": 2}}


@pytest.fixture
def server() -> Iterator[LangSmithServer]:
    server = LangSmithServer()
    yield server
    server.close()


def runs_of(server: LangSmithServer, model: Any, *questions: str) -> list[dict[str, Any]]:
    chain = ChatPromptTemplate.from_messages([("system", "be brief"), ("human", "{x}")]) | model | StrOutputParser()
    tracer = LangChainTracer(client=server.client)
    for question in questions:
        chain.invoke(
            {"x": question}, config={"callbacks": [tracer], "tags": ["nightly"], "metadata": {"tenant": "acme"}}
        )
    server.client.flush()
    return server.runs


def router(name: str = "good") -> ChatRouter:
    dead, good = (FakeListChatModel(responses=[text]) for text in ("", "yes"))
    return ChatRouter(models=[(dead, {"id": "dead", **PRICED}), (good, {"id": name, **PRICED})], policy="single")


def said(run: dict[str, Any], score: Any, key: str = "correct") -> dict[str, Any]:
    at, places = datetime.now(UTC), {"run_id": run["id"], "trace_id": run["trace_id"]}
    return Feedback(id=uuid4(), created_at=at, modified_at=at, key=key, score=score, **places).model_dump(mode="json")


def reading(tmp_path: Path, items: list[dict[str, Any]], key: str | None = None) -> TrainingLog:
    lines, document = tmp_path / "runs.jsonl", tmp_path / "runs.json"
    lines.write_text("".join(f"{json.dumps(item, default=str)}\n" for item in items), encoding="utf-8")
    document.write_text(json.dumps(items, default=str, indent=2), encoding="utf-8")
    logs = [read([path], key=key) for path in (lines, document)]
    assert [(r.id, r.answers) for r in logs[0].rows] == [(r.id, r.answers) for r in logs[1].rows]
    return logs[0]


def test_a_routed_call_is_the_model_that_answered(server: LangSmithServer, tmp_path: Path) -> None:
    runs = runs_of(server, router(), "what is 2+2?")
    (root,) = (run for run in runs if not run.get("parent_run_id"))
    (routed,) = (run for run in runs if run["name"] == "ChatRouter")
    (row,) = reading(tmp_path, [*runs, said(root, True)]).rows
    facts = routed["extra"]["metadata"]
    assert row.id == facts["router_request_id"]
    ((model, answer),) = row.answers.items()
    assert (model, answer.score, answer.cost_usd) == ("good", 1.0, facts["router_cost_usd"])
    live = sketch(traits(Request(("be brief", "what is 2+2?"))))
    assert [p for p in row.sketch.places.tolist() if p < WORDS] == live.places.tolist()
    assert (row.sketch.places >= WORDS).sum() == 2  # the tenant and the tag that a person wrote


@pytest.mark.parametrize("place", ["ChatRouter", "FakeListChatModel"])
def test_feedback_may_be_on_the_router_s_run_or_on_the_attempt(
    server: LangSmithServer, tmp_path: Path, place: str
) -> None:
    runs = runs_of(server, router(), "what is 2+2?")
    scored = [
        run
        for run in runs
        if run["name"] == place and "dead" not in str(run["extra"]["metadata"].get("router_candidate"))
    ]
    (row,) = reading(tmp_path, [said(run, 0.5) for run in scored] + runs).rows
    assert {model: answer.score for model, answer in row.answers.items()} == {"good": 0.5}


def test_models_without_a_router_are_read_too(server: LangSmithServer, tmp_path: Path) -> None:
    runs = runs_of(server, FakeListChatModel(responses=["yes"]), "one", "two")
    roots = [run for run in runs if not run.get("parent_run_id")]
    for run in runs:
        run.setdefault("extra", {}).setdefault("metadata", {}).update(ls_model_name="m-1", ls_provider="house")
    log = reading(tmp_path, [*runs, said(roots[0], 1)])
    assert [list(row.answers) for row in log.rows] == [["house/m-1"]]
    assert dict(log.omissions) == {"runs without feedback": 1}


def test_a_trace_scored_as_a_whole_says_nothing_of_one_of_its_models(server: LangSmithServer, tmp_path: Path) -> None:
    runs = runs_of(server, router() | StrOutputParser() | router("other"), "what is 2+2?")
    (root,) = (run for run in runs if not run.get("parent_run_id"))
    log = reading(tmp_path, [*runs, said(root, 1)])
    assert log.rows == []
    assert dict(log.omissions) == {"runs of a trace that was scored as a whole, with other models in it": 2}


def test_a_trace_that_asks_one_model_twice_is_one_lesson_about_its_first_call(
    server: LangSmithServer, tmp_path: Path
) -> None:
    """As two, one score would count twice; and the question is what the first call reads."""
    model = router()
    runs = runs_of(server, model | StrOutputParser() | model, "what is 2+2?")
    (root,) = (run for run in runs if not run.get("parent_run_id"))
    first, _ = sorted((run for run in runs if run["name"] == "ChatRouter"), key=lambda run: run["start_time"])
    log = reading(tmp_path, [*reversed(runs), said(root, 1)])
    (row,) = log.rows
    assert row.id == first["extra"]["metadata"]["router_request_id"]
    assert dict(log.omissions) == {"runs of a trace that was scored as a whole, after the first one of their model": 1}


def test_runs_within_runs_are_read(server: LangSmithServer, tmp_path: Path) -> None:
    """As a client loads them with `load_child_runs=True`."""
    runs = runs_of(server, router(), "what is 2+2?")
    (root,) = (run for run in runs if not run.get("parent_run_id"))
    flat = reading(tmp_path, [*runs, said(root, 1)])
    nested = [{**run, "child_runs": [r for r in runs if r.get("parent_run_id") == run["id"]]} for run in runs]
    by_id = {run["id"]: run for run in nested}
    for run in nested:
        run["child_runs"] = [
            {k: v for k, v in by_id[r["id"]].items() if k != "parent_run_id"} for r in run["child_runs"]
        ]
    found = reading(tmp_path, [by_id[root["id"]], said(root, 1)])
    assert [(row.id, row.answers) for row in found.rows] == [(row.id, row.answers) for row in flat.rows]
    assert len(found.rows) == 1


def test_what_a_run_or_feedback_lacks_is_told(server: LangSmithServer, tmp_path: Path) -> None:
    runs = runs_of(server, FakeListChatModel(responses=["yes"]), "one")
    for run in runs:
        run["extra"] = {}
    log = reading(tmp_path, [*runs, said({"id": str(uuid4()), "trace_id": str(uuid4())}, 1)])
    assert dict(log.omissions) == {
        "runs of models that don't say which model": 1, "feedback on runs that are not in the logs": 1,
    }  # fmt: skip


def test_scores_of_another_kind_of_feedback_are_none_of_those_that_count(
    server: LangSmithServer, tmp_path: Path
) -> None:
    """Grades up to 5 and counts of words would make most scores bad ones."""
    runs = runs_of(server, router(), "what is 2+2?")
    (root,) = (run for run in runs if not run.get("parent_run_id"))
    items = [*runs, said(root, 1), *(said(root, grade, "stars") for grade in (3, 4, 5))]
    log = reading(tmp_path, items, "correct")
    assert ([row.answers["good"].score for row in log.rows], log.omissions) == ([1.0], [])
    stars = reading(tmp_path, items, "stars")
    assert (stars.rows, dict(stars.omissions)) == ([], {"scores outside 0 to 1": 3, "runs without feedback": 1})


def test_of_several_kinds_of_feedback_one_is_named(server: LangSmithServer, tmp_path: Path) -> None:
    runs = runs_of(server, router(), "what is 2+2?")
    (root,) = (run for run in runs if not run.get("parent_run_id"))
    items = [
        *runs,
        said(root, 1, "correct"),
        said(root, 0.25, "tone"),
        said(root, None, "remark"),
        said(root, 7, "stars"),
    ]
    with pytest.raises(ConfigError, match=r"correct, stars, tone.*--key"):
        reading(tmp_path, items)
    (row,) = reading(tmp_path, items, "tone").rows
    assert row.answers["good"].score == 0.25


def test_scores_of_the_runs_own_statistics(server: LangSmithServer, tmp_path: Path) -> None:
    runs = runs_of(server, router(), "what is 2+2?")
    for run in runs:
        if not run.get("parent_run_id"):
            run["feedback_stats"] = {"correct": {"n": 4, "avg": 0.75}}
        run["run_id"] = run.pop("id")  # as the command line exports them
    (row,) = reading(tmp_path, runs).rows
    assert row.answers["good"].score == 0.75
