"""A thread that tells the store, every two seconds, how a router's models fare.

No call waits for it, and it waits for no call: what it tells is read under the board's lock, as `router.health()` does,
and written afterwards. A report that can't be written is left out, and the next one tried. A process that ends takes
its report back; of one that was killed (also by SIGTERM, if it does not hear it) it grows old, by which a reader knows.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

from capability_router.concurrency.lifetime import Lasting, watch
from capability_router.errors import StoreError
from capability_router.log_sampling import worth_logging
from capability_router.stores.reports import ReportRoom

log = logging.getLogger("capability_router")
EVERY_S = 2.0
VERSION = 1
Told = Callable[[], list[dict[str, Any]]]
"""The rows of `router.health()`, JSON-safe."""


class Reporter(Lasting):
    """Begins with the first request (`start`); ends with the router, with the process, or with `close`."""

    def __init__(self, room: ReportRoom, name: str, told: Told, unix: Callable[[], float]) -> None:
        self._room, self._name, self._told, self._unix = room, name, told, unix
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._writer = uuid4().hex
        self._since = self._unix()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._starting = threading.Lock()

    def start(self) -> None:
        """Begin, if it has not begun. Where no thread can be had now, the next request tries again."""
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    ended = threading.Event()
                    args = (weakref.ref(self), ended, self._room, self._name, self._writer)
                    thread = threading.Thread(target=_run, args=args, name="router health reporter", daemon=True)
                    try:
                        thread.start()
                    except RuntimeError:  # the interpreter is ending, or has as many threads as it may have
                        return
                    self._thread, self._ended = thread, ended

    def report(self) -> str:
        """What is told: who tells it, since when, how often, and a row for each model."""
        return json.dumps(
            {
                "version": VERSION, "host": _host(), "pid": os.getpid(), "since": round(self._since, 3),
                "every_s": EVERY_S, "models": self._told(),
            }, separators=(",", ":"),
        )  # fmt: skip

    def close(self) -> None:
        """Take the report back; it begins anew with the next request."""
        with self._starting:  # who begins it meanwhile begins another
            thread, ended, self._thread = self._thread, self._ended, None
        if thread is not None:
            ended.set()
            if thread is not threading.current_thread():
                thread.join()

    def at_exit(self) -> None:
        """A process that has ended reports nothing."""
        self.close()

    def after_fork(self) -> None:
        """The child is another process, and reports for itself once it has made a request."""
        self._begin()


def _run(whose: weakref.ref[Reporter], ended: threading.Event, room: ReportRoom, name: str, writer: str) -> None:
    defects = _Defects()
    while True:
        found = whose()
        if found is None:
            break
        defects.apart(partial(_told, found, room, name, writer))
        del found
        if ended.wait(EVERY_S):
            break
    defects.apart(lambda: room.withdraw(name, writer))


def _told(reporter: Reporter, room: ReportRoom, name: str, writer: str) -> None:
    room.tell(name, writer, reporter.report())


class _Defects:
    """What goes wrong in the telling. Of each kind the first is logged whole, then the tenth, the hundredth, ..."""

    def __init__(self) -> None:
        self._counts = Counter[str]()

    def apart(self, tell: Callable[[], None]) -> None:
        """Health is not worth a call's trouble: a store that is away misses a report, a defect ends no thread."""
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


def _host() -> str:
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
