"""The ledger in a store: settled calls are queued, and a thread writes them to the store in batches.

Settling a call costs an append, whatever the store does. While the store is away, the queue grows. When it is full,
further calls are added to the sums, but not kept one by one: `dropped` counts them. A batch is written whole or not at
all. It has a number, so that it is written once even if the outcome of a write is unknown.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from capability_router.clock import SystemClock
from capability_router.concurrency.deferring_lock import DeferringLock
from capability_router.concurrency.process_hooks import ProcessHooks, ending, watch
from capability_router.errors import StoreError
from capability_router.money.ledger.call import ANSWERED, Call
from capability_router.money.ledger.cells import DAY_S, HOUR_S, Cells, book, hour_of
from capability_router.money.ledger.ledger_backend import DAYS_KEPT, Row
from capability_router.request import Usage
from capability_router.stores.calls import CallQuery, CallStore, HourlySums
from capability_router.stores.surrogates import sound

log = logging.getLogger("capability_router")
LINE_KEPT = 100_000  # calls that wait for the store at most
_BATCH = 1_000
_PAUSE_S = 0.1  # for which calls are gathered, so that one transaction takes many
_PATIENCE_S = (0.5, 30.0)  # between two attempts when the store is away: at first, at most
_LAST_TRIES = 3  # before calls are given up: others may keep a file locked for longer than one try waits
_MOST = 10**16  # 10,000 USD for one call, or as many tokens: no provider means that
_OWN = ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens", "estimated")
_REST = tuple(f.name for f in fields(Usage) if f.name not in _OWN)


class WriteBatch(NamedTuple):
    """What is written in one transaction. `size`: the calls in it, kept singly or not."""

    number: int
    calls: list[tuple[Any, ...]]
    cells: list[HourlySums]
    size: int


class Journal(ProcessHooks):
    """See Books. `keep_days`, `keep_calls`: how long, and how many, single calls are kept; the sums stay.

    `sleep`: how its thread waits, by default in real time even where a Router's own clock is virtual: the
    thread would move that clock.

    One of a Router; several, in any processes, may share a store.
    """

    def __init__(
        self, room: CallStore, *, unix: Callable[[], float], keep_days: float = DAYS_KEPT,
        keep_calls: int | None = None, line: int = LINE_KEPT, sleep: Callable[[float], None] = SystemClock.sleep,
    ) -> None:  # fmt: skip
        self._room, self._unix, self._line, self._sleep = room, unix, line, sleep
        self._keep_days, self._keep_calls = keep_days, keep_calls
        self._begin()
        watch(self)

    def _begin(self) -> None:
        """As a process that has written nothing yet; a forked child's queue is its parent's to write."""
        self._writer, self._number = uuid.uuid4().int >> 65, 0
        self._pending: deque[Call] = deque()
        self._spilled: dict[int, Cells] = {}
        self._beyond: DeferringLock[Call] = DeferringLock(self._spill)
        self._writing, self._tidying = threading.Lock(), threading.Lock()
        self._stuck: WriteBatch | None = None
        self._signals: queue.SimpleQueue[None] = queue.SimpleQueue()  # putting one in never waits, not even for itself
        self._rung = self._retired = self._failing = False
        self._thread: threading.Thread | None = None
        self._tidied, self._untidy = 0.0, False
        self.dropped = 0

    # -- settling: in the caller's thread, maybe in the midst of a garbage collection ---------------

    def take(self, call: Call) -> None:
        """Queue a call."""
        if len(self._pending) < self._line:
            self._pending.append(call)
        else:
            self._beyond.post(call)
        if not self._rung:
            self._ring()

    def _spill(self, call: Call) -> None:
        self.dropped += 1
        if _bookable(call):
            book(self._spilled.setdefault(hour_of(call.at), {}), call)

    def _ring(self) -> None:
        self._rung = True
        if ending():
            if not self._writing.locked():  # else the writer, maybe further down this stack, writes it too
                self._write_out()
            return
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="router ledger", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the process has as many threads as it may have: the next call tries again
                self._rung = False
                return
            self._thread = thread
        self._signals.put(None)

    # -- writing ------------------------------------------------------------------------------------

    def _work(self) -> None:
        me, patience = threading.current_thread(), _PATIENCE_S[0]
        while True:
            self._signals.get()
            self._sleep(_PAUSE_S)
            while not self._written():
                self._sleep(patience)
                patience = min(2 * patience, _PATIENCE_S[1])
            patience = _PATIENCE_S[0]
            self._tidy()
            if self._retired and self.unwritten:
                log.warning("%d calls of a ledger that is gone could not be written", self.unwritten)
            if self._retired or me is not self._thread:
                return

    def _written(self) -> bool:
        """Write the queue; False when the store is away, which is logged once."""
        try:
            self.flush()
        except StoreError as error:
            if not self._failing:
                log.warning("the ledger can't be written; calls wait for it in memory: %s", error)
            self._failing = True
            return self._retired
        if self._failing:
            log.warning("the ledger is written again; %d calls could not be kept singly", self.dropped)
        self._failing = False
        return True

    def flush(self) -> None:
        """Write all queued calls. If the store is away, raise StoreError and keep them."""
        with self._writing:
            while True:
                if self._stuck is None:
                    self._stuck = self._batch()
                batch = self._stuck
                if batch is None:
                    return
                self._write(batch)
                self._stuck = None

    def _write(self, batch: WriteBatch) -> None:
        try:
            self._room.append(self._writer, batch.number, batch.calls, batch.cells)
            self._untidy = True
        except StoreError:
            raise
        except Exception:  # whatever is wrong with it: it would be so again, and the calls behind it wait
            self.dropped += batch.size
            log.exception("%d calls can't be kept in the ledger", batch.size)

    def _batch(self) -> WriteBatch | None:
        self._rung = False  # before the queue is read: what comes later signals again
        calls = [self._pending.popleft() for _ in range(min(len(self._pending), _BATCH))]
        with self._beyond:
            spilled, self._spilled = self._spilled, {}
        if not calls and not spilled:
            return None
        sound = [call for call in calls if _bookable(call)]
        if len(sound) < len(calls):
            self.dropped += len(calls) - len(sound)
            log.warning("%d calls with impossible amounts are not kept", len(calls) - len(sound))
        for call in sound:
            book(spilled.setdefault(hour_of(call.at), {}), call)
        self._number += 1
        cells = [HourlySums(hour, _key(key), sums) for hour, found in spilled.items() for key, sums in found.items()]
        return WriteBatch(self._number, [_row(call) for call in sound], cells, len(calls))

    def _tidy(self) -> None:
        """Once an hour: drop what is kept no longer."""
        with self._tidying:
            now = self._unix()
            if 0 <= now - self._tidied < HOUR_S:
                return
            self._tidied, self._untidy = now, False
            try:
                self._room.tidy(now - self._keep_days * DAY_S, self._keep_calls)
            except StoreError as error:
                log.warning("old calls of the ledger can't be dropped: %s", error)

    # -- reading ------------------------------------------------------------------------------------

    def cells(self, asked: CallQuery) -> Iterable[Row]:
        """See Books; of all processes. Raises StoreError when the store is away, rather than leaving calls out."""
        self.flush()
        return self._room.cells(asked)

    def calls(self, asked: CallQuery, *, newest_first: bool = False) -> Iterator[Call]:
        """See Books; of all processes."""
        self.flush()
        return map(_call, self._room.calls(asked, newest_first=newest_first))

    @property
    def unwritten(self) -> int:
        """The number of queued calls."""
        stuck = self._stuck
        return len(self._pending) + (stuck.size if stuck else 0)

    def close(self) -> None:
        """Write the queue, and leave no more calls than are kept; what can't be written is logged, and stays in it.

        All is done that its thread would do: this one's turn may come when the file is another's, or damaged.
        """
        self._write_out(_LAST_TRIES)
        if self._untidy and self._keep_calls is not None:
            self._tidied = 0.0
        if self._thread is not None or self._untidy:
            self._tidy()

    def _write_out(self, tries: int = 1) -> None:
        for left in reversed(range(tries)):
            try:
                self.flush()
                break
            except StoreError as error:
                if not left:
                    log.warning("%d calls of the ledger could not be written: %s", self.unwritten, error)

    def at_exit(self) -> None:
        """Write the queue before the process ends."""
        if self.unwritten or self._spilled or self._untidy:
            self.close()

    def before_fork(self) -> None:
        """Write the queue, which the child is not to write again; a fork doesn't wait for a store that is away."""
        if not self._failing:
            self._write_out()

    def after_fork(self) -> None:
        """The child has written nothing yet."""
        self._begin()

    def retire(self) -> None:
        """Have the thread write the queue and end."""
        self._retired = True
        self._signals.put(None)

    def __repr__(self) -> str:
        return f"in a store, {self.unwritten} calls to be written"


