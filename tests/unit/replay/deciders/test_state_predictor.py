"""A learned state is asked about logged requests by their words, as the router that has it would."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from unit.replay.logs import again, config, records, router_of, write

from capability_router.errors import ConfigError
from capability_router.replay.replay_setup import opened
from capability_router.request import Request
from capability_router.testing import ask

EASY, HARD = (
    "Please write a friendly greeting for our visitors, number",
    "Prove the theorem about finite groups, number",
)


def taught(tmp_path: Path) -> Path:
    """A state that has seen the small model greet well and prove badly."""
    path = tmp_path / "state.json"
    router = router_of(None, policy={"name": "adaptive", "state": str(path)})
    for n in range(160):
        hard = n % 2
        run = ask(router, Request((f"{HARD if hard else EASY} {n}",), id=f"t{n}"))
        model = run.outcome.model if run.outcome else ""
        router.feedback(f"t{n}", float(not hard or model == "large"))
    for thread in threading.enumerate():
        if thread.name == "capability-router-learning":  # it writes the state when it is through
            thread.join()
    router.close()
    return path


def asked(count: int = 20) -> list[Request]:
    return [Request((f"{HARD if n % 2 else EASY} {n} again",), id=f"r{n}") for n in range(count)]


def learned(tmp_path: Path, state: Path) -> Path:
    return config(tmp_path / "other.yaml", {"name": "adaptive", "state": str(state)})


@pytest.mark.parametrize("telemetry", [{"hashed_words": True}, {"capture_content": True}])
def test_its_predictions_are_those_of_the_router_that_has_it(tmp_path: Path, telemetry: dict[str, Any]) -> None:
    state = taught(tmp_path)
    log = write(tmp_path / "log", asked(), policy="cheapest", telemetry=telemetry)
    before = state.read_bytes()
    made, found = again(log, learned(tmp_path, state))
    assert state.read_bytes() == before
    assert found.sources == {"state": 20}
    router = router_of(None, policy={"name": "adaptive", "state": str(state)})
    for each, request in zip(made, asked(), strict=True):
        plan = router.explain(request)
        told = {c.id: c.quality for c in plan.candidates}
        for candidate in each.choice.ranked:
            assert candidate.quality == pytest.approx(
                told[candidate.id], abs=0.01
            )  # the log's surface is in short floats
    router.close()
    assert any("trained on this very log" in line for line in found.told)


def test_without_words_the_logs_predictions_count_and_that_is_told(tmp_path: Path) -> None:
    log = write(tmp_path / "log", asked(), policy="cheapest")
    _, found = again(log, learned(tmp_path, taught(tmp_path)))
    assert found.sources == {"log": 20}
    assert any(told.startswith("20 requests have no words in the log") for told in found.told)


def test_the_log_may_be_asked_for_though_there_is_a_state(tmp_path: Path) -> None:
    log = write(tmp_path / "log", asked(), policy="cheapest", telemetry={"hashed_words": True})
    assert again(log, learned(tmp_path, taught(tmp_path)), predict="log")[1].sources == {"log": 20}


def test_embeddings_are_not_in_a_log_and_that_is_told(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    router = router_of(
        None, policy={"name": "adaptive", "state": str(state)}, embedder=lambda texts: [[1.0, 2.0]] * len(texts)
    )
    ask(router, Request(("hello",), id="1"))
    router.feedback("1", 1.0)
    router.close()
    log = write(tmp_path / "log", asked(2), policy="cheapest", telemetry={"hashed_words": True})
    _, found = again(log, learned(tmp_path, state))
    assert any("a log holds no embeddings" in told for told in found.told)


def test_a_state_that_is_none_is_an_error_and_one_that_is_not_there_yet_is_told(tmp_path: Path) -> None:
    other = learned(tmp_path, tmp_path / "state.json")
    assert "not there yet" in opened(str(other), None, None).told[0]
    (tmp_path / "state.json").write_text("dear diary")
    with pytest.raises(ConfigError, match="no learned state"):
        opened(str(other), None, None)
    shared = config(
        tmp_path / "shared.yaml", {"name": "adaptive", "state": "store"}, store=f"sqlite:///{tmp_path / 'r.db'}"
    )
    with pytest.raises(ConfigError, match="reads no store"):
        opened(str(shared), None, None)
    assert opened(str(shared), None, "log").state is None


def test_hostile_words_are_no_words(tmp_path: Path) -> None:
    log = write(tmp_path / "log", asked(3), policy="cheapest", telemetry={"hashed_words": True})
    told = records(log)
    told[0]["traits"] = {"places": "x" * 99, "values": None, "surface": []}
    told[1]["traits"] = ["x"]
    log.write_text("".join(json.dumps(record) + "\n" for record in told))
    assert again(log, learned(tmp_path, taught(tmp_path)))[1].sources == {"log": 2, "state": 1}
