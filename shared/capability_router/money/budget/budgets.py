"""Spending caps that hold: what a call may cost is reserved before it is sent and settled after.

A cap covers a scope ("global", "tenant:acme", "tag:nightly", "tag:*", ...) over a window. Spent plus reserved never
exceeds it, whatever the number of threads, and of processes where they share a store. Reserving and settling are
arithmetic under a lock: a store that has to be asked lends each process a part of the cap, and only `borrow` and
`settle_up` ask it.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Literal, NamedTuple

from capability_router.clock import Clock, SystemClock
from capability_router.concurrency.deferring_lock import DeferringLock
from capability_router.errors import StoreError
from capability_router.listener import failed
from capability_router.money.budget.cap import BudgetSpec, OnExceed
from capability_router.money.budget.coverage import Coverage, Meant
from capability_router.money.budget.denial import BudgetEvent, Denial, denied, passed, refusing, unpriced, withheld
from capability_router.money.budget.purse import Purse, Rest
from capability_router.money.budget.standing import CapRow, cap_rows, least_left
from capability_router.stores.base import BudgetRoom, Claim, Grant
from capability_router.stores.memory import MemoryBudgets

__all__ = [
    "BudgetEvent",
    "BudgetSpec",
    "Budgets",
    "Denial",
    "OnExceed",
    "Reservation",
    "Short",
    "StoreTerms",
    "WhenAway",
]
log = logging.getLogger("capability_router")
WhenAway = Literal["fail_closed", "fail_open"]
_TRIES = 20  # between which other threads may have taken what was lent for this call


def _by_itself(name: str) -> Sequence[str]:
    return (name,)


class StoreTerms(NamedTuple):
    """How a store is dealt with: its name, how long a loan lasts, whether calls go on while it is away."""

    store: str = "memory://"
    lease_s: float = 30.0
    when_away: WhenAway = "fail_closed"


class Short(NamedTuple):
    """The call may be made once the store has lent what it needs: `borrow` asks it."""

    scopes: tuple[str, ...]
    amount: int


class Reservation:
    """Money reserved for one launch, in every budget that covers it. Only the first settlement counts."""

    __slots__ = ("amount", "purses", "settled")

    def __init__(self, purses: list[Purse], amount: int) -> None:
        self.purses, self.amount, self.settled = purses, amount, False

    def __repr__(self) -> str:
        return f"<Reservation {self.amount} in {len(self.purses)} budgets{', settled' if self.settled else ''}>"


class Budgets:
    """All caps of a router. Thread-safe; amounts are picodollars.

    `meant` gives the ids of the models that a cap's scope names, `marks` the marks of the credential that one names.
    `room` keeps the money: this process's memory, unless a store is given.
    """

    def __init__(
        self, specs: Sequence[BudgetSpec] = (), meant: Meant = _by_itself, *, room: BudgetRoom | None = None,
        clock: Clock | None = None, terms: StoreTerms | None = None, marks: Meant = _by_itself,
    ) -> None:  # fmt: skip
        self._clock, self.terms = clock or SystemClock(), terms or StoreTerms()
        self.room: BudgetRoom = MemoryBudgets(self._clock.unix) if room is None else room
        self._lease_s = math.inf if self.room.inline else self.terms.lease_s
        self._coverage = Coverage(specs, {"model": meant, "credential": marks})
        self.any, self.only_global = bool(self._coverage.caps), self._coverage.only_global
        self._skew = 0.0  # how far the store's clock is ahead of this one
        self._listeners: list[Callable[[BudgetEvent], None]] = []
        self.wake: Callable[[], None] | None = None  # called when there is something to tell the store
        self.away = ""  # why the store could not be asked the last time; "" = it could
        self._begin()

    def _begin(self) -> None:
        self._lock: DeferringLock[tuple[Reservation, int]] = DeferringLock(self._settle)
        self._counter = Lock()  # one claim at a time, so that the store hears them in their order
        self._untold: set[Purse] = set()
        self._asking: Sequence[Purse] = ()  # for which a store is being asked
        self._news: deque[BudgetEvent] = deque()

    def __bool__(self) -> bool:
        return self.any

    # -- without I/O ------------------------------------------------------------------------------

    def reserve(self, scopes: Iterable[str], amount: int | None) -> Reservation | Denial | Short:
        """Reserve in every budget that covers the scopes, or in none: then why, or that a store has to be asked."""
        names = tuple(scopes)
        with self._lock:
            found = self._reserved(names, amount)
        if self._news:
            self._announce()
        return Short(names, amount or 0) if isinstance(found, list) else found

    def settle(self, hold: Reservation, cost: int) -> None:
        """Give the reservation back and book what was spent, without waiting. Only the first time counts."""
        self._lock.post((hold, cost))
        if self._news and not self._lock.busy:  # the collector may have called, in the middle of anything
            self._announce()
        if self.wake is not None:
            self.wake()

    @property
    def reserved(self) -> int:
        """Picodollars that this process's calls under way hold, in all caps; 0 at rest."""
        with self._lock:
            return sum(purse.held for purse in self.purses())

    def fits(self, scopes: Iterable[str], amount: int | None) -> Denial | None:
        """What would be said of such a call now, as far as it is known without asking a store. Nothing is reserved."""
        names = tuple(scopes)
        with self._lock:
            for purse in self._covering(names):
                if purse.spec.on_exceed == "warn":
                    continue
                if amount is None:
                    return unpriced(purse, names)
                self._told(purse)
                if amount > purse.left:
                    return denied(purse, amount, names)
        return None

    def left_here(self, scopes: Iterable[str]) -> int | None:
        """The least that a cap on one of the scopes leaves, as far as it is known without asking a store.

        None = none of them has a cap that stops calls.
        """
        with self._lock:
            binding = [p for p in self._covering(tuple(scopes)) if p.spec.on_exceed != "warn"]
            for purse in binding:
                self._told(purse)
            return min((purse.left for purse in binding), default=None)

    def rests(self) -> list[Rest]:
        """What is left of the global caps whose windows end, as far as it is known without asking a store."""
        with self._lock:
            found = [purse.rest() for purse in self._covering(("global",))]
        return [rest for rest in found if rest is not None]

    def on_event(self, listener: Callable[[BudgetEvent], None]) -> None:
        """Call `listener` with each BudgetEvent. What it raises is logged."""
        self._listeners.append(listener)

    # -- with the store ---------------------------------------------------------------------------

    def borrow(self, short: Short) -> Reservation | Denial:
        """Ask the store for what the call lacks, and reserve; takes as long as the store does."""
        with self._counter:
            try:
                found = self._borrowed(short)
            finally:
                self._asking = ()
        self._announce()
        return found

    def settle_up(self, *, final: bool = False) -> bool:
        """Tell the store what was spent, renew loans, give back what is not needed. False = the store is away.

        `final`: give back all that no call under way holds. Raises nothing; what could not be told is kept.
        """
        if self.room.inline:
            with self._lock:
                for purse in self.purses():
                    self._told(purse)
            return True
        with self._counter:
            now, unix = self._clock.now(), self._clock.unix()
            with self._lock:
                claims = [(p, p.tells(now, unix, self._lease_s, final=final)) for p in self._due(now, final)]
            done = self._asked(claims, now)
            with self._lock:
                for cap in self._coverage.caps:
                    for purse in [p for p, claim in claims if claim.final and p.at_rest]:
                        if cap.purses.get(purse.name) is purse:
                            del cap.purses[purse.name]
        self._announce()
        return done

    def rows(self, tenant: str | None = None) -> list[CapRow]:
        """How each cap stands now, everybody's spending told; with `tenant`, that tenant's own caps only.

        Raises StoreError when the store can't be read.
        """
        self.settle_up()
        with self._lock:
            caps = [(cap.spec, cap.key) for cap in self._coverage.caps]
        names = [] if any(spec.each for spec, _ in caps) else [key for _, key in caps]
        return cap_rows(caps, self.room.standings(names) if caps else [], self._clock.unix() + self._skew, tenant)

    def left(self, scopes: Mapping[str, Sequence[str]]) -> dict[str, float]:
        """By the name that scopes are given under, the least USD that a cap leaves which stops such calls.

        Raises StoreError when the store can't be read.
        """
        self.settle_up()
        standings = self.room.standings() if self else ()
        found = {name: least_left(self._coverage, standings, own) for name, own in scopes.items()}
        return {name: usd for name, usd in found.items() if usd is not None}

    def forked(self) -> None:
        """In the child of a fork: what the parent was lent, and its calls under way, are the parent's."""
        for purse in self.purses():
            purse.lost = True
        for cap in self._coverage.caps:
            kept = {name: purse.forked() for name, purse in cap.purses.items()} if self.room.inline else {}
            cap.purses.clear()
            cap.purses.update(kept)
        self._begin()
        for purse in self.purses():
            self._told(purse)

    # -- how --------------------------------------------------------------------------------------

    def _reserved(self, names: tuple[str, ...], amount: int | None) -> Reservation | Denial | list[Purse]:
        """A hold; else why not; else the purses that lack money."""
        now, unix = self._clock.now(), self._clock.unix()
        purses = self._covering(names)
        short: list[Purse] = []
        for purse in purses:
            if purse.spec.on_exceed == "warn":
                continue
            if amount is None:
                return unpriced(purse, names)
            if purse.free(now, unix) < amount:
                if not self.room.inline and purse.is_dry(amount, now):
                    return self._denied(purse, amount, names)
                short.append(purse)
        if short and not self.room.inline:
            return short
        known = amount or 0  # unknown only where no cap forbids it
        refused = self._lent(short, known, now) if short else None
        return self._held(purses, known, now) if refused is None else self._denied(refused, known, names)

    def _denied(self, purse: Purse, amount: int, names: Sequence[str]) -> Denial:
        if purse.begins_to_refuse(self._clock.unix()):
            self._news.append(refusing(purse, amount))
        return denied(purse, amount, names)

    def _held(self, purses: list[Purse], amount: int, now: float) -> Reservation:
        for purse in purses:
            purse.hold(amount, now)
        return Reservation(purses, amount)

    def _lent(self, short: list[Purse], amount: int, now: float) -> Purse | None:
        """Ask a store that answers at once; gives the first purse that can't be filled, after which none is."""
        unix = self._clock.unix()
        for purse in short:
            claim = purse.asks(amount, now, unix, self._lease_s, whole=True)
            grant = self.room.claim(claim)
            purse.granted(claim, grant, now, unix)
            if grant.lent < claim.least:
                return purse
        return None

    def _told(self, purse: Purse, *, last: bool = False) -> None:
        """Let a store that answers at once know how a purse stands, and have back what is not held.

        `last`: it is put away. Of any other the store has to remember what it has told, however long it rests.
        """
        if self.room.inline:
            now, unix = self._clock.now(), self._clock.unix()
            claim = purse.tells(now, unix, self._lease_s, final=True)
            claim = claim if last else claim._replace(final=False)
            purse.granted(claim, self.room.claim(claim), now, unix)

    def _borrowed(self, short: Short) -> Reservation | Denial:
        for _ in range(_TRIES):
            now, unix = self._clock.now(), self._clock.unix()
            with self._lock:
                found = self._reserved(short.scopes, short.amount)
                if not isinstance(found, list):
                    return found
                claims = [(purse, purse.asks(short.amount, now, unix, self._lease_s)) for purse in found]
                self._asking = found
            if not self._asked(claims, now):
                return self._without(short, claims[0][0])
            with self._lock:
                refused = next((p for p, claim in claims if p.lent < claim.least and self._is_open(p)), None)
                found = self._reserved(short.scopes, short.amount)
                if not isinstance(found, list):
                    return found
                if refused is not None:
                    return self._denied(refused, short.amount, short.scopes)
        return withheld(claims[0][0], "other calls were faster each time; try again")

    def _without(self, short: Short, purse: Purse) -> Reservation | Denial:
        """The store is away: nothing goes, or with `fail_open` everything, to be told to it when it is back."""
        if self.terms.when_away == "fail_closed":
            return withheld(purse, f"{self.away} (`store: {{url: ..., when_away: fail_open}}` lets calls through)")
        with self._lock:
            return self._held(self._covering(short.scopes), short.amount, self._clock.now())

    def _asked(self, claims: Sequence[tuple[Purse, Claim]], now: float) -> bool:
        for purse, claim in claims:
            before = self._clock.unix()
            try:
                grant = self.room.claim(claim)
            except StoreError as error:
                if not self.away:
                    self._news.append(BudgetEvent("store_away", self.terms.store, detail=str(error)))
                self.away = str(error)
                return False
            self._skew = grant.at - before
            with self._lock:
                self._taken_in(purse, claim, grant, now, before)
        if claims and self.away:
            self._news.append(BudgetEvent("store_back", self.terms.store))
            self.away = ""
        return True

    def _taken_in(self, purse: Purse, claim: Claim, grant: Grant, now: float, unix: float) -> None:
        purse.granted(claim, grant, now, unix)
        known = self._is_open(purse) and not purse.left_behind
        if purse.spent == purse.told and (known or not purse.held):
            self._untold.discard(purse)
        self._noticed(purse)

    def _is_open(self, purse: Purse) -> bool:
        return purse.holds(self._clock.unix() + self._skew)

    def _settle(self, settled: tuple[Reservation, int]) -> None:
        hold, cost = settled
        if hold.settled:
            return
        hold.settled = True
        for purse in hold.purses:
            if purse.lost:
                continue
            purse.pay(hold.amount, cost)
            if not self.room.inline:
                self._untold.add(purse)
            elif purse.pot.rolls_s is not None or purse.left_behind:  # it counts from now on; its window may come again
                self._told(purse)
            self._noticed(purse)

    def _noticed(self, purse: Purse) -> None:
        if purse.level is None:
            self._told(purse)
        if shares := purse.passed():
            self._news.extend([passed(purse, share) for share in shares])

    def _announce(self) -> None:
        while self._news:
            event = self._news.popleft()
            log.warning("%s", event.told)
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception as error:  # noqa: BLE001 - whatever it raises, the call that brought the event about goes on
                    failed(log, listener, error)

    def _covering(self, names: tuple[str, ...]) -> list[Purse]:
        """The purses of all caps on these scopes, each once."""
        unix = self._clock.unix() + self._skew
        found: list[Purse] = []
        for cap, scope in self._coverage.of(names):
            purse, old = cap.purse(scope, unix)
            if old is not None:
                self._left(old)
            if purse not in found:
                found.append(purse)
                if cap.crowded:
                    cap.sweep(self._clock.now(), partial(self._told, last=True), (*found, *self._asking))
        return found

    def _left(self, purse: Purse) -> None:
        """Its window is over, or the wall clock was set back: it keeps what its calls hold, and gives back the rest."""
        purse.left_behind = True
        if self.room.inline:
            self._told(purse)
        else:
            self._untold.add(purse)

    def _due(self, now: float, final: bool) -> list[Purse]:
        """The purses of which the store has something to hear."""
        soon = now + self._lease_s * 2 / 3
        renew = [p for p in self.purses() if (p.held or p.lent) and (final or p.until < soon or not p.held)]
        return list(dict.fromkeys([*self._untold, *renew]))

    def purses(self) -> list[Purse]:
        """What this process has of each pot; to be read under no other lock, and never changed."""
        return list({*self._untold, *self._coverage.purses()})
