from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from unit.report.decisions import attempt, decision

from capability_router.cli.main import main
from capability_router.decision_log.tail import LONGEST, TOO_LONG, follow
from capability_router.telemetry.jsonl import JsonlSink
from capability_router.telemetry.records import feedback_record


def logged(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def run(log: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["tail", str(log), "--no-follow", *words])


TROUBLE = decision(3, attempt("a/one", "rate_limited"), attempt("b/two", start=1, pico=5_000_000))
NOBODY = decision(4, attempt("a/one", "auth"))
REFUSED = {
    **decision(5, attempt("x")), "attempts": [], "model": None,
    "plan": {"refusals": [{"model": "a/one", "rule": "tenant", "detail": ""}]},
}  # fmt: skip


def test_a_line_tells_who_at_what_cost_after_how_long_and_why(tmp_path: Path) -> None:
    log = logged(tmp_path / "log", decision(1, attempt("a/one", pico=43_000_000)), TROUBLE, NOBODY, REFUSED)
    assert run(log).stdout.splitlines() == [
        "08:00:02  a/one                        $0.00004300   1.00 s  acme: cheapest",
        "08:00:05  b/two                        $0.000005000   2.00 s  acme: after a/one rate_limited",
        "08:00:05  nobody                                $0   1.00 s  acme: a/one auth",
        "08:00:06  nobody                                $0   1.00 s  acme: not eligible: a/one tenant",
    ]


def test_only_what_is_asked_for(tmp_path: Path) -> None:
    log = logged(tmp_path / "log", decision(1), TROUBLE, decision(2, tenant="other"))
    asked = (
        ("--troubled",),
        ("--tenant", "other"),
        ("--model", "b/two"),
        ("--model", "a/one"),
        ("-n", "1"),
        ("-n", "0"),
    )
    assert [len(run(log, *words).stdout.splitlines()) for words in asked] == [1, 1, 1, 3, 1, 0]


def test_the_last_so_many_are_of_those_that_are_asked_for(tmp_path: Path) -> None:
    """Scores and other tenants' decisions stand between them, and a line that has no end yet behind them."""
    scores = [feedback_record(f"id-{n}", "a/one", 1.0, at=1.8e9) for n in range(40)]
    others = [decision(n, tenant="other") for n in range(50, 90)]
    log = logged(tmp_path / "log", decision(1), TROUBLE, decision(6), *scores, NOBODY, *others, *scores)
    found = run(log, "-n", "2", "--tenant", "acme", "--json").stdout.splitlines()
    assert [json.loads(line)["request_id"] for line in found] == ["id-6", NOBODY["request_id"]]
    assert len(run(log, "--troubled", "-n", "10").stdout.splitlines()) == 2
    assert len(run(log, "--troubled", "-n", "1").stdout.splitlines()) == 1
    assert len(run(log, "-n", "3").stdout.splitlines()) == 3
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(decision(99)))
    assert len(run(log, "-n", "3").stdout.splitlines()) == 3
    assert len(run(log, "-n", "1").stdout.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a signal ends it")
def test_it_waits_for_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "from capability_router.cli.main import main; main()", "tail", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:  # noqa: S603 - our own
        assert tail.stdout is not None
        assert tail.stderr is not None
        assert "is not there yet; waiting for it" in tail.stderr.readline()
        logged(tmp_path / "whole", decision(1)).replace(log)
        assert "a/one" in tail.stdout.readline()
        tail.send_signal(signal.SIGTERM)


def test_json_is_the_records(tmp_path: Path) -> None:
    told = run(logged(tmp_path / "log", TROUBLE), "--json").stdout
    assert json.loads(told) == TROUBLE


def test_what_is_hostile_or_foreign_is_counted_or_shown_without_steering_the_terminal(tmp_path: Path) -> None:
    half = {**decision(1), "reason": "\x1b[2J", "tenant": "\ud83d"}
    log = logged(tmp_path / "log", half, {**decision(2), "cost_pico": "1"}, {**decision(3), "tenant": ["x"]})
    with log.open("ab") as file:
        file.write(b'\xff\xfe\n{"kind": 1}\n[1, 2\n')
    result = run(log)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert len(result.stdout.splitlines()) == 1
    assert "5 lines were left out" in result.stderr
    assert "1 × cost_pico is not an amount of picodollars" in result.stderr
    assert json.loads(run(log, "--json").stdout)["tenant"] == "?"


def test_of_a_file_that_is_no_log_it_is_told_what_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("model,score\na,1\n", encoding="utf-8")
    found = run(tmp_path / "t.csv")
    assert (found.exit_code, found.stdout) == (0, "")
    assert "2 lines were left out: 2 × no JSON" in found.stderr


def test_lines_fit_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    (line,) = run(logged(tmp_path / "log", {**decision(1), "reason": "because " * 20})).stdout.splitlines()
    assert len(line) <= 70
    assert line.endswith("…")


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    result = run(tmp_path / "none")
    assert result.exit_code == 1
    assert "cannot read the decision log" in result.output


def test_the_last_lines_before_one_that_is_too_long(tmp_path: Path) -> None:
    path, lines = tmp_path / "log", [b"one", b"two", b"x" * (LONGEST + 99_999), b"three"]
    path.write_bytes(b"\n".join(lines) + b"\n")
    omitted = Counter[str]()
    assert list(follow(path, 2, lambda: False, omitted, lambda line: len(line) > 0)) == [b"two", b"three"]
    assert omitted == {TOO_LONG: 1}


@pytest.mark.parametrize("last", [0, 1, 2, 500, 10_000])
def test_the_last_lines_of_a_long_file(tmp_path: Path, last: int) -> None:
    path = tmp_path / "log"
    lines = [f"{n} {'x' * (n % 977)}".encode() for n in range(3_000)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert list(follow(path, last, lambda: False, Counter())) == (lines[-last:] if last else [])


@pytest.mark.skipif(sys.platform == "win32", reason="open files can't be moved there")
def test_it_goes_on_after_rotations_a_torn_write_and_an_emptied_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = JsonlSink(path, rotate_mb=60e-6, keep=9)
    steps = iter(range(40))

    def write() -> bool:
        n = next(steps, None)
        if n is None:
            return False
        if n == 20:
            os.truncate(path, 0)
        elif n % 7 == 3:
            with path.open("ab") as file:
                file.write(b'{"n"')
                file.flush()
                file.write(b": %d}\n" % n)
        else:
            sink.write({"n": n})
        return True

    sink.write({"n": -1})
    found = [json.loads(line)["n"] for line in follow(path, 5, write, Counter())]
    assert found == [-1, *(n for n in range(40) if n != 20)]
    sink.close()


def test_a_person_watches_and_stops_it(tmp_path: Path) -> None:
    log = logged(tmp_path / "log", decision(1))
    # Who is begun in the background may not hear it.
    hears = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{hears}; from capability_router.cli.main import main; main()"
    command = [sys.executable, "-c", program, "tail", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watched:  # noqa: S603 - our own words
        assert watched.stdout is not None
        assert "a/one" in watched.stdout.readline()
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(TROUBLE) + "\n")
        assert "b/two" in watched.stdout.readline()
        watched.send_signal(signal.SIGINT)
        assert watched.wait(30) in (0, 1, 130)
