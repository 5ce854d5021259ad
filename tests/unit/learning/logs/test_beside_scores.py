"""What decision logs hold beside scores: shadows' scored answers, implicit signs. Logs are real routers'."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy", reason="what is read is looked at with numpy (the extra `learn`)")

from click.testing import CliRunner

from capability_router import Price, Request, routing
from capability_router.cli.main import main
from capability_router.learning.implicit_signs import ALL, SignCounts
from capability_router.learning.logs.training_log import TrainingLog, read
from capability_router.learning.quality.model import QualityModel
from capability_router.learning.quality.state import dumped, loaded
from capability_router.request import Finish, Reply, Usage
from capability_router.router import Router
from capability_router.testing import ScriptedEndpoint, ScriptedModel, ask, scripted_router

REFUSAL = Reply(text="I can't help with that.", finish=Finish.REFUSAL)


def reasons(log: TrainingLog) -> dict[str, int]:
    return dict(log.omissions)


def with_shadow(path: Path, requests: int, **settings: Any) -> list[str]:
    """A log in which "dear" answers, and "cheap" in its shadow; an evaluator finds the shadow's the better one."""
    cards = {
        "dear": {"price": Price(50, 100), "max_output_tokens": 100},
        "cheap": {"price": Price(5, 10), "max_output_tokens": 100},
    }
    scripts = {name: ScriptedModel([name] * requests, usage=Usage(10, 20)) for name in cards}
    router = scripted_router(
        scripts, cards=cards, policy="single", telemetry={"jsonl": str(path)}, evaluate={"share": 1.0},
        shadow={"name": "cheapest", "execute": 1.0, "budget_usd": 100},
        evaluator=lambda request, answer: 0.75 if answer.model == "cheap" else 0.25, **settings,
    )  # fmt: skip
    ids = []
    for number in range(requests):
        request = Request((f"question {number}",), id=f"r{number}")
        run = router.start(request, endpoint(router), again=lambda: endpoint(router))
        assert "".join(run)
        assert run.outcome is not None
        assert run.outcome.model == "dear"
        router.close()  # waits for the shadow
        ids.append(request.id)
    return ids


def endpoint(router: Router) -> ScriptedEndpoint:
    return ScriptedEndpoint(router.scripted, router.clock)  # type: ignore[attr-defined]  # set by scripted_router


def test_a_shadows_scored_answer_is_an_outcome_of_its_model(tmp_path: Path) -> None:
    ids = with_shadow(tmp_path / "log.jsonl", 3)
    log = read([tmp_path / "log.jsonl"])
    assert [row.id for row in log.rows] == ids
    for row in log.rows:
        assert {m: a.score for m, a in row.answers.items()} == {"dear": 0.25, "cheap": 0.75}
        assert (row.answers["cheap"].tokens, row.answers["cheap"].cost_usd) == (20, pytest.approx(250e-6))
    assert log.omissions == []


