"""Exports hold every call exactly, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
import os
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from unit.money.ledger.calls import T0, book, call, in_file, some

from capability_router import ConfigError, Usage
from capability_router.money.ledger.export import COLUMNS, export
from capability_router.money.ledger.ledger import Ledger

ODD = [
    '=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'quoted", 'a,b\n"c"', "größe", "plain", "",
]  # fmt: skip
CALLS = [
    *some(1, 60),
    *(call(f"odd-{n}", tenant=odd, tags=(odd, "x"), chain=odd, session=odd, cost=None) for n, odd in enumerate(ODD)),
    call("exact", cost=123_456_789_012_345, usage=Usage(1, 2, reasoning_tokens=1, cache_read_tokens=1)),
]


@pytest.fixture
def ledger() -> Ledger:
    return book(Ledger(), CALLS)


def test_jsonl_holds_all_of_a_call(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.export(tmp_path / "c.jsonl") == len(CALLS)
    rows = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text("utf-8").splitlines()]
    for row, c in zip(rows, CALLS, strict=True):
        assert tuple(row) == COLUMNS
        assert (row["request_id"], row["tenant"], row["tags"]) == (c.request_id, c.tenant, list(c.tags))
        assert row["cost_pico"] == c.cost_pico
        assert (None if row["cost_usd"] is None else Decimal(row["cost_usd"])) == c.cost_usd
        assert datetime.fromisoformat(row["at"]).timestamp() == pytest.approx(c.at, abs=1e-6)
        assert row["reasoning_tokens"] == c.usage.reasoning_tokens
        assert row["outcome"] == {None: "answered", "cancelled": "cancelled"}.get(c.fault, "failed")
    assert rows[-1]["cost_usd"] == "123.456789012345"


def test_csv_runs_nothing_and_gives_every_text_back(ledger: Ledger, tmp_path: Path) -> None:
    ledger.export(tmp_path / "c.csv")
    with (tmp_path / "c.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert not [cell for row in rows for cell in row.values() if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    for row, c in zip(rows, CALLS, strict=True):
        back = {name: cell.removeprefix("'") for name, cell in row.items()}
        assert (back["tenant"], back["chain"], back["session"]) == (c.tenant, c.chain, c.session)
        assert json.loads(row["tags"]) == list(c.tags)
        assert row["cost_pico"] == ("" if c.cost_pico is None else str(c.cost_pico))
        assert row["estimated"] == str(c.estimated).lower()


def test_parquet_has_types(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow
    from pyarrow import parquet

    monkeypatch.setattr("capability_router.money.ledger.export._CHUNK", 25)  # several row groups
    assert ledger.export(tmp_path / "c.parquet") == len(CALLS)
    table = parquet.read_table(tmp_path / "c.parquet")
    assert tuple(table.column_names) == COLUMNS
    assert table.schema.field("cost_usd").type == pyarrow.decimal128(38, 12)
    assert table.schema.field("cost_pico").type == pyarrow.int64()
    rows = table.to_pylist()
    assert [(r["request_id"], r["tenant"], r["tags"], r["cost_pico"], r["cost_usd"], r["at"]) for r in rows] == [
        (c.request_id, c.tenant, list(c.tags), c.cost_pico, c.cost_usd, datetime.fromtimestamp(c.at, UTC))
        for c in CALLS
    ]
    assert parquet.ParquetFile(tmp_path / "c.parquet").num_row_groups == 3


def test_an_empty_export_is_a_whole_file(tmp_path: Path) -> None:
    ledger = Ledger()
    assert [ledger.export(tmp_path / f"e.{form}") for form in ("jsonl", "csv")] == [0, 0]
    assert (tmp_path / "e.csv").read_text().split(",")[0] == "at"
    parquet = pytest.importorskip("pyarrow.parquet")
    assert ledger.export(tmp_path / "e.parquet") == 0
    assert tuple(parquet.read_table(tmp_path / "e.parquet").column_names) == COLUMNS


def test_it_is_narrowed(ledger: Ledger) -> None:
    out = io.StringIO()
    count = ledger.of(tenant="acme").export(out, since=T0 + 3_600)
    assert count == sum(c.tenant == "acme" and c.at >= T0 + 3_600 for c in CALLS) > 0
    assert {json.loads(line)["tenant"] for line in out.getvalue().splitlines()} == {"acme"}


def test_an_open_file_is_written_to_and_left_open(ledger: Ledger) -> None:
    out = io.StringIO()
    ledger.export(out, "csv")
    assert out.getvalue().startswith("at,request_id,")
    assert not out.closed


def test_a_failed_export_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("before")

    def broken() -> Any:
        yield CALLS[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(ConfigError, match="No space left"):
        export(broken(), path, None)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["c.csv"]
    with pytest.raises(ConfigError, match="choose another path"):
        export([], tmp_path / "nowhere" / "c.csv", None)


def test_a_new_file_is_its_owners_and_an_old_one_keeps_its_mode(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    ledger.export(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    ledger.export(path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_an_export_holds_a_page_of_calls_and_not_all(tmp_path: Path) -> None:
    ledger = in_file(tmp_path / "l.db")
    book(ledger, (call(f"r{n}", at=T0 + n) for n in range(12_000)))
    ledger.close()
    tracemalloc.start()
    coming = ledger.each_call()
    list(islice(coming, 10))
    page = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    assert export(coming, os.devnull, "jsonl") == 11_990
    assert tracemalloc.get_traced_memory()[1] < 2.5 * page  # two pages, where one ends and the next begins
    tracemalloc.stop()
