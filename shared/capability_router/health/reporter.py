"""A thread that writes a router's health to the store every two seconds.

Calls and this thread never wait for each other: the health is read under the board's lock, as `router.health()` does,
and written afterwards. A report that can't be written is skipped. A process that ends withdraws its report. If it is
killed (also by a SIGTERM that it does not handle), its report grows old, and readers see that.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import weakref
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

from capability_router.concurrency.periodic_thread import PeriodicThread, ThreadSignal
from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.errors import StoreError
from capability_router.log_lines import worth_logging
from capability_router.stores.reports import ReportStore

log = logging.getLogger("capability_router")
EVERY_S = 2.0
VERSION = 1
HealthRows = Callable[[], list[dict[str, Any]]]
"""The rows of `router.health()`, JSON-safe."""


class HealthReporter(ProcessHooks):
    """The thread starts with the first request. It ends with the router, with the process, or with `close`."""

    def __init__(self, room: ReportStore, name: str, told: HealthRows, unix: Callable[[], float]) -> None:
        self._room, self._name, self._told, self._unix = room, name, told, unix
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._writer = uuid4().hex
        self._since = self._unix()
        self._rounds: PeriodicThread[HealthReporter] = PeriodicThread(
            "router health reporter", partial(_run, whose=weakref.ref(self))
        )

    def start(self) -> None:
        """Start the thread if it does not run. If no thread can be started now, the next request tries again."""
        self._rounds.start()

    def report(self) -> str:
        """The report as JSON: process, start time, interval, and a row per model."""
        return json.dumps(
            {
                "version": VERSION, "host": platform.node(), "pid": os.getpid(), "since": round(self._since, 3),
                "every_s": EVERY_S, "models": self._told(),
            }, separators=(",", ":"),
        )  # fmt: skip

    def _tell(self) -> None:
        self._room.tell(self._name, self._writer, self.report())

    def close(self) -> None:
        """Withdraw the report; the next request starts reporting again."""
        self._rounds.stop()

    def at_exit(self) -> None:
        """Withdraw the report before the process ends."""
        self.close()

    def after_fork(self) -> None:
        """The child is another process, and reports for itself after its first request."""
        self._begin()


def _run(bell: ThreadSignal[HealthReporter], whose: weakref.ref[HealthReporter]) -> None:
    defects, withdraw = _ReportErrors(), None
    while (found := whose()) is not None:
        withdraw = partial(found._room.withdraw, found._name, found._writer)
        defects.apart(found._tell)
        del found
        if bell.ended.wait(EVERY_S):
            break
    if withdraw is not None:
        defects.apart(withdraw)


class _ReportErrors:
    """Errors of reporting. The first of each kind is logged in full, then the tenth, the hundredth, ..."""

    def __init__(self) -> None:
        self._counts = Counter[str]()

    def apart(self, tell: Callable[[], None]) -> None:
        """Report; neither a store that is away nor a bug ends the thread."""
        try:
            tell()
        except StoreError as error:
            log.debug("a report was not told: %s", error)
        except Exception as error:
            self._counts[type(error).__name__] += 1
            count = self._counts[type(error).__name__]
            if count == 1:
                log.exception("a report could not be told")
            elif worth_logging(count):
                name, time = type(error).__name__, f"{count:,}th"
                log.error("a report could not be told for the %s time: %s", time, name)
