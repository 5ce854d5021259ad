"""`capability-router ledger`: what a person at a terminal sees."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from unit.money.ledger.calls import book, call, in_file, some

from capability_router.cli.main import main

LAST = call(
    "last", model="anthropic/claude-sonnet-4-5-20250929", tenant="globex international corporation",
    chain="summarise-the-contract", tags=("nightly", "prod"), at=1_795_710_000.0,
)  # fmt: skip
CALLS = [*some(1, 120), LAST]


@pytest.fixture
def store(tmp_path: Path) -> str:
    ledger = book(in_file(tmp_path / "r.db"), CALLS)
    ledger.close()
    return f"sqlite:///{tmp_path}/r.db"


def run(*words: str, columns: int | None = None) -> Result:
    return CliRunner(env={"COLUMNS": str(columns) if columns else ""}).invoke(main, ["ledger", *words])


def test_totals_as_a_table(store: str) -> None:
    shown = run("total", "--store", store, "--by", "tenant, model").output.splitlines()
    assert shown[0].split()[:2] == ["tenant", "model"]
    assert len(shown) == 1 + len({(c.tenant, c.model) for c in CALLS})
    costs = [float(line.split()[-3].replace(",", "")) for line in shown[1:]]
    assert costs == sorted(costs, reverse=True)
    assert run("total", "--store", store, "--by", "tenant", "--by", "model").output.splitlines() == shown


@pytest.mark.parametrize("words", [
    ("total", "--by", "tenant,model,chain"), ("series", "--by", "tenant,model", "--step", "hour"), ("calls",),
])  # fmt: skip
@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_tables_fit(store: str, words: tuple[str, ...], columns: int) -> None:
    result = run(words[0], "--store", store, *words[1:], columns=columns)
    assert result.exit_code == 0
    assert max(map(len, result.output.splitlines())) <= columns
    if columns == 200:
        assert "anthropic/claude-sonnet-4-5-20250929" in result.output


def test_json_is_exact(store: str) -> None:
    (row,) = json.loads(run("total", "--store", store, "--by", "tenant", "--where", "tenant=acme", "--json").output)
    own = [c for c in CALLS if c.tenant == "acme"]
    assert row["cost_pico"] == sum(c.cost_pico or 0 for c in own)
    assert (row["tenant"], row["calls"], row["unpriced"]) == ("acme", len(own), sum(c.cost_pico is None for c in own))
    points = json.loads(run("series", "--store", store, "--step", "day", "--json").output)
    assert sum(point["calls"] for point in points) == len(CALLS)
    assert json.loads(run("total", "--store", store, "--json").output)[0]["calls"] == len(CALLS)


def test_calls_and_their_filters(store: str) -> None:
    rows = json.loads(run("calls", "--store", store, "--last", "3", "--json").output)
    assert [row["request_id"] for row in rows] == [c.request_id for c in CALLS[-3:]]
    both = ("--where", "tenant=acme", "--where", "tenant=globex")
    few = run("calls", "--store", store, *both, "--json", "--last", "999")
    assert {row["tenant"] for row in json.loads(few.output)} == {"acme", "globex"}
    since = run("calls", "--store", store, "--since", "2026-11-26T01:00", "--json", "--last", "999")
    assert len(json.loads(since.output)) == sum(c.at >= 1_795_654_800 for c in CALLS)
    assert "unknown" in run("calls", "--store", store, "--last", "120").output


def test_export(store: str, tmp_path: Path) -> None:
    out = tmp_path / "calls.csv"
    assert run("export", "--store", store, "-o", str(out)).output == f"{out}: {len(CALLS)} calls\n"
    with out.open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(CALLS)
    lines = run("export", "--store", store, "-o", "-", "--where", "tenant=acme").output.splitlines()
    assert len(lines) == sum(c.tenant == "acme" for c in CALLS)
    pytest.importorskip("pyarrow")
    assert run("export", "--store", store, "-o", str(tmp_path / "calls.parquet")).exit_code == 0


def test_the_store_of_a_config(store: str, tmp_path: Path) -> None:
    config = tmp_path / "router.yaml"
    model = "models: [{id: m, endpoint: {base_url: 'http://127.0.0.1:9/v1', model: m}}]\n"
    config.write_text(f"{model}store: {store}\n")
    assert json.loads(run("total", "--config", str(config), "--json").output)[0]["calls"] == len(CALLS)
    config.write_text(f"{model}ledger: {{store: {store}}}\n")
    assert json.loads(run("total", "--config", str(config), "--json").output)[0]["calls"] == len(CALLS)


@pytest.mark.parametrize(("words", "told"), [
    (("total", "--by", "tennant"), "did you mean 'tenant'"),
    (("total", "--where", "tenant"), "write NAME=VALUE"),
    (("total", "--where", "tennant=a"), "did you mean 'tenant'"),
    (("series", "--step", "dya"), "did you mean 'day'"),
    (("calls", "--since", "soon"), "is no point in time"),
    (("export", "-o", "calls.xls"), "names no format"),
])  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(store: str, words: tuple[str, ...], told: str) -> None:
    result = run(words[0], "--store", store, *words[1:])
    assert result.exit_code == 1
    assert told in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("store", "told"), [
    ("sqlite:////nowhere/r.db", "no store at"), ("memory://", "keeps no ledger"), ("redis://h/0", "keeps no ledger"),
    ("sqlite://", "sqlite:///router.db"),
])  # fmt: skip
def test_a_store_that_is_none(store: str, told: str) -> None:
    result = run("total", "--store", store)
    assert result.exit_code == 1
    assert told in result.output


def test_without_store_or_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "give --store" in run("total").output


def test_nothing_booked(tmp_path: Path, store: str) -> None:
    in_file(tmp_path / "empty.db").total()  # which makes it
    for found in (run("total", "--store", f"sqlite:///{tmp_path}/empty.db"),
                  run("calls", "--store", store, "--where", "tenant=nobody")):  # fmt: skip
        assert found.exit_code == 0
        assert "no calls are booked there" in found.output
