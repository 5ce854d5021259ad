"""Notifies objects with threads or unsaved data when the process ends or forks.

The end of a process can be seen in two ways: by `atexit`, or, if `multiprocessing` started it by a fork, by that
package's own finalizers, because such a process ends without `atexit`. A killed process ends unseen.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from capability_router.concurrency import latch  # noqa: F401 - asks for forks before us: a child's latches are free then

log = logging.getLogger("capability_router")


class ProcessHooks:
    """The notifications of a watched object; each method is optional."""

    def at_exit(self) -> None:
        """The process ends."""

    def before_fork(self) -> None:
        """A child is about to be made; it must not find anything half done."""

    def pause(self) -> None:
        """All objects have been notified of the fork: nothing may begin until `resume`."""

    def resume(self) -> None:
        """This is the parent, and the child has been made."""

    def after_fork(self) -> None:
        """This is the child: threads are gone, locks may be held for ever, and the parent's work is the parent's."""


def watch(owner: ProcessHooks) -> None:
    """Notify it from now on, as long as it is referenced."""
    _owners.add(owner)
    _register_with_multiprocessing()


def ending() -> bool:
    """Whether the process is ending, so that nothing may begin any more.

    A thread that is started while the interpreter shuts down never runs, and its starter waits for ever (Python 3.11)
    or gets an error. Remaining work, such as closing an abandoned stream, is done at once.
    """
    return _ends.come


def forks() -> int:
    """How many forks separate this process from the first one: anything that began under another number is an
    ancestor's.
    """
    return _ends.forks


def register_exit_first() -> None:
    """Be notified before everything registered with `atexit` so far, because that may be needed until then."""
    atexit.unregister(_at_exit)
    atexit.register(_at_exit)


_owners: weakref.WeakSet[ProcessHooks] = weakref.WeakSet()


class _Ends:
    """Whether the end has `come`, how many `forks` led here, and which process has its finalizer.

    `multiprocessing` holds this weakly: it lasts as long as the module. A child of a child is notified twice of its
    start: by the fork, then by `multiprocessing`, which has meanwhile forgotten what was registered at the first.
    """

    def __init__(self) -> None:
        self.come = False
        self.forks = 0
        self.asked = False  # whether the after-fork hook is registered, which a forked child inherits
        self.pid: int | None = None
        self._kept: Any = None

    def finalized(self) -> None:
        """Have `multiprocessing` call at the end of this process, which it started, unless that is already
        registered.
        """
        if self.pid != os.getpid() or not self._kept.still_active():
            self.pid = os.getpid()
            self._kept = sys.modules["multiprocessing.util"].Finalize(None, _at_exit, exitpriority=10)


_ends = _Ends()


def _register_with_multiprocessing() -> None:
    """A child first forgets all finalizers, then runs its after-fork hooks: register for both."""
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    if not _ends.asked:
        _ends.asked = True
        util.register_after_fork(_ends, _Ends.finalized)
    if sys.modules["multiprocessing.process"].parent_process() is not None:
        _ends.finalized()


def _at_exit() -> None:
    _ends.come = True
    _tell(_owners, ProcessHooks.at_exit)


def _before_fork() -> None:
    owners = list(_owners)
    _tell(owners, ProcessHooks.before_fork)
    _tell(owners, ProcessHooks.pause)  # one object's data before a fork may have to be written by another


def _after_fork_here() -> None:
    _tell(_owners, ProcessHooks.resume)


def _after_fork() -> None:
    _ends.forks += 1
    _tell(_owners, ProcessHooks.after_fork)
    _register_with_multiprocessing()


def _tell(owners: Iterable[ProcessHooks], what: Callable[[ProcessHooks], None]) -> None:
    for owner in list(owners):
        try:
            getattr(owner, what.__name__)()
        except Exception:  # one object failed; the others must still be notified
            log.exception("%r: %s did not end well", owner, what.__name__)


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_here, after_in_child=_after_fork)
