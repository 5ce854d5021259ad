"""An SQLite file that is removed or replaced while a process uses it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from capability_router.clock import ManualClock
from capability_router.errors import StoreError
from capability_router.stores.base import BudgetPeriod, LeaseClaim
from capability_router.stores.sqlite.store import SqliteStore

POT = BudgetPeriod("global|total", "", 1_000)


def claim(spent: int, number: int, least: int = 0) -> LeaseClaim:
    return LeaseClaim(POT, "a", spent, least=least, wish=least, number=number)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> SqliteStore:
    return SqliteStore(tmp_path / "r.db", clock.unix, now=clock.now)


def remove(path: Path) -> None:
    for each in path.parent.iterdir():
        each.unlink()


def told(caplog: pytest.LogCaptureFixture) -> int:
    return sum("was removed or replaced while this process used it" in each.getMessage() for each in caplog.records)


def test_who_used_a_file_that_is_removed_goes_on_in_a_new_one_where_the_cap_still_holds(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.budgets.claim(claim(900, 1))
    assert [row.spent for row in store.budgets.standings()] == [900]  # both connections are open
    for round in (1, 2):
        remove(store.database.path)
        assert store.budgets.claim(claim(900, 2 * round, least=200)).lent == 0  # it says again what it has spent
        assert store.database.path.exists()
        assert [row.spent for row in store.budgets.standings()] == [900]
        assert told(caplog) == round  # by both connections together
    store.close()


def test_a_file_that_takes_its_place_is_the_store(
    store: SqliteStore, tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    copy = SqliteStore(tmp_path / "copy.db", clock.unix)
    copy.budgets.claim(LeaseClaim(POT, "b", 500))
    copy.close()
    assert store.budgets.claim(claim(10, 1)).spent == 10
    for tail in ("-wal", "-shm"):
        (tmp_path / f"r.db{tail}").unlink()
    (tmp_path / "copy.db").rename(tmp_path / "r.db")
    assert store.budgets.claim(claim(10, 2)).spent == 510
    assert told(caplog) == 1
    store.close()


def test_a_folder_that_goes_is_an_error_until_it_is_back(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    store.budgets.claim(claim(10, 1))
    folder = store.database.path.parent
    away = folder.with_name("away")
    folder.rename(away)
    with pytest.raises(StoreError, match=r"r\.db can't be used: No such file or directory"):
        store.budgets.claim(claim(20, 2))
    away.rename(folder)
    assert store.budgets.claim(claim(30, 3)).spent == 30
    assert told(caplog) == 1
    store.close()


def test_nothing_is_told_of_a_file_that_stays(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            store.budgets.claim(claim(number, number))
            store.close()
            store.budgets.standings()
    assert not caplog.records
    store.close()
