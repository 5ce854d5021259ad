"""Gives records to a sink in a separate thread, so that a slow sink does not delay calls.

A call still waits a moment for a sink that was fast so far, so that its record is there right after the call. After a
sink was late, it is not waited for until many records later.
"""

from __future__ import annotations

import logging
import os
import weakref
from queue import Empty, SimpleQueue
from threading import Lock, RLock, Thread, current_thread
from typing import Any, NamedTuple, Protocol

from capability_router.concurrency.longest_wait import at_most
from capability_router.concurrency.process_hooks import ProcessHooks, ending, register_exit_first, watch
from capability_router.log_lines import worth_logging

MOST = 10_000
"""The most records that wait for one sink; further ones are dropped and counted."""
PATIENCE_S = 0.05  # the longest wait of a call for a fast sink; a busy machine may take this long to wake a thread
CLOSING_S = 10.0  # the longest wait of `close` for records under way
_PAUSE, _LONGEST_PAUSE = 50, 3_200  # records after which a late sink is waited for again, doubled each time

log = logging.getLogger("capability_router")
Record = dict[str, Any]


class Sink(Protocol):
    """Takes records, one at a time, always in the same thread."""

    def write(self, record: Record) -> None: ...
    def close(self) -> None: ...


class _Queued(NamedTuple):
    """A record to write, or None to learn when all before it are written. `done`: a lock that is released then."""

    record: Record | None
    done: Any = None
    last: bool = False


class DroppedRecords:
    """Counts records that a sink did not get; logged at the first, the tenth, the hundredth, ..."""

    def __init__(self, sink: object) -> None:
        self.count = 0
        self._name = repr(sink)
        self._lock = RLock()  # a stream that the garbage collector closes comes by in the middle of anything

    def add(self, why: str) -> None:
        """Count one more lost record, with the reason."""
        with self._lock:
            self.count = count = self.count + 1
        if worth_logging(count):
            log.warning("decision record dropped (%d so far): %s %s", count, self._name, why)


class SinkThread(ProcessHooks):
    """Thread-safe, and may be called by the garbage collector. The thread runs from the first record to `close`.

    While the process ends, records are written at once, in the calling thread.
    """

    def __init__(self, sink: Sink) -> None:
        self.sink, self._pace = sink, _Backpressure()
        self._set_out()
        watch(self)

    def write(self, record: Record) -> None:
        """Queue the record for the sink; raises nothing."""
        if self._route.waiting >= MOST:
            self.losses.add(f"is behind by {MOST:,}")
        elif self._pace.waits() and not self._is_sink:
            self._pace.seen(self._route.passed(record, PATIENCE_S))
        else:
            self._route.take(_Queued(record))

    def flush(self, timeout_s: float = CLOSING_S) -> bool:
        """Wait until all records so far are written; False = they were not within `timeout_s`.

        Called by the sink itself it returns False at once, because the sink has not finished its record.
        """
        return not self._route.begun or self._route.passed(None, 0.0 if self._is_sink else timeout_s)

    def close(self, timeout_s: float = CLOSING_S) -> None:
        """Write the queued records and close the sink; a later record opens it again."""
        if not self._route.begun:
            self.sink.close()
        elif self._is_sink:
            self._route.take(_Queued(None, last=True))
        elif not self._route.passed(None, timeout_s, last=True):
            told = "%r did not take its records (wait: %g s at most): %d left"
            log.warning(told, self.sink, timeout_s, self._route.waiting)

    def at_exit(self) -> None:
        """Write the queued records."""
        if self._route.begun:
            self.close()

    def after_fork(self) -> None:
        """The parent writes the records that were queued before the fork."""
        self._end.detach()
        self._set_out()

    @property
    def _is_sink(self) -> bool:
        """Whether the caller is the sink, in its own thread."""
        return self._route.is_own(current_thread())

    def _set_out(self) -> None:
        self.losses = DroppedRecords(self.sink)
        self._route = _RecordQueue(self.sink, self.losses)
        self._end = weakref.finalize(self, self._route.end)
        self._end.atexit = False  # that is `at_exit`


class _Backpressure:
    """Whether calls wait for the sink."""

    def __init__(self) -> None:
        self._left, self._pause = 0, _PAUSE

    def waits(self) -> bool:
        if self._left:
            self._left -= 1
        return not self._left

    def seen(self, prompt: bool) -> None:
        if not prompt:
            self._left, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)


class _RecordQueue:
    """The queue and its thread. The thread refers to this object, not to the SinkThread, which may be deleted."""

    def __init__(self, sink: Sink, losses: DroppedRecords) -> None:
        self._sink, self._losses = sink, losses
        self._items: SimpleQueue[_Queued] = SimpleQueue()  # its `put` may be interrupted by itself
        self._beginning = Lock()
        self._thread: Thread | None = None
        self._ends_first = False

    @property
    def begun(self) -> bool:
        """Whether there may be records to write."""
        return self._thread is not None or self.waiting > 0

    @property
    def waiting(self) -> int:
        return self._items.qsize()

    def is_own(self, thread: Thread) -> bool:
        return thread is self._thread

    def take(self, item: _Queued) -> bool:
        """Queue the item; False = it waits for a later one, because no thread can be started now."""
        self._items.put(item)
        if self._thread is None and self._beginning.acquire(blocking=False):  # else its holder starts the thread
            try:
                return self._begin()
            finally:
                self._beginning.release()
        return True

    def passed(self, record: Record | None, timeout_s: float, *, last: bool = False) -> bool:
        """Queue the record; whether it, and all before it, were written within `timeout_s`."""
        done = Lock()
        done.acquire()
        return self.take(_Queued(record, done, last)) and done.acquire(timeout=at_most(timeout_s))

    def end(self) -> None:
        """Accept no more records."""
        if self._thread is not None:
            self._items.put(_Queued(None, last=True))

    def _begin(self) -> bool:
        if self._thread is not None:
            return True
        if ending():
            self._work_off()
            return True
        thread = Thread(target=self._work, name="router telemetry", daemon=True)
        self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # no thread can be started; the next record tries again
            self._thread = None
            return False
        if not self._ends_first:  # an exporter, or the sink's own connection, is of no use once it is closed
            register_exit_first()
            self._ends_first = True
        return True

    def _work_off(self) -> None:
        while True:
            try:
                item = self._items.get_nowait()
            except Empty:
                return
            self._hand_over(item)

    def _work(self) -> None:
        while True:
            item = self._items.get()
            self._hand_over(item)
            if item.last:
                self._thread = None
                if self._items.empty() or not self._resumed():
                    return

    def _resumed(self) -> bool:
        """Whether this thread goes on, because a record came just before it ended and no new thread has started."""
        with self._beginning:
            if self._thread is None:
                self._thread = current_thread()
            return self._thread is current_thread()

    def _hand_over(self, item: _Queued) -> None:
        try:
            if item.record is not None:
                self._sink.write(item.record)
            if item.last:
                self._sink.close()
        except BaseException as error:  # noqa: BLE001 - a CancelledError, too, would end the thread, and all later records
            self._losses.add(f"failed with {_named(error)}")
        finally:
            if item.done is not None:
                item.done.release()


def _named(error: BaseException) -> str:
    """The error's class, with the system's text for an OSError; other texts may contain anything."""
    told = os.strerror(error.errno) if isinstance(error, OSError) and isinstance(error.errno, int) else ""
    return f"{type(error).__name__} ({told})" if told else type(error).__name__
