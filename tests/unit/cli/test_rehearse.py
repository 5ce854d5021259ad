from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from unit.rehearsal.configurations import config, model
from unit.report.decisions import decision

from capability_router.cli.main import main


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with a store, a ledger and a log, none of which is there yet; and no key."""
    for name in ("ACME_KEY", "B_KEY"):
        monkeypatch.delenv(name, raising=False)
    words = config(
        model("a", "acme", tags=["prod"]), model("b"), store=f"sqlite:///{tmp_path / 'router.db'}",
        telemetry={"jsonl": str(tmp_path / "decisions.jsonl")},
    )  # fmt: skip
    path = tmp_path / "router.yaml"
    path.write_text(json.dumps(words), encoding="utf-8")
    return path


def run(house: Path, *words: str) -> Result:
    result = CliRunner().invoke(main, ["rehearse", str(house), *words], env={"COLUMNS": ""})
    assert {path.name for path in house.parent.iterdir()} <= {"router.yaml", "log.jsonl", "page.html", "day.txt"}
    return result


def test_a_game_day_tells_what_happened(house: Path) -> None:
    result = run(house, "--faults", "outage:acme@30s+60s")
    assert result.exit_code == 0
    assert result.stdout.startswith("router.yaml: ")
    assert "outage:acme@30s+60s, from 30 s to 90 s" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("expect", "code"), [("success>=90%", 0), ("success>=90%,p95<=1ms", 1), ("success>=101%", 2), ("speed>1", 2)]
)
def test_the_exit_code_says_whether_it_went_as_expected(house: Path, expect: str, code: int) -> None:
    result = run(house, "-f", "outage:acme@30s+10s", "--seconds", "60", "--expect", expect, "--no-advice")
    assert result.exit_code == code
    assert ("Error: expect" in result.stderr) is (code == 2)


def test_json_is_the_same_bytes_whatever_hashes_are_drawn(house: Path) -> None:
    told = ["rehearse", str(house), "-f", "errors=0.4:a@10s+20s", "-f", "slow=x3:tag:prod", "--seconds", "40", "--json"]
    code = "from capability_router.cli.main import main; main()"
    command = [sys.executable, "-c", code, *told]
    outputs = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, capture_output=True, env=env, check=True)  # noqa: S603 - our own command
        outputs.add(done.stdout)
    (output,) = outputs
    found = json.loads(output)
    assert found["schema_version"] == 1
    assert [fault["models"] for fault in found["faults"]] == [["a"], ["a"]]
    assert found["router"]["all"]["requests"] == found["traffic"]["requests"] > 100


def test_faults_come_from_files_and_presets_too(house: Path) -> None:
    script = house.parent / "day.txt"
    script.write_text("slow=x2:b@5s+5s  # the other one\n", encoding="utf-8")
    result = run(house, "--faults-file", str(script), "--preset", "key-revoked", "--seconds", "40", "--json")
    assert [f["fault"] for f in json.loads(result.stdout)["faults"]] == ["slow=x2:b@5s+5s", "auth:key:ACME_KEY@25%"]


def test_traffic_comes_from_a_log(house: Path) -> None:
    log = house.parent / "log.jsonl"
    records = [decision(n * 0.5, plan={"needs": ["image_inputs"]}) for n in range(60)]
    log.write_text("".join(json.dumps(record) + "\n" for record in records) + "torn {", encoding="utf-8")
    result = run(house, "--traffic", str(log), "--speed", "2", "-f", "outage:acme@5s+5s", "--json")
    found = json.loads(result.stdout)
    assert found["traffic"] == {"requests": 60, "seconds": 15.25, "told": "log.jsonl, 2 times as dense"}
    assert "log.jsonl: 1 line was left out: 1 × no JSON" in found["notes"]


def test_a_page_is_written_beside_the_text(house: Path) -> None:
    page = house.parent / "page.html"
    result = run(house, "-f", "outage:acme@10s+10s", "--seconds", "40", "-o", str(page))
    assert result.exit_code == 0
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "page.html: " in result.stderr


def test_a_page_to_standard_output_is_nothing_but_the_page(house: Path) -> None:
    result = run(house, "--seconds", "10", "-o", "-")
    assert result.stdout.startswith("<!DOCTYPE html>")
    assert result.stdout.rstrip().endswith("</html>")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-f", "outage:acm"], "did you mean 'acme'"),
        (["-f", "outage:acme@90s", "--seconds", "60"], "the run ends at 60 s"),
        (["--traffic", "none.jsonl"], "cannot read the decision log 'none.jsonl'"),
        (["--traffic", "x", "--rate", "3"], "--rate makes traffic up"),
        (["--speed", "2"], "--speed goes with --traffic"),
        (["--latency", "a"], "write MODEL=TTFT,TPS"),
        (["--tenants", "a:b"], "cannot read the tenant"),
        (["-o", "/none/page.html", "--seconds", "5", "-f", "outage"], "cannot write '/none/page.html'"),
        (["--rate", "0"], "rate must be a number above 0"),
    ],
)
def test_what_is_wrong_is_told_with_exit_code_2(house: Path, words: list[str], told: str) -> None:
    result = run(house, *words)
    assert (result.exit_code, told in result.stderr) == (2, True), result.stderr


def test_a_configuration_that_is_wrong_is_told(tmp_path: Path) -> None:
    path = tmp_path / "router.yaml"
    assert "there is no file" in run(path).stderr
    path.write_text("models: []\n", encoding="utf-8")
    assert run(path).exit_code == 2
    path.write_text("models: [{id: a, endpoint: {base_url: '${HOST}', model: m}}]\n", encoding="utf-8")
    assert "stand-ins were put in for HOST" in run(path).stderr


@pytest.mark.parametrize("url", ["${HOUSE_URL}", "http://${HOST}:8000/v1"])
def test_an_address_from_a_variable_that_is_not_set_is_rehearsed(tmp_path: Path, url: str) -> None:
    path = tmp_path / "router.yaml"
    path.write_text(f"models: [{{id: a, endpoint: {{base_url: '{url}', model: m}}}}]\n", encoding="utf-8")
    assert run(path, "--seconds", "5").exit_code == 0


def test_all_that_can_be_written_is_listed() -> None:
    result = CliRunner().invoke(main, ["rehearse", "--list"])
    assert result.exit_code == 0
    for word in ("rate-limit=TIME", "provider-down", "success-during"):
        assert word in result.stdout


def test_bars_where_a_person_looks_one_after_the_other(house: Path) -> None:
    log = house.parent / "log.jsonl"
    log.write_text("".join(json.dumps(decision(n * 0.1)) + "\n" for n in range(400)), encoding="utf-8")
    parent, child = pty.openpty()
    command = "from capability_router.cli import rehearse as r; r._LONG = r._LARGE = 1; r.rehearse()"
    words = [sys.executable, "-c", command, str(house), "--traffic", str(log)]
    shown = ""
    with subprocess.Popen(words, stderr=child, stdout=subprocess.DEVNULL):  # noqa: S603 - this package's own command
        os.close(child)
        with suppress(OSError):  # which is how a terminal ends
            while piece := os.read(parent, 65_536):
                shown += piece.decode()
    os.close(parent)
    reading, rehearsing = shown.rindex("reading"), shown.index("rehearsing")
    assert reading < rehearsing
    assert "100%" in shown[reading:rehearsing]
    assert "100%" in shown[rehearsing:]
