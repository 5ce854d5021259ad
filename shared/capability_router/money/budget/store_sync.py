"""A thread that reports to a shared store what was spent, which loans are renewed and what is given back.

Each settlement wakes it. It pauses for a moment after each round, so that quick calls share one round. If the process
is killed, what it spent within that moment is not reported.
"""

from __future__ import annotations

import logging
import weakref
from functools import partial

from capability_router.concurrency.periodic_thread import PeriodicThread, ThreadSignal
from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.money.budget.budgets import Budgets

log = logging.getLogger("capability_router")
PAUSE_S = 0.01
ROUND_S = 1.0


class StoreSync(ProcessHooks):
    """The thread runs while `budgets` is in use. It ends with it, with the process, or with `close`."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets
        self._begin()
        budgets.wake = self._woken
        watch(self)

    def _begin(self) -> None:
        self._rounds: PeriodicThread[StoreSync] = PeriodicThread(
            "router store sync", partial(_run, whose=weakref.ref(self))
        )

    def _woken(self) -> None:
        self._rounds.ring(self)

    def start(self) -> None:
        """Start the thread if it does not run; not to be called from a settlement.

        If no thread can be started now, what is spent waits, and the next request tries again.
        """
        self._rounds.start()

    def close(self) -> None:
        """Report everything and give back what no call holds. The budgets can still be used."""
        self._rounds.stop()
        self._budgets.sync_leases(final=True)

    def at_exit(self) -> None:
        """Report everything before the process ends."""
        self.close()

    def after_fork(self) -> None:
        """The child of a fork has no such thread."""
        self._begin()
        self._budgets.forked()


def _run(bell: ThreadSignal[StoreSync], whose: weakref.ref[StoreSync]) -> None:
    while True:
        rang = bell.heard(ROUND_S)
        if bell.ended.is_set() or (found := rang or whose()) is None:
            return
        try:
            found._budgets.sync_leases()
        except Exception:  # a bug; what was not reported is kept for the next round
            log.exception("spending could not be reported to the store")
        del found, rang
        bell.ended.wait(PAUSE_S)
