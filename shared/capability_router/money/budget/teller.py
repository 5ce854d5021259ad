"""A thread that keeps a shared store informed: what was spent, which loans go on, what is given back.

It is woken by each settlement and waits a moment after each round, so that calls in quick succession make one round.
What a process that is killed had spent within that moment is not told any more.
"""

from __future__ import annotations

import logging
import threading
import weakref
from queue import Empty, SimpleQueue

from capability_router.concurrency.lifetime import Lasting, watch
from capability_router.money.budget.budgets import Budgets

log = logging.getLogger("capability_router")
PAUSE_S = 0.01
ROUND_S = 1.0


class Teller(Lasting):
    """Runs while `budgets` are in use; ends with them, with the process, or with `close`."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets
        self._begin()
        budgets.wake = self._woken
        watch(self)

    def _begin(self) -> None:
        # May be rung from within the garbage collector. It holds who rang, until that is told: somebody who lets go
        # of the router at once loses nothing. None: the thread is to end.
        self._bell: SimpleQueue[Teller | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def _woken(self) -> None:
        self._bell.put(self)

    def start(self) -> None:
        """Begin, if it has not begun; not to be called from a settlement."""
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    args = (self._bell, weakref.ref(self))
                    self._thread = threading.Thread(target=_run, args=args, name="router teller", daemon=True)
                    self._thread.start()

    def close(self) -> None:
        """Tell all, give all back that no call under way holds. The budgets can go on being used."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._bell.put(None)
            thread.join()
            self._bell = SimpleQueue()
        self._budgets.settle_up(final=True)

    def at_exit(self) -> None:
        """Tell all before the process ends."""
        self.close()

    def after_fork(self) -> None:
        """In the child of a fork there is no thread."""
        self._begin()
        self._budgets.forked()


def _run(bell: SimpleQueue[Teller | None], whose: weakref.ref[Teller]) -> None:
    pause = threading.Event()
    goes_on = True
    while goes_on:
        goes_on, rang = _rung(bell, ROUND_S)
        if (found := rang or whose()) is None:
            return
        try:
            found._budgets.settle_up()
        except Exception:  # a defect: what was not told is kept, and the next round tries again
            log.exception("the store could not be told what was spent")
        del found, rang
        if goes_on:
            pause.wait(PAUSE_S)


def _rung(bell: SimpleQueue[Teller | None], patience_s: float) -> tuple[bool, Teller | None]:
    """Wait for the bell, and take all that was rung by now: whether to go on, and who rang."""
    rang = None
    try:
        found = bell.get(timeout=patience_s)
        while found is not None:
            rang = found
            found = bell.get_nowait()
    except Empty:
        return True, rang
    return False, rang
