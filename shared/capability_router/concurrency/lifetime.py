"""The ends and the forks of a process, for what has threads and something to tell before it is too late.

A process ends in one of two ways that can be heard: by `atexit`, or, if `multiprocessing` began it by a fork, by that
package's own finalizers, for it leaves without `atexit`. One that is killed ends unheard.
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


class Lasting:
    """What is told of ends and forks once it is watched; each method may be left out."""

    def at_exit(self) -> None:
        """The process ends."""

    def before_fork(self) -> None:
        """A child is about to be made; it is to find nothing half done."""

    def pause(self) -> None:
        """All have been told that a child is about to be made: from now on nothing is to begin, until `resume`."""

    def resume(self) -> None:
        """This is the parent, and the child is made."""

    def after_fork(self) -> None:
        """This is the child: threads are gone, locks may be held for ever, what the parent does is the parent's."""


def watch(owner: Lasting) -> None:
    """Notify it from now on, as long as it is referenced."""
    _owners.add(owner)
    _heard_by_multiprocessing()


def ending() -> bool:
    """Whether the ends were told, so that nothing may begin any more.

    A thread that is begun when the interpreter is put away runs no more, and whoever begins it waits for ever (Python
    3.11), or an error says so. What is still to be done, as for a stream that nobody closed, is done at once.
    """
    return _ends.come


def forks() -> int:
    """How many forks this process is away from the first one: what began under another number is an ancestor's."""
    return _ends.forks


def end_before_what_is_there() -> None:
    """Be notified before everything registered with `atexit` so far, because that may be needed until then."""
    atexit.unregister(_at_exit)
    atexit.register(_at_exit)


_owners: weakref.WeakSet[Lasting] = weakref.WeakSet()


class _Ends:
    """Whether the ends have `come`, how many `forks` led here, and which process has its finalizer.

    `multiprocessing` holds this weakly: it lasts as long as the module. The child of a child hears twice of its
    beginning: of the fork, then of `multiprocessing`, which has forgotten meanwhile what it was asked for at the first.
    """

    def __init__(self) -> None:
        self.come = False
        self.forks = 0
        self.asked = False  # a forked child inherits what was asked for, and the answer
        self.pid: int | None = None
        self._kept: Any = None

    def finalized(self) -> None:
        """Have `multiprocessing` call at the end of this process, which it began, unless it still means to."""
        if self.pid != os.getpid() or not self._kept.still_active():
            self.pid = os.getpid()
            self._kept = sys.modules["multiprocessing.util"].Finalize(None, _at_exit, exitpriority=10)


_ends = _Ends()


def _heard_by_multiprocessing() -> None:
    """A child first forgets all finalizers, then calls what was to be called after a fork: it is asked for both."""
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
    _tell(_owners, Lasting.at_exit)


def _before_fork() -> None:
    owners = list(_owners)
    _tell(owners, Lasting.before_fork)
    _tell(owners, Lasting.pause)  # what one of them tells before a fork, another may have to write


def _after_fork_here() -> None:
    _tell(_owners, Lasting.resume)


def _after_fork() -> None:
    _ends.forks += 1
    _tell(_owners, Lasting.after_fork)
    _heard_by_multiprocessing()


def _tell(owners: Iterable[Lasting], what: Callable[[Lasting], None]) -> None:
    for owner in list(owners):
        try:
            getattr(owner, what.__name__)()
        except Exception:  # a defect of one; the others are to be told all the same
            log.exception("%r: %s did not end well", owner, what.__name__)


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_here, after_in_child=_after_fork)
