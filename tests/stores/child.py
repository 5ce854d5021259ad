"""A process of its own that spends from a shared cap: python child.py URL LIMIT CALLS END [CONFIG]

It prints a line for each settled call, and "refused" for each that the cap left no room for. END: "close" gives back
what is lent, "exit" leaves that to the end of the process, "hang" reserves once more, prints "holding" and waits to
be killed. The cost of a call is 0.0001 USD, of which 0.0003 are reserved.
"""

from __future__ import annotations

import sys
import time

from capability_router.clock import SystemClock
from capability_router.money.budget.budgets import Budgets, FundsShortfall, Reservation, StoreTerms
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.store_sync import StoreSync
from capability_router.stores.opening import open_store

COST = 10**8


def hold(budgets: Budgets) -> bool | Reservation:
    found = budgets.reserve(["global"], 3 * COST)
    found = budgets.borrow(found) if isinstance(found, FundsShortfall) else found
    return found if isinstance(found, Reservation) else False


def opened(url: str, limit: float, lease_s: float = 2.0) -> tuple[Budgets, StoreSync]:
    clock = SystemClock()
    store = open_store(url, clock)
    terms = StoreTerms(store.name, lease_s)
    budgets = Budgets([BudgetSpec("global", limit)], room=store.budgets, clock=clock, terms=terms)
    sync = StoreSync(budgets)
    sync.start()
    return budgets, sync


def main(url: str, limit: str, calls: str, end: str) -> None:
    lease_s = 2.0 if end == "hang" else 60.0  # a process that a busy machine stops for longer may spend beyond the cap
    budgets, sync = opened(url, float(limit), lease_s)
    for _ in range(int(calls)):
        found = hold(budgets)
        if isinstance(found, Reservation):
            budgets.settle(found, COST)
        print("spent" if found else "refused", flush=True)
    if end == "close":
        sync.close()
    if end == "hang":
        budgets.sync_leases()
        print("holding" if hold(budgets) else "refused", flush=True)
        time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
