"""A thread that reports to a shared store what was spent, which loans are renewed and what is given back.

Each settlement wakes it. It pauses for a moment after each round, so that quick calls share one round. If the process
is killed, what it spent within that moment is not reported.
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


class StoreSync(Lasting):
    """The thread runs while `budgets` is in use. It ends with it, with the process, or with `close`."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets
        self._begin()
        budgets.wake = self._woken
        watch(self)

    def _begin(self) -> None:
        # Signals may come from the garbage collector. The queue holds a reference to the sender until its spending is
        # reported, so a router that is dropped right after a call loses nothing. None: the thread is to end.
        self._signals: SimpleQueue[StoreSync | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def _woken(self) -> None:
        self._signals.put(self)

    def start(self) -> None:
        """Start the thread if it does not run; not to be called from a settlement.

        If no thread can be started now, what is spent waits, and the next request tries again.
        """
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    args = (self._signals, weakref.ref(self))
                    thread = threading.Thread(target=_run, args=args, name="router store sync", daemon=True)
                    try:
                        thread.start()
                    except RuntimeError:  # the interpreter is ending, or the thread limit is reached
                        return
                    self._thread = thread

    def close(self) -> None:
        """Report everything and give back what no call holds. The budgets can still be used."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._signals.put(None)
            thread.join()
            self._signals = SimpleQueue()
        self._budgets.settle_up(final=True)

    def at_exit(self) -> None:
        """Report everything before the process ends."""
        self.close()

    def after_fork(self) -> None:
        """The child of a fork has no such thread."""
        self._begin()
        self._budgets.forked()


def _run(signals: SimpleQueue[StoreSync | None], whose: weakref.ref[StoreSync]) -> None:
    pause = threading.Event()
    goes_on = True
    while goes_on:
        goes_on, rang = _rung(signals, ROUND_S)
        if (found := rang or whose()) is None:
            return
        try:
            found._budgets.settle_up()
        except Exception:  # a bug; what was not reported is kept for the next round
            log.exception("spending could not be reported to the store")
        del found, rang
        if goes_on:
            pause.wait(PAUSE_S)


def _rung(signals: SimpleQueue[StoreSync | None], patience_s: float) -> tuple[bool, StoreSync | None]:
    """Wait for a signal and take all that have come: whether to go on, and the last sender."""
    rang = None
    try:
        found = signals.get(timeout=patience_s)
        while found is not None:
            rang = found
            found = signals.get_nowait()
    except Empty:
        return True, rang
    return False, rang
