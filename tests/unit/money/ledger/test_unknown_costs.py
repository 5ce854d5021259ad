"""A sum of which nothing is known is unknown, in code, JSON and tables: never 0."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from unit.money.ledger.calls import book, call, in_file

from capability_router.money.ledger.ledger import Ledger


def made(costs: dict[str, int | None], path: Path | None = None, **settings: Any) -> Ledger:
    ledger = Ledger(unix=lambda: 1_795_600_800.0) if path is None else in_file(path / "l.db", **settings)
    return book(ledger, [call(id, model=id, cost=cost) for id, cost in costs.items()])


@pytest.mark.parametrize("kept", ["memory", "file"])
def test_nothing_known_is_none_a_part_is_a_lower_bound_and_free_is_nought(kept: str, tmp_path: Path) -> None:
    path = tmp_path if kept == "file" else None
    ledger = made({"dear": 5 * 10**12, "free": 0, "unknown": None}, path)
    by = {name: (t.cost_usd, t.unpriced) for (name,), t in ledger.total(by=("model",)).items()}
    assert by == {"dear": (Decimal(5), 0), "free": (Decimal(0), 0), "unknown": (None, 1)}
    whole = ledger.total()
    assert (whole.cost_usd, whole.unpriced, whole.calls) == (Decimal(5), 1, 3)


def test_json_rows_series_and_tables_say_so_too() -> None:
    ledger = made({"dear": 5 * 10**12, "unknown": None})
    totals = ledger.total(by=("model",))
    rows = {row["model"]: (row["cost_usd"], row["cost_pico"]) for row in json.loads(json.dumps(totals.rows()))}
    assert rows["unknown"] == (None, None)
    assert rows["dear"][1] == 5 * 10**12
    (point,) = [p for p in ledger.series(by=("model",)).rows() if p["model"] == "unknown"]
    assert point["cost_usd"] is None
    shown = totals.table().html()
    assert shown.count(">unknown</td>") == 2  # the model's name, and its cost
    assert shown.index("dear") < shown.index("unknown")


def test_a_frame_has_nan_for_it() -> None:
    pandas = pytest.importorskip("pandas")
    frame = made({"dear": 5 * 10**12, "unknown": None}).total(by=("model",)).to_pandas()
    costs = dict(zip(frame["model"], frame["cost_usd"], strict=True))
    assert costs["dear"] == 5.0
    assert pandas.isna(costs["unknown"])


def test_a_ledger_without_calls_has_cost_nothing() -> None:
    assert made({}).total().cost_usd == 0
