"""The command around the page: several files, compressed ones, what is left out, a bar, whom savings are against."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result
from unit.report.decisions import BEGAN, attempt, decision

from capability_router.cli.main import main
from capability_router.report import data as module
from capability_router.report.data import ReportData


def told(*records: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def report(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["report", *words, "-o", str(folder / "report.html")])


def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_several_files_are_one_log_and_a_request_counts_once(tmp_path: Path) -> None:
    old, new = tmp_path / "log.jsonl.1", tmp_path / "log.jsonl"
    old.write_bytes(told(decision(1), decision(2)))
    new.write_bytes(told(decision(2), decision(3)))
    result = report(tmp_path, str(old), str(new))
    assert "3 requests" in result.stdout
    assert "1 line was left out: 1 × a record that was there before" in result.stderr


def test_a_compressed_log_is_read_and_one_that_breaks_off_as_far_as_it_goes(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl.gz"
    whole = gzip.compress(told(*(decision(n, tenant=os.urandom(99).hex()) for n in range(200))))
    log.write_bytes(whole)
    assert "200 requests" in report(tmp_path, str(log)).stdout
    log.write_bytes(whole[: len(whole) // 2])
    result = report(tmp_path, str(log))
    count = int(result.stdout.split()[-2])
    assert 50 < count < 150
    assert "compressed data that is damaged or broken off" in result.stderr
    log.write_bytes(whole + b"rubbish")
    result = report(tmp_path, str(log))
    assert "200 requests" in result.stdout
    assert "1 × compressed data that is damaged" in result.stderr


def test_savings_against_a_model_of_ones_choice(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    candidates = [
        {"id": id, "quality": q, "cost_usd": usd} for id, q, usd in (("a/one", 0.5, 1e-9), ("b/two", 0.9, 4e-9))
    ]
    log.write_bytes(told(decision(1, attempt("a/one", pico=1000), plan={"candidates": candidates})))
    assert report(tmp_path, str(log)).exit_code == 0
    assert "Against always b/two" in page(tmp_path)
    assert report(tmp_path, str(log), "--strongest", "a/one").exit_code == 0
    assert "Against always a/one (as asked for)" in page(tmp_path)
    result = report(tmp_path, str(log), "--strongest", "b/tow")
    assert result.exit_code == 1
    assert "did you mean 'b/two'" in result.stderr


def test_the_page_says_what_was_left_out(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(told(decision(1), decision(2, cost_pico=-1), {**decision(3), "at": 253_402_300_799}) + b"{torn")
    report(tmp_path, str(log))
    said = page(tmp_path)
    for reason in ("cost_pico is not an amount", "at is not a time from 1970 to 2100", "no JSON"):
        assert f"1 × {reason}" in said


def test_json_is_the_figures_of_the_page(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    failed = decision(2, attempt("a/one", "timeout", pico=5), attempt("b/two", start=1, pico=7), tenant="globex")
    refused = {
        **decision(3),
        "attempts": [],
        "model": None,
        "plan": {"refusals": [{"model": "a/one", "rule": "tenant"}]},
    }
    log.write_bytes(told(decision(1, attempt("a/one", took=3, pico=9)), failed, refused) + b"{")
    result = report(tmp_path, str(log), "--json")
    found = json.loads(result.stdout)
    assert not (tmp_path / "report.html").exists()
    assert (found["requests"], found["answered"], found["fallbacks"], found["cost_pico"]) == (3, 2, 1, 21)
    assert (found["models"]["a/one"]["failed"], found["models"]["a/one"]["latency_s"]["p50"]) == (1, 3.0)
    assert {name: own["cost_pico"] for name, own in found["tenants"].items()} == {"globex": 12, "acme": 9}
    assert found["refusals"] == {"tenant": {"requests": 1, "unserved": 1, "models": {"a/one": 1}}}
    assert [row["request_id"] for row in found["dearest"]] == ["id-2", "id-1"]
    assert (found["omitted"], found["savings"]) == ({"no JSON": 1}, None)
    assert json.loads(report(tmp_path, os.devnull, "--json").stdout)["requests"] == 0


@pytest.mark.parametrize("words", [[], ["nowhere.jsonl"], ["."]])
def test_wrong_words_are_told(tmp_path: Path, words: list[str]) -> None:
    result = report(tmp_path, *words)
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    assert len(result.stderr.splitlines()) <= 6


def test_a_page_never_takes_the_place_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "report.html"
    log.write_bytes(told(decision(1)))
    result = report(tmp_path, str(log))
    assert result.exit_code == 1
    assert "is one of the logs" in result.stderr
    assert log.read_bytes() == told(decision(1))


def test_a_compressed_log_is_not_followed(tmp_path: Path) -> None:
    log = tmp_path / "log.gz"
    log.write_bytes(gzip.compress(told(decision(1))))
    result = CliRunner().invoke(main, ["tail", str(log), "--no-follow"])
    assert result.exit_code == 1
    assert "is compressed" in result.stderr


def test_a_page_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(told(decision(1)))
    result = CliRunner().invoke(main, ["report", str(log), "-o", str(tmp_path / "no" / "such.html")])
    assert result.exit_code == 1
    assert "choose another -o" in result.stderr


def test_the_same_log_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    rows = (decision(n, attempt(f"m/{n % 9}", pico=n), tenant=f"t{n % 5}", tags=[f"x{n % 3}"]) for n in range(300))
    log.write_bytes(told(*rows))
    pages = []
    for seed in ("1", "2"):
        command = "from capability_router.cli.main import main; main()"
        where = tmp_path / f"{seed}.html"
        words = [sys.executable, "-c", command, "report", str(log), "-o", str(where)]
        subprocess.run(words, check=True, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)  # noqa: S603 - this package's own command
        pages.append(where.read_bytes())
    assert pages[0] == pages[1]


def test_only_the_newest_requests_are_kept_beyond_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 100)
    kept = ReportData.of(decision(n) for n in range(250))
    assert 90 <= len(kept.requests) <= 100
    assert kept.requests[-1].request_id == "id-249"
    assert len(kept.requests) + kept.omitted.total() == 250


def figures(*logs: Path) -> Any:
    return json.loads(CliRunner().invoke(main, ["report", *map(str, logs), "--json"]).stdout)


def scored(number: int, score: float, at: float) -> dict[str, Any]:
    return {"schema_version": 1, "kind": "feedback", "at": BEGAN + at, "request_id": f"id-{number}", "score": score}


def test_a_request_has_its_latest_score_whichever_file_is_named_first(tmp_path: Path) -> None:
    old, new = tmp_path / "log.jsonl.1", tmp_path / "log.jsonl"
    old.write_bytes(told(decision(1), scored(1, 0.25, at=5)))
    new.write_bytes(told(scored(1, 0.75, at=9), scored(1, 0.5, at=7)))
    for logs in ((new, old), (old, new)):
        assert [row["mean_score"] for row in figures(*logs)["fit"]] == [0.75]
    untimed = {name: value for name, value in scored(1, 0.1, at=0).items() if name != "at"}
    new.write_bytes(new.read_bytes() + told(untimed, {**untimed, "at": "soon"}))
    assert [row["mean_score"] for row in figures(new, old)["fit"]] == [0.75]


PLAN = {"candidates": [{"id": "a/one", "quality": 0.5, "cost_usd": 1e-9}]}


def priced(*numbers: int) -> bytes:
    return told(*(decision(n, attempt("a/one", pico=n), plan=PLAN) for n in numbers))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_beyond_a_bound_the_newest_requests_stay_whichever_file_is_named_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(module, "MOST", 100)
    old, mid, new = (tmp_path / f"log.jsonl{end}" for end in (".2", ".1", ""))
    old.write_bytes(pack(b"{torn\n" + priced(*range(80))))
    mid.write_bytes(pack(priced(*range(80, 160))))
    new.write_bytes(pack(told(scored(1, 1.0, at=160)) + priced(*range(160, 250))))
    found = figures(new, mid, old)
    kept = found["requests"]
    assert 90 <= kept <= 100
    assert found["begin"] == BEGAN + 250 - kept
    assert found["omitted"] == {"no JSON": 1, "older than the newest 1,000,000 requests": 250 - kept}
    assert (found["savings"]["requests"], found["savings"]["answered"]) == (kept, kept)
    assert found["savings"]["spent_pico"] == found["cost_pico"] == sum(range(250 - kept, 250))


def test_of_logs_of_the_same_time_the_newest_requests_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 100)
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    one.write_bytes(priced(*range(0, 200, 2)))
    two.write_bytes(priced(*range(1, 200, 2)))
    found = figures(one, two)
    assert found["begin"] >= BEGAN + 80  # the older half has gone, a batch of ten more or less
    assert found["savings"]["spent_pico"] == found["cost_pico"]


def test_the_latest_scores_stay_beyond_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 100)
    found = ReportData.of(scored(n, 1.0, at=n) for n in range(101))
    assert len(found.scores) == 100
    assert "id-100" in found.scores
    assert found.omitted.total() == 1


def test_a_pipe_among_the_logs_is_read_from_its_beginning(tmp_path: Path) -> None:
    log, pipe = tmp_path / "log.jsonl", tmp_path / "pipe"
    log.write_bytes(told(decision(1)))
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(told(decision(2), decision(3)),), daemon=True)
    writer.start()
    assert figures(log, pipe)["requests"] == 3
    writer.join()


def test_each_log_that_is_compared_has_a_line_of_its_own(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(told(decision(1)))
    others = [tmp_path / folder / name for folder in ("a", "b") for name in ("log.jsonl", "this log.jsonl")]
    for count, other in enumerate((*others, others[2]), 2):
        other.parent.mkdir(exist_ok=True)
        other.write_bytes(told(*(decision(n) for n in range(count))))
    words = [word for other in (*others, others[2]) for word in ("--against", str(other))]
    assert report(tmp_path, str(log), *words).exit_code == 0
    compared = page(tmp_path).split("<h2>Compared</h2>")[1].split("</table>")[0]
    rows = [re.sub("<[^>]*>", " ", row).split("100.0 %")[0].split() for row in compared.split("<tr>")[2:]]
    assert [(" ".join(row[:-1]), int(row[-1])) for row in rows] == [
        ("this log", 1), ("log", 2), ("this log (a)", 3), ("log (b)", 6), ("this log (b)", 5), ("log (2)", 6),
    ]  # fmt: skip


def test_a_bar_where_a_person_looks(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(told(*(decision(n) for n in range(1_000))))
    parent, child = pty.openpty()
    command = "from capability_router.cli.main import main; main()"
    words = [sys.executable, "-c", command, "report", str(log), "-o", str(tmp_path / "r.html")]
    subprocess.run(words, check=True, stderr=child, stdout=subprocess.DEVNULL)  # noqa: S603 - this package's own command
    os.close(child)
    shown = os.read(parent, 65_536).decode()
    os.close(parent)
    assert "reading" in shown
    assert "100%" in shown
