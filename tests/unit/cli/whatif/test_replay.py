"""The command as a person runs it; what it finds is tested in tests/unit/replay."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from unit.replay.logs import CARDS, candidate, config, decision, lines, score, write

from capability_router.cli.main import main
from capability_router.request import Request

DEAR = {"name": "rules", "rules": [{"then": ["large"]}]}


def run(*words: str | Path, columns: int | None = None) -> Result:
    env = {} if columns is None else {"COLUMNS": str(columns)}
    return CliRunner(env=env).invoke(main, ["replay", *map(str, words)])


@pytest.fixture
def log(tmp_path: Path) -> Path:
    requests = [Request((f"hello {n}",), id=f"0123456789abcdef0123456789abc{n:03}") for n in range(30)]
    return write(tmp_path / "decisions.jsonl", requests, policy=DEAR)


def explored(path: Path, count: int = 400) -> Path:
    """A log that tried `a` for a tenth, which was right more often than the pick."""
    told: list[Any] = []
    for n in range(count):
        tried = n % 10 == 3
        ranked = [candidate("a-model-of-some-length", 0.6, 9e-6), candidate("b", 0.7, 1e-6)]
        plan = {"chances": {"b": 0.9, "a-model-of-some-length": 0.1}, "propensity": 0.1 if tried else 0.9}
        told += [decision(n, ranked if tried else ranked[::-1], plan=plan), score(n, float(n % 3 > (not tried)))]
    return lines(path, *told)


def test_the_page_says_what_changes_and_what_it_comes_to(log: Path) -> None:
    told = run(log, "--policy", "cheapest")
    assert told.exit_code == 0
    words = told.output
    assert words.startswith("30 requests from 2027-01-15 08:00:00 UTC to 2027-01-15 08:")
    assert "decided again by cheapest" in words
    assert ["requests", "that", "change", "30", "100.0", "%"] in [line.split() for line in words.splitlines()]
    assert "large  small        30" in words
    assert "large -> small, such as 0123456789abcdef0123456789abc000: cheapest at $" in words
    assert "The log does not support an estimate of the replay's score: no request in the log has a score" in words
    assert "not in the log" in words


def test_json_has_all_of_it(log: Path) -> None:
    told = json.loads(run(log, "--policy", "cheapest", "--json").stdout)
    assert (told["requests"], told["changed"], told["policy"]) == (30, 30, "cheapest")
    assert told["cost_usd"]["logged"] == pytest.approx(30 * (110 * 2e-6 + 100 * 8e-6))
    assert told["cost_usd"]["requests"] == 30
    assert told["moves"][0]["examples"] == [f"0123456789abcdef0123456789abc00{n}" for n in range(3)]
    assert told["models"]["large"]["median_s"] == 3.0
    assert told["scores"]["supported_by_log"] is False


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_all_of_it_fits(tmp_path: Path, log: Path, columns: int) -> None:
    cards = {"a-model-of-some-length": CARDS["large"], "b": CARDS["small"]}
    policy = {"name": "rules", "rules": [{"then": ["a-model-of-some-length"]}]}
    pages = [
        run(explored(tmp_path / "explored"), "--policy", config(tmp_path / "a.yaml", policy, cards), columns=columns),
        run(log, "--policy", config(tmp_path / "b.yaml", "adaptive", cards), columns=columns),
        run(log, "--policy", "cheapest", "--examples", "3", columns=columns),
    ]
    for page in pages:
        assert page.exit_code == 0, page.output
        assert max(map(len, page.stdout.splitlines())) <= columns
    assert "better" in pages[0].stdout
    assert "doubly robust" in pages[0].stdout.replace("\n", " ")


def test_what_scores_say_has_an_interval_and_what_it_rests_on(tmp_path: Path) -> None:
    told = run(explored(tmp_path / "log"), "--policy", "cheapest").output
    assert "no scored request changes its model" in told
    cards = {"a-model-of-some-length": CARDS["large"], "b": CARDS["small"]}
    dear = config(tmp_path / "a.yaml", {"name": "rules", "rules": [{"then": ["a-model-of-some-length"]}]}, cards)
    told = run(tmp_path / "log", "--policy", dear).output
    assert "400 scored requests change, 40 of them to what the log chose by lot" in told
    assert "effective sample size 40" in told
    assert "weights up to 10.0" in told


def test_only_the_newest_or_those_since(log: Path) -> None:
    assert run(log, "--policy", "cheapest", "--limit", "5").output.startswith("5 requests")
    assert run(log, "--policy", "cheapest", "--since", "2027-01-15T08:20:00").output.startswith("11 requests")
    assert "no point in time" in run(log, "--policy", "cheapest", "--since", "lately").output


def test_rotated_and_gzipped_logs(tmp_path: Path, log: Path) -> None:
    half = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(half[20:]))
    (tmp_path / "decisions.jsonl.1").write_bytes(b"".join(half[10:20]))
    packed = tmp_path / "old.gz"
    packed.write_bytes(gzip.compress(b"".join(half[:10])))
    assert run(packed, log, "--policy", "cheapest").output.startswith("30 requests")


def test_what_is_left_out_is_told_and_steers_no_terminal(tmp_path: Path) -> None:
    hostile = decision(1, [candidate("\x1b[2J<script>"), candidate("b")], tenant=["x"])
    path = lines(tmp_path / "log", hostile, decision(2, [candidate("b")]), {**hostile, "schema_version": 3}, '{"ki')
    told = run(path, "--policy", "fastest").output
    assert "\x1b" not in told
    assert "Left out: 1 × another schema version." in told
    assert "Left out: 1 × no JSON." in told


@pytest.mark.parametrize("content", ["", "dear diary\n", '{"kind": "feedback"}\n'])
def test_a_log_without_a_decision_is_an_error_that_says_what_was_there(tmp_path: Path, content: str) -> None:
    (tmp_path / "log").write_text(content)
    told = run(tmp_path / "log", "--policy", "cheapest")
    assert told.exit_code == 1
    assert "no decision to replay" in told.output
    assert ("left out" in told.output) == bool(content)


@pytest.mark.parametrize(
    "words",
    [("none.jsonl", "--policy", "cheapest"), ("{log}", "--policy", "cheepest"), ("{log}", "--policy", "single")],
)
def test_what_is_wrong_is_told_in_a_line(log: Path, words: tuple[str, ...]) -> None:
    told = run(*(word.format(log=log) for word in words))
    assert told.exit_code == 1
    assert told.output.startswith("Error: ")
    assert "Traceback" not in told.output


def test_without_numpy_opentelemetry_and_rich(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("numpy", "opentelemetry", "rich"):
        monkeypatch.setitem(sys.modules, name, None)
    other = config(tmp_path / "other.yaml", "cheapest", telemetry={"otel": True, "hashed_words": True})
    assert run(log, "--policy", other).exit_code == 0