def test_what_of_a_shadow_does_not_fit_together_is_told(tmp_path: Path) -> None:
    with_shadow(tmp_path / "log.jsonl", 4)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    gone = {("shadow", "r0"), ("shadow_score", "r1"), ("decision", "r2"), ("feedback", "r2"), ("feedback", "r3")}
    kept = [line for line in lines if (line["kind"], line["request_id"]) not in gone]
    assert len(kept) == len(lines) - len(gone)
    (tmp_path / "torn.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in reversed(kept)), encoding="utf-8")
    log = read([tmp_path / "torn.jsonl"])
    found = {row.id: {m: a.score for m, a in row.answers.items()} for row in log.rows}
    assert found == {"r0": {"dear": 0.25}, "r1": {"dear": 0.25}, "r3": {"cheap": 0.75}}
    assert reasons(log) == {
        "calls of shadows that nobody scored": 1,
        "scores of shadows' calls that are not there": 1,
        "scores of shadows' answers without a decision": 1,
    }


def test_paired_outcomes_tell_more_than_each_models_own(tmp_path: Path) -> None:
    with_shadow(tmp_path / "log.jsonl", 60)
    told = json.loads(CliRunner().invoke(main, ["train", str(tmp_path / "log.jsonl"), "--json"]).stdout)
    (group,) = told["groups"]
    assert (group["models"], group["every_model_asked"], group["best_fixed"]) == (["cheap", "dear"], True, "cheap")


def refusing(path: Path, *, scored: int = 0) -> None:
    """A log in which every answer of "a" is a refusal and none of "b" is; so many of a's answers are scored."""
    router = scripted_router({"a": [REFUSAL] * 30, "b": ["ok"] * 30}, policy="adaptive", telemetry={"jsonl": str(path)})
    for number in range(60):
        with routing(pin="ab"[number % 2]):
            run = ask(router, Request(("hello",), id=f"r{number}"))
        if run.outcome is not None and run.outcome.model == "a" and number < 2 * scored:
            router.feedback(run.request.id, 0.5)
    router.close()


def test_signs_of_a_log_move_what_is_believed_before_scores_as_live_ones_do(tmp_path: Path) -> None:
    refusing(tmp_path / "log.jsonl")
    log = read([tmp_path / "log.jsonl"])
    assert log.signs == {"a": SignCounts(30.0, 15.0), "b": SignCounts(30.0, 0.0)}
    assert "implicit signs" not in str(log.omissions)
    quality = QualityModel()
    quality.signs = log.signs
    state = tmp_path / "state.json"
    state.write_text(dumped(quality), encoding="utf-8")
    cards = {name: {"quality": {"default": 0.8}} for name in "ab"}
    before, after = (
        scripted_router({"a": ["ok"], "b": ["ok"]}, cards=cards, policy=policy).explain(Request(("hello",)))
        for policy in ({"name": "adaptive"}, {"name": "adaptive", "state": str(state)})
    )
    old, new = ({c.id: c.quality or 0.0 for c in plan.candidates} for plan in (before, after))
    assert new["a"] < old["a"]
    assert new["b"] > old["b"]
    assert max(abs(new[id] - old[id]) for id in "ab") <= ALL + 1e-9
    assert after.notes == ("believed quality, moved by implicit signs: a -0.05, b +0.05",)


def test_an_answers_score_takes_its_signs_back_in_logs_too(tmp_path: Path) -> None:
    refusing(tmp_path / "log.jsonl", scored=10)
    assert read([tmp_path / "log.jsonl"]).signs["a"] == SignCounts(30.0, 10.0)


def test_train_keeps_the_signs_in_the_state_and_tells_so(tmp_path: Path) -> None:
    refusing(tmp_path / "log.jsonl")
    with_shadow(tmp_path / "more.jsonl", 60)
    more = re.sub(r'"r(\d)', r'"other \1', (tmp_path / "more.jsonl").read_text(encoding="utf-8"))
    odd = [
        {"schema_version": 1, "kind": "sign", "request_id": id, "model": model, "sign": sign, "at": 1.0}
        for id, model, sign in (("r1", "b", "made up"), ("r99", "b", "retried"), ("r1", "", "refusal"))
    ]
    (tmp_path / "more.jsonl").write_text(more + "".join(f"{json.dumps(sign)}\n" for sign in odd), encoding="utf-8")
    state = tmp_path / "state.json"
    words = ["train", str(tmp_path / "log.jsonl"), str(tmp_path / "more.jsonl"), "-o", str(state), "--anyway"]
    found = CliRunner().invoke(main, words)
    told = " ".join(found.output.split())
    assert "note: implicit signs, worth 15 lost answers of 120, are no scores" in told
    assert "left out: 2 × implicit signs of no known kind" in told
    assert "left out: 1 × implicit signs without their decision" in told
    kept = loaded(state.read_text(encoding="utf-8")).signs
    assert (kept["a"], kept["b"]) == (SignCounts(30.0, 15.0), SignCounts(30.0, 0.0))


def test_a_state_with_more_signs_than_answers_is_damaged(tmp_path: Path) -> None:
    quality = QualityModel()
    quality.signs = {"a": SignCounts(1.0, 2.0)}
    with pytest.raises(ValueError, match="more signs than answers"):
        loaded(dumped(quality))
