"""Real processes on one cap: together they spend it and no more, whether they end well or are killed."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from stores.child import COST

from capability_router.clock import SystemClock
from capability_router.money.budget.budgets import Budgets, FundsShortfall, Reservation, StoreTerms
from capability_router.money.budget.cap import BudgetSpec
from capability_router.stores.base import BudgetBalance
from capability_router.stores.opening import open_store

CHILD = Path(__file__).with_name("child.py")
FAMILY = Path(__file__).with_name("family.py")
METHODS = ["inherited", *multiprocessing.get_all_start_methods()]
PATIENCE_S = 60.0


def child(url: str, limit: float, calls: int, end: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(CHILD), url, str(limit), str(calls), end]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own words


def ended(process: subprocess.Popen[str]) -> Counter[str]:
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    return Counter(out.split())


def standing(url: str) -> BudgetBalance:
    store = open_store(url, SystemClock())
    (row,) = store.budgets.standings()
    store.close()
    return row


@pytest.mark.parametrize("end", ["close", "exit"])
def test_processes_spend_the_cap_whole_and_never_more(url: str, end: str) -> None:
    limit = 0.05  # 500 calls
    children = [child(url, limit, 200, end) for _ in range(4)]
    told = sum((ended(process) for process in children), Counter[str]())
    row = standing(url)
    assert told["spent"] + told["refused"] == 800
    assert (row.spent, row.reserved) == (told["spent"] * COST, 0)
    assert row.spent <= row.limit
    assert row.limit - row.spent < 3 * COST * (1 + 4 / 16) + row.limit // 16


@pytest.mark.parametrize("method", METHODS)
def test_a_child_of_multiprocessing_tells_what_it_spent_and_gives_back_the_rest(url: str, method: str) -> None:
    if method in ("inherited", "fork") and not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    environment = {**os.environ, "PYTHONPATH": str(FAMILY.parents[1])}
    command = [sys.executable, str(FAMILY), url, method, "50"]
    done = subprocess.run(command, env=environment, timeout=PATIENCE_S, check=False)  # noqa: S603 - our own words
    assert done.returncode == 0
    assert (standing(url).spent, standing(url).reserved) == (51 * COST, 0)


def test_what_is_left_when_all_have_ended_can_be_spent_to_within_one_call(url: str) -> None:
    ended(child(url, 0.01, 60, "exit"))
    told = ended(child(url, 0.01, 100, "close"))
    assert told["refused"] > 0
    assert 0 <= standing(url).limit - standing(url).spent < 3 * COST


def test_killed_processes_leave_what_they_had_told_and_no_hold_beyond_their_lease(url: str) -> None:
    children = [child(url, 0.01, 5, "hang") for _ in range(3)]
    for process in children:
        lines = [process.stdout.readline().strip() for _ in range(6)]  # type: ignore[union-attr]
        assert lines == ["spent"] * 5 + ["holding"]
    for process in children:
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    row = standing(url)
    assert row.spent == 15 * COST
    assert row.reserved >= 9 * COST  # of the dead, until their leases end
    deadline = time.monotonic() + PATIENCE_S
    while standing(url).reserved and time.monotonic() < deadline:
        time.sleep(0.05)
    told = ended(child(url, 0.01, 120, "close"))
    assert told["spent"] == 100 - 15 - 2  # 100 in all; the last two are less than what a call reserves
    assert standing(url).spent == (15 + told["spent"]) * COST


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_borrows_for_itself(url: str) -> None:
    clock = SystemClock()
    store = open_store(url, clock)
    spec = BudgetSpec("global", 0.01)
    budgets = Budgets([spec], room=store.budgets, clock=clock, terms=StoreTerms(store.name, 30.0))
    from capability_router.money.budget.store_sync import StoreSync

    sync = StoreSync(budgets)
    sync.start()
    found = budgets.reserve(["global"], 30 * COST)
    assert isinstance(found, FundsShortfall)
    hold = budgets.borrow(found)
    assert isinstance(hold, Reservation)
    pid = os.fork()
    if pid == 0:  # the child: what its parent holds is not its own, and so is what is left
        code = 1
        try:
            small = budgets.reserve(["global"], 70 * COST)
            mine = budgets.borrow(small) if isinstance(small, FundsShortfall) else small
            more = budgets.reserve(["global"], COST)
            too_much = budgets.borrow(more) if isinstance(more, FundsShortfall) else more
            if isinstance(mine, Reservation) and not isinstance(too_much, Reservation):
                budgets.settle(mine, 70 * COST)
                code = 0 if budgets.sync_leases(final=True) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    budgets.settle(hold, 30 * COST)
    sync.close()
    store.close()
    assert standing(url).spent == 100 * COST
