"""A parent and its child of `multiprocessing` on one cap: python family.py URL METHOD SPENT

METHOD is one of `multiprocessing`'s ways to begin a child. The parent has a call under way when it begins the child,
which spends SPENT calls as fast as it can and ends without a word. Then the parent settles its own call.
"""

from __future__ import annotations

import multiprocessing
import sys

from stores.child import COST, hold, opened

from capability_router.money.budget.budgets import Reservation


def spend(url: str, calls: int) -> None:
    budgets, _ = opened(url, 1.0)
    for _ in range(calls):
        found = hold(budgets)
        assert isinstance(found, Reservation)
        budgets.settle(found, COST)


def main(url: str, method: str, calls: str) -> None:
    budgets, sync = opened(url, 1.0)
    own = hold(budgets)
    assert isinstance(own, Reservation)
    process = multiprocessing.get_context(method).Process(target=spend, args=(url, int(calls)))
    process.start()
    process.join()
    budgets.settle(own, COST)
    sync.close()
    sys.exit(process.exitcode)


def inherit(url: str, calls: str) -> None:
    """The same with the parent's own budgets, carried into a forked child."""
    budgets, sync = opened(url, 1.0)
    own = hold(budgets)
    assert isinstance(own, Reservation)

    def go_on() -> None:
        sync.start()
        for _ in range(int(calls)):
            found = hold(budgets)
            assert isinstance(found, Reservation)
            budgets.settle(found, COST)

    process = multiprocessing.get_context("fork").Process(target=go_on)
    process.start()
    process.join()
    budgets.settle(own, COST)
    sync.close()
    sys.exit(process.exitcode)


if __name__ == "__main__":
    url, method, calls = sys.argv[1:]
    inherit(url, calls) if method == "inherited" else main(url, method, calls)