def _bookable(call: Call) -> bool:
    usage = call.usage
    return max(call.cost_pico or 0, usage.input_tokens, usage.output_tokens) < _MOST


def _key(key: tuple[Any, ...]) -> tuple[str, ...]:
    tenant, tags, *rest = key
    return (sound(tenant), json.dumps(tags), *map(sound, rest))


def _row(call: Call) -> tuple[Any, ...]:
    usage = call.usage
    rest = {name: value for name in _REST if (value := getattr(usage, name))}
    return (
        call.at, sound(call.request_id), call.attempt, sound(call.tenant), json.dumps(call.tags),
        *map(sound, (call.task, call.chain, call.framework, call.model, call.provider, call.credential)),
        call.fault or ANSWERED, sound(call.session), usage.input_tokens, usage.output_tokens,
        usage.cache_read_tokens, usage.reasoning_tokens, int(usage.estimated), json.dumps(rest), call.cost_pico,
    )  # fmt: skip


def _call(row: Mapping[str, Any]) -> Call:
    rest = {name: count for name, count in json.loads(row["usage"]).items() if name in _REST}
    usage = Usage(**{name: row[name] for name in _OWN[:-1]}, **rest, estimated=bool(row["estimated"]))
    fault = None if row["fault"] == ANSWERED else row["fault"]
    return Call(
        row["request_id"], row["attempt"], row["model"], row["provider"], row["tenant"], row["task"], row["tags"],
        row["chain"], row["framework"], fault, usage, row["cost_pico"], row["at"], row["credential"], row["session"],
    )  # fmt: skip
