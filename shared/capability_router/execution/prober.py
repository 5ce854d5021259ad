"""Probes: a request of one token tests whether a failed model works again, so that no user's request has to.

Off by default, and only for models called through the built-in client. When a breaker's open time is over, a thread
sends one tiny request through the router itself, so that it is booked, budgeted and recorded like any other (tag
`router:probe`). Its result closes the breaker or opens it again. The thread lives only while a breaker is open. If it
is late, user requests probe as they do without it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from threading import Thread
from typing import Protocol
from weakref import ref

from capability_router.clock import Clock, SystemClock
from capability_router.concurrency.latch import ReentrantLatch
from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.errors import AllCandidatesFailed, RouterError
from capability_router.health.board import HealthEvent, Hold, Permit, Verdict
from capability_router.health.permit import NOBODY, RequestsAhead

log = logging.getLogger("capability_router")
PROBE_TAG = "router:probe"
PROBE_S = 10.0  # a probe's timeout
_SHUT = ("breaker_opened", "credential_disabled", "model_disabled")
_AGAIN_S = 10.0  # after a probe that was not sent
_LOOK_S = 0.5  # between checks whether an operator has reset the breaker, or the router is gone


class ProbedBoard(Protocol):
    """The part of the health board that probing needs."""

    def admit(
        self, id: str, now: float, tokens: int = 0, *, probe: bool = False, ahead: RequestsAhead = NOBODY
    ) -> Permit | Hold: ...  # fmt: skip
    def force(self, id: str, now: float, tokens: int = 0, *, ahead: RequestsAhead = NOBODY) -> Permit | Hold: ...
    def settle(self, permit: Permit, verdict: Verdict, now: float) -> None: ...
    def failure_domain(self, id: str) -> tuple[str, str]: ...
    def reopens_at(self, id: str) -> float | None: ...


class ProbeGate:
    """Admission for a probe: it goes before other requests, and is never forced through an open breaker."""

    def __init__(self, board: ProbedBoard) -> None:
        self._board = board
        self.settle, self.failure_domain = board.settle, board.failure_domain

    def admit(self, id: str, now: float, tokens: int = 0, *, ahead: RequestsAhead = NOBODY) -> Permit | Hold:
        """A permit for a probe, or why there is none now."""
        return self._board.admit(id, now, tokens, probe=True, ahead=ahead)

    force = admit_over_learned_limit = admit


class ProbedRouter(Protocol):
    """The router whose models are probed."""

    @property
    def board(self) -> ProbedBoard: ...
    @property
    def clock(self) -> Clock: ...
    def probe(self, id: str) -> None: ...


class Prober(ProcessHooks):
    """Probes the router's models whose breaker is open, each when its open time is over. Models in `able` only.

    It holds a weak reference to the router; once that is gone, the thread ends.
    """

    def __init__(self, owner: ProbedRouter, able: Collection[str]) -> None:
        self._owner, self._able = ref(owner), able
        self._open: set[str] = set()
        self._lock = (
            ReentrantLatch()
        )  # the garbage collector may end a request in here, and the board send an event then
        self._running = False
        watch(self)

    def after_fork(self) -> None:
        """The child has no such thread; the next breaker that opens starts one, for those that are open now too.

        One begun here would run before other packages have heard of the fork. Until then user requests probe.
        """
        self._running = False

    def heard(self, event: HealthEvent) -> None:
        """Take in a change of health: a model that was shut off will be probed."""
        if event.kind not in _SHUT or event.model not in self._able:
            return
        with self._lock:
            self._open.add(event.model)
            if self._running:
                return
            self._running = True
        try:
            Thread(target=self._run, name="router probes", daemon=True).start()
        except RuntimeError:  # no thread is left, or the process ends: the next that is shut off begins one
            self._running = False

    def _run(self) -> None:
        while (pause := self._turn()) is not None:
            SystemClock().sleep(pause)

    def _turn(self) -> float | None:
        """Probe the model whose time has come, if any; seconds until the next check, None when no breaker is open."""
        owner = self._owner()
        id, left = self._first(owner) if owner is not None else (None, 0.0)
        if owner is None or id is None:
            return None
        if left > 0:
            return min(left, _LOOK_S)
        try:
            owner.probe(id)
        except AllCandidatesFailed as error:  # its breaker has opened again, which `heard` was called with
            log.debug("probe of %s: %s", id, error)
        except RouterError as error:  # nothing was sent: no budget, no slot, a store that is away
            log.debug("probe of %s: %s", id, error)
            return self._later(id)
        except Exception as error:  # noqa: BLE001 - a probe must not end the others
            log.warning("the probe of %s could not be made: %s", id, type(error).__name__)
            return self._later(id)
        return 0.0

    def _later(self, id: str) -> float:
        """Probe the model again after the pause that is returned, in seconds, unless it is open no more."""
        with self._lock:
            self._open.add(id)
            self._running = True
        return _AGAIN_S

    def _first(self, owner: ProbedRouter) -> tuple[str | None, float]:
        """The model to probe first, and in how many seconds. One that is due is removed from the set.

        The board is asked without the lock: it may first send an event, for which `heard` takes the lock.
        """
        while True:
            with self._lock:
                looked, self._open = self._open, set()
            times = [(at, id) for id in looked if (at := owner.board.reopens_at(id)) is not None]
            at, id = min(times, default=(0.0, None))
            left = at - owner.clock.now()
            with self._lock:
                self._open.update(other for _, other in times if other != id or left > 0)
                self._running = bool(times or self._open)
                if times or not self._open:
                    return id, left
