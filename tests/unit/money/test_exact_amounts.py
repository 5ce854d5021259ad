"""Amounts are exact wherever a program reads them, whatever decimal context its caller has set."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from capability_router import Reply, Router, Usage, routing
from capability_router.cli.main import main
from capability_router.money.price import pico, usd
from capability_router.request import Finish
from capability_router.testing import ask, scripted_router

BILL = "1234.567890123457"  # more digits than a float has, with those of the second call
CAP = {"scope": "tenant:acme", "limit_usd": 9_999_999, "window": "total"}


def spent(**settings: Any) -> Router:
    answers = [Reply(Usage(1, 1), Finish.STOP, "x", cost_usd=bill) for bill in (BILL, "0.000000000001")]
    router = scripted_router({"a": answers}, cards={"a": {"max_output_tokens": 9}}, budgets=[CAP], **settings)
    with routing(tenant="acme"):
        ask(router)
        ask(router)
    return router


EXACT = Decimal("1234.567890123458")
PICO = 1_234_567_890_123_458


@pytest.mark.parametrize("precision", [3, 28])
def test_in_rows_totals_and_exports(precision: int) -> None:
    with localcontext() as context:
        context.prec = precision
        router = spent()
        (row,) = router.budgets.rows()
        assert (row["spent_pico"], row["reserved_pico"]) == (PICO, 0)
        assert row["limit_pico"] == row["spent_pico"] + row["reserved_pico"] + row["left_pico"]
        assert row["spent_usd"] == float(EXACT)
        told = router.ledger.total().to_dict()
        assert (told["cost_usd"], told["cost_pico"]) == (str(EXACT), PICO)
        (total,) = router.ledger.total(by=("tenant",)).rows()
        assert (total["cost_pico"], total["estimated_pico"]) == (PICO, 0)
        for format in ("jsonl", "csv"):
            out = io.StringIO()
            router.ledger.export(out, format=format)
            out.seek(0)
            rows = list(csv.DictReader(out)) if format == "csv" else [json.loads(line) for line in out]
            assert [r["cost_usd"] for r in rows] == [BILL, "0.000000000001"]
            assert [int(r["cost_pico"]) for r in rows] == [PICO - 1, 1]


def test_in_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    spent().ledger.export(tmp_path / "calls.parquet")
    table = parquet.read_table(tmp_path / "calls.parquet")
    assert table["cost_usd"].to_pylist() == [Decimal(BILL), Decimal("0.000000000001")]
    assert table["cost_pico"].to_pylist() == [PICO - 1, 1]


def test_at_the_terminal(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'r.db'}"
    spent(store=store).close()
    (row,) = json.loads(CliRunner().invoke(main, ["budgets", "--store", store, "--json"]).stdout)
    assert row["spent_pico"] == PICO
    told = json.loads(CliRunner().invoke(main, ["ledger", "total", "--store", store, "--json"]).stdout)
    assert json.dumps(told).count(str(PICO)) == 1


@pytest.mark.parametrize("precision", [1, 5, 28])
def test_no_context_rounds_money(precision: int) -> None:
    with localcontext() as context:
        context.prec = precision
        for amount in (0, 1, PICO, 10**25 + 1):
            assert pico(usd(amount)) == amount
        assert pico("0.0000000000005") == 0
        assert pico("0.0000000000015") == 2


def test_a_call_that_costs_exactly_the_callers_limit_is_made() -> None:
    """As a float, some limits are a picodollar less."""
    for cents in (0.0021, 0.0042, 0.0084, 0.0157):
        card = {"price": {"input_mtok": 0, "output_mtok": 0, "per_request": str(cents)}}
        with routing(max_cost_usd=cents):
            assert ask(scripted_router({"a": ["ok"]}, cards={"a": card})).outcome.ok


def test_an_amount_of_any_number_of_digits_is_exact() -> None:
    huge = "123456789012345678901234567890123456789.123456789012"
    assert pico(huge) == int(huge.replace(".", ""))
    assert pico(Decimal(huge)) == int(huge.replace(".", ""))
