"""An SQLite file that another program holds: a backup, an open transaction."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from capability_router.clock import ManualClock
from capability_router.errors import StoreError
from capability_router.stores.base import BudgetPeriod, LeaseClaim
from capability_router.stores.sqlite import store as store_module
from capability_router.stores.sqlite.store import SqliteStore

BORROWS = LeaseClaim(BudgetPeriod("global|total", "", 1_000), "a", 0, least=100, wish=100)


def test_a_file_that_somebody_holds_is_not_waited_for_by_every_call(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(tmp_path / "r.db", clock.unix, now=clock.now)
    store.database._busy_s = 0.01
    store.budgets.claim(BORROWS)
    with closing(sqlite3.connect(tmp_path / "r.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):  # who failed at once may try at once
            with pytest.raises(StoreError, match="can't be used: database is locked"):
                store.budgets.claim(BORROWS)
        monkeypatch.setattr(store_module, "_SLOW_S", 0.0)
        with pytest.raises(StoreError, match="can't be used: database is locked"):
            store.budgets.claim(BORROWS)
        with pytest.raises(StoreError, match=r"r\.db is away \(another process holds the file\); it is asked again"):
            store.budgets.claim(BORROWS)
        other.execute("ROLLBACK")
    clock.advance(0.6)
    assert store.budgets.claim(BORROWS).lent >= BORROWS.least
    store.close()
