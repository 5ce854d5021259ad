"""Amounts and texts that are none, and what is told in their place."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.money.ledger.calls import book, call, in_file

from capability_router import BudgetExceeded, ConfigError, Usage, routing
from capability_router.amounts import exact
from capability_router.clock import ManualClock
from capability_router.money.bill import billed
from capability_router.money.budget.budgets import Budgets, Reservation
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.ledger.ledger import Ledger
from capability_router.money.price import pico
from capability_router.request import Reply
from capability_router.stores.opening import open_store
from capability_router.testing import ScriptedModel, ask, scripted_router


@pytest.mark.parametrize("bill", [1e8, 10_000, "1e30"])
def test_a_bill_that_no_call_comes_to_is_none(bill: Any) -> None:
    router = scripted_router({"a": [Reply(text="ok", usage=Usage(10, 5), cost_usd=bill)]})
    ask(router)
    assert router.ledger.total().cost_usd == Decimal("0.00002")


def test_a_large_bill_is_one() -> None:
    router = scripted_router({"a": [Reply(text="ok", usage=Usage(10, 5), cost_usd=9_999)]})
    ask(router)
    assert router.ledger.total().cost_usd == 9_999


def test_a_count_that_no_call_comes_to_is_none() -> None:
    router = scripted_router({"a": ScriptedModel(["ok"], usage=Usage(10**20, 5))})
    ask(router)
    (booked,) = router.ledger.calls()
    assert booked.usage.estimated
    assert booked.usage.input_tokens < 100


def test_true_is_no_amount() -> None:
    with pytest.raises(ConfigError, match="max_cost_usd"), routing(max_cost_usd=True):
        pass


def test_a_rolling_window_says_when_some_of_it_is_free() -> None:
    clock = ManualClock()
    budgets = Budgets([BudgetSpec("global", 1.0, "rolling:64")], clock=clock)
    assert budgets.rows()[0]["resets_at"] is None
    hold = budgets.reserve(["global"], 10**12)
    assert isinstance(hold, Reservation)
    budgets.settle(hold, 10**12)
    denial = budgets.reserve(["global"], 1)
    (row,) = budgets.rows()
    assert row["resets_at"] is not None
    assert f"resets at {row['resets_at']}" in denial.told  # type: ignore[union-attr]  # a Denial: nothing is left


@pytest.mark.parametrize("past_s", [0.0, 0.25, 0.5, 0.999])
def test_who_waits_until_a_rolling_window_says_finds_room(past_s: float) -> None:
    clock = ManualClock()
    clock.advance(past_s)
    budgets = Budgets([BudgetSpec("global", 1.0, "rolling:2")], clock=clock)
    hold = budgets.reserve(["global"], 10**12)
    assert isinstance(hold, Reservation)
    budgets.settle(hold, 10**12)
    resets = datetime.fromisoformat(str(budgets.rows()[0]["resets_at"])).timestamp()
    clock.advance(resets - clock.unix())
    assert isinstance(budgets.reserve(["global"], 10**12), Reservation)


def test_who_has_no_tenant_is_told_so() -> None:
    router = scripted_router({"a": ["ok"]}, budgets=[{"scope": "tenant:*", "limit_usd": 0}])
    with pytest.raises(BudgetExceeded, match=r"tenant:\(none\): ") as refused:
        ask(router)
    assert "tenant::" not in str(refused.value)


@pytest.mark.parametrize("url", ["redis://127.0.0.1/notadb", "rediss://:pw@127.0.0.1:1/0x"])
def test_a_redis_database_is_a_number(url: str) -> None:
    with pytest.raises(ConfigError, match="by its number") as refused:
        open_store(url, ManualClock())
    assert "pw" not in str(refused.value)


def test_a_sum_of_which_nothing_is_known_is_not_zero() -> None:
    ledger = book(Ledger(), [call("1", model="dark", cost=None), call("2", model="lit")])
    told = ledger.total(by=("model",)).table().text(200)
    assert "unknown" in next(line for line in told.splitlines() if line.startswith("dark"))
    assert "unknown" not in next(line for line in told.splitlines() if line.startswith("lit"))
    assert "unknown" in ledger.of(model="dark").series().table().text(200)


def test_parquet_holds_half_a_surrogate(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    ledger = book(Ledger(), [call("1", tenant="\ud800", tags=("\udfff",))])
    assert ledger.export(tmp_path / "calls.parquet") == 1
    (row,) = parquet.read_table(tmp_path / "calls.parquet").to_pylist()
    assert (row["tenant"], row["tags"]) == ("?", ["?"])


def test_short_lived_processes_keep_no_more_calls_than_are_allowed(tmp_path: Path) -> None:
    for run in range(4):
        ledger = book(in_file(tmp_path / "ledger.db", keep_calls=5), [call(f"{run}-{i}") for i in range(4)])
        ledger.close()
    reader = in_file(tmp_path / "ledger.db")
    assert [c.request_id for c in reader.calls()] == ["2-3", "3-0", "3-1", "3-2", "3-3"]
    assert reader.total().calls == 16
    reader.close()


@pytest.mark.parametrize("bill", ["1e999999", "9e300000", {"total_cost": "1e999990"}])
def test_a_bill_beyond_all_money_is_none_and_the_call_is_settled(bill: Any) -> None:
    assert billed({"cost": bill}) is None
    assert billed({"cost": 0.5, "cost_details": {"upstream_inference_cost": bill}}) == Decimal("0.5")
    with pytest.raises(ConfigError, match="finite number of USD"):
        pico(str(bill))


@given(st.decimals(0, 9_999, places=12), st.integers(1, 5))
def test_a_bill_is_exact_whatever_precision_the_application_calculates_with(cost: Decimal, digits: int) -> None:
    with localcontext(prec=digits):
        assert pico(billed({"cost": str(cost)}) or 0) == int(f"{cost:f}".replace(".", ""))
        assert exact(cost) == f"${f'{cost:f}'.rstrip('0').rstrip('.') or '0'}"
        ticks = billed({"cost_in_usd_ticks": 12_345_678_901})
    assert ticks == Decimal("1.2345678901")


def test_a_limit_of_the_request_counts_a_call_once_whose_money_a_store_lends(tmp_path: Path) -> None:
    """The account is asked again once the money is there."""
    budgets = [{"scope": "global", "limit_usd": 50, "window": "day"}]
    router = scripted_router({"a": ["ok"]}, budgets=budgets, store=f"sqlite:///{tmp_path / 'router.db'}")
    with routing(max_cost_usd=0.003):  # the call may cost $0.002056
        assert ask(router).answer  # type: ignore[attr-defined]  # set by `ask`
    router.close()
