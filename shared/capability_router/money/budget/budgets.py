"""Budgets: what a call may cost is reserved before it is sent, and its cost is settled afterwards.

A cap covers a scope ("global", "tenant:acme", "tag:nightly", "tag:*", ...) over a window. Spent plus reserved money
never exceeds it, with any number of threads, and of processes that share a store. Reserving and settling are
arithmetic under a lock. A shared store lends each process a part of the cap (a lease), and only `borrow` and
`sync_leases` access the store.
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
from capability_router.log_lines import listener_failed
from capability_router.money.budget.budget_lease import BudgetLease, RemainingBudget
from capability_router.money.budget.cap import BudgetSpec, OnExceed
from capability_router.money.budget.cap_index import CapIndex, ScopeResolver
from capability_router.money.budget.cap_rows import CapRow, cap_rows, least_left
from capability_router.money.budget.denial import BudgetEvent, Denial, denied, passed, refusing, unpriced, withheld
from capability_router.stores.base import BudgetStore, LeaseClaim, LeaseGrant
from capability_router.stores.memory import MemoryBudgets

__all__ = [
    "BudgetEvent",
    "BudgetSpec",
    "Budgets",
    "Denial",
    "FundsShortfall",
    "OnExceed",
    "Reservation",
    "StoreTerms",
    "WhenAway",
]
log = logging.getLogger("capability_router")
WhenAway = Literal["fail_closed", "fail_open"]
_TRIES = 20  # other threads may take what was lent for this call; then it borrows again


def _by_itself(name: str) -> Sequence[str]:
    return (name,)


class StoreTerms(NamedTuple):
    """The store's name, the seconds that a lease lasts, and whether calls go on while the store can't be reached."""

    store: str = "memory://"
    lease_s: float = 30.0
    when_away: WhenAway = "fail_closed"


class FundsShortfall(NamedTuple):
    """The local money is too little for the call: `borrow` the amount, in picodollars, from the store."""

    scopes: tuple[str, ...]
    amount: int


class Reservation:
    """Money reserved for one attempt in every budget that covers it. Only its first settlement counts."""

    __slots__ = ("amount", "leases", "settled")

    def __init__(self, leases: list[BudgetLease], amount: int) -> None:
        self.leases, self.amount, self.settled = leases, amount, False

    def __repr__(self) -> str:
        return f"<Reservation {self.amount} in {len(self.leases)} budgets{', settled' if self.settled else ''}>"


class Budgets:
    """All caps of a router. Thread-safe; amounts are picodollars.

    `meant`: from the model name in a scope to the ids of the models. `marks`: from a credential's name in a scope to
    its marks. `room`: where the money is kept, a store or, by default, this process's memory.
    """

    def __init__(
        self, specs: Sequence[BudgetSpec] = (), meant: ScopeResolver = _by_itself, *, room: BudgetStore | None = None,
        clock: Clock | None = None, terms: StoreTerms | None = None, marks: ScopeResolver = _by_itself,
    ) -> None:  # fmt: skip
        self._clock, self.terms = clock or SystemClock(), terms or StoreTerms()
        self.room: BudgetStore = MemoryBudgets(self._clock.unix) if room is None else room
        self._lease_s = math.inf if self.room.inline else self.terms.lease_s
        self._coverage = CapIndex(specs, {"model": meant, "credential": marks})
        self.any, self.only_global = bool(self._coverage.caps), self._coverage.only_global
        self._skew = 0.0  # seconds by which the store's clock is ahead of this one
        self._listeners: list[Callable[[BudgetEvent], None]] = []
        self.wake: Callable[[], None] | None = None  # called when there is something to report to the store
        self.away = ""  # why the store could not be reached the last time; "" = it could
        self._begin()

    def _begin(self) -> None:
        self._lock: DeferringLock[tuple[Reservation, int]] = DeferringLock(self._settle)
        self._counter = Lock()  # one claim at a time, so that they reach the store in their order
        self._unreported: set[BudgetLease] = set()
        self._borrowing: Sequence[BudgetLease] = ()  # the purses of a `borrow` under way
        self._news: deque[BudgetEvent] = deque()

    def __bool__(self) -> bool:
        return self.any

    # -- without I/O ------------------------------------------------------------------------------

    def reserve(self, scopes: Iterable[str], amount: int | None) -> Reservation | Denial | FundsShortfall:
        """Reserve the amount in every budget that covers the scopes.

        Reserves nothing if one of them forbids it (Denial) or must borrow from its store first (FundsShortfall).
        """
        names = tuple(scopes)
        with self._lock:
            found = self._reserved(names, amount)
        if self._news:
            self._announce()
        return FundsShortfall(names, amount or 0) if isinstance(found, list) else found

    def settle(self, hold: Reservation, cost: int) -> None:
        """Give the reservation back and book the cost, without waiting. Only the first call counts."""
        self._lock.post((hold, cost))
        if self._news and not self._lock.busy:  # the garbage collector may call this while the lock is held
            self._announce()
        if self.wake is not None:
            self.wake()

    @property
    def reserved(self) -> int:
        """Picodollars reserved in all caps for this process's calls under way."""
        with self._lock:
            return sum(purse.held for purse in self.leases())

    def fits(self, scopes: Iterable[str], amount: int | None) -> Denial | None:
        """The Denial that `reserve` would return, as far as is known without the store; None = it fits.

        Nothing is reserved.
        """
        names = tuple(scopes)
        with self._lock:
            for purse in self._covering(names):
                if purse.spec.on_exceed == "warn":
                    continue
                if amount is None:
                    return unpriced(purse, names)
                self._report(purse)
                if amount > purse.left:
                    return denied(purse, amount, names)
        return None

    def local_left(self, scopes: Iterable[str]) -> int | None:
        """The least that the caps on these scopes leave, as far as is known without the store.

        None = no cap on them stops calls.
        """
        with self._lock:
            binding = [p for p in self._covering(tuple(scopes)) if p.spec.on_exceed != "warn"]
            for purse in binding:
                self._report(purse)
            return min((purse.left for purse in binding), default=None)

    def rests(self) -> list[RemainingBudget]:
        """What is left of the global caps whose windows end, as far as is known without the store."""
        with self._lock:
            found = [purse.rest() for purse in self._covering(("global",))]
        return [rest for rest in found if rest is not None]

    def on_event(self, listener: Callable[[BudgetEvent], None]) -> None:
        """Call `listener` with each BudgetEvent. Exceptions that it raises are logged."""
        self._listeners.append(listener)

    # -- with the store ---------------------------------------------------------------------------

    def borrow(self, short: FundsShortfall) -> Reservation | Denial:
        """Borrow the missing money from the store and reserve it. Blocks while the store answers."""
        with self._counter:
            try:
                found = self._borrowed(short)
            finally:
                self._borrowing = ()
        self._announce()
        if self.wake is not None and isinstance(found, Denial):
            self.wake()
        return found

    def sync_leases(self, *, final: bool = False) -> bool:
        """Report spending to the store, renew leases and give back what is not needed. False = it can't be reached.

        `final`: give back everything that no call under way holds. Raises nothing; what could not be reported is kept.
        """
        if self.room.inline:
            with self._lock:
                for purse in self.leases():
                    self._report(purse)
            return True
        with self._counter:
            now, unix = self._clock.now(), self._clock.unix()
            with self._lock:
                claims = [(p, p.report(now, unix, self._lease_s, final=final)) for p in self._due(now, final)]
            done = self._claimed(claims, now)
            with self._lock:
                for cap in self._coverage.caps:
                    for purse in [p for p, claim in claims if claim.final and p.at_rest]:
                        if cap.leases.get(purse.name) is purse:
                            del cap.leases[purse.name]
        self._announce()
        return done

    def rows(self, tenant: str | None = None) -> list[CapRow]:
        """The current state of each cap, over all processes; with `tenant`, of that tenant's own caps only.

        Raises StoreError when the store can't be read.
        """
        self.sync_leases()
        with self._lock:
            caps = [(cap.spec, cap.key) for cap in self._coverage.caps]
        names = [] if any(spec.each for spec, _ in caps) else [key for _, key in caps]
        return cap_rows(caps, self.room.standings(names) if caps else [], self._clock.unix() + self._skew, tenant)

    def left(self, scopes: Mapping[str, Sequence[str]]) -> dict[str, float]:
        """By key of `scopes`, the least USD that the caps on these scopes leave. A key without a cap is left out.

        Raises StoreError when the store can't be read.
        """
        self.sync_leases()
        standings = self.room.standings() if self else ()
        found = {name: least_left(self._coverage, standings, own) for name, own in scopes.items()}
        return {name: usd for name, usd in found.items() if usd is not None}

    def forked(self) -> None:
        """In the child of a fork: drop the parent's leases and calls under way."""
        for purse in self.leases():
            purse.lost = True
        for cap in self._coverage.caps:
            kept = {name: purse.forked() for name, purse in cap.leases.items()} if self.room.inline else {}
            cap.leases.clear()
            cap.leases.update(kept)
        self._begin()
        for purse in self.leases():
            self._report(purse)

    # -- how --------------------------------------------------------------------------------------

    def _reserved(self, names: tuple[str, ...], amount: int | None) -> Reservation | Denial | list[BudgetLease]:
        """A reservation, a denial, or the purses that must borrow first."""
        now, unix = self._clock.now(), self._clock.unix()
        leases = self._covering(names)
        short: list[BudgetLease] = []
        for purse in leases:
            if purse.spec.on_exceed == "warn":
                continue
            if amount is None:
                return unpriced(purse, names)
            if purse.free(now, unix) < amount:
                if not self.room.inline and purse.store_exhausted(amount, now):
                    return self._denied(purse, amount, names)
                short.append(purse)
        if short and not self.room.inline:
            return short
        known = amount or 0  # None only if no cap can forbid the call
        refused = self._lent(short, known, now) if short else None
        return self._held(leases, known, now) if refused is None else self._denied(refused, known, names)

    def _denied(self, purse: BudgetLease, amount: int, names: Sequence[str]) -> Denial:
        if purse.first_refusal(self._clock.unix()):
            self._news.append(refusing(purse, amount))
        return denied(purse, amount, names)

    def _held(self, leases: list[BudgetLease], amount: int, now: float) -> Reservation:
        for purse in leases:
            purse.hold(amount, now)
        return Reservation(leases, amount)

    def _lent(self, short: list[BudgetLease], amount: int, now: float) -> BudgetLease | None:
        """Borrow from the memory store, for one purse after the other; the first that gets too little, or None."""
        unix = self._clock.unix()
        for purse in short:
            claim = purse.claim(amount, now, unix, self._lease_s, whole=True)
            grant = self.room.claim(claim)
            purse.granted(claim, grant, now, unix)
            if grant.lent < claim.least:
                return purse
        return None

    def _report(self, purse: BudgetLease, *, last: bool = False) -> None:
        """Report a purse to the memory store and give back what it does not hold; does nothing with another store.

        `last`: the purse is removed, so the store may forget it.
        """
        if self.room.inline:
            now, unix = self._clock.now(), self._clock.unix()
            claim = purse.report(now, unix, self._lease_s, final=True)
            claim = claim if last else claim._replace(final=False)
            purse.granted(claim, self.room.claim(claim), now, unix)

    def _borrowed(self, short: FundsShortfall) -> Reservation | Denial:
        for _ in range(_TRIES):
            now, unix = self._clock.now(), self._clock.unix()
            with self._lock:
                found = self._reserved(short.scopes, short.amount)
                if not isinstance(found, list):
                    return found
                claims = [(purse, purse.claim(short.amount, now, unix, self._lease_s)) for purse in found]
                self._borrowing = found
            if not self._claimed(claims, now):
                return self._without(short, claims[0][0])
            with self._lock:
                refused = next((p for p, claim in claims if p.lent < claim.least and self._is_open(p)), None)
                found = self._reserved(short.scopes, short.amount)
                if not isinstance(found, list):
                    return found
                if refused is not None:
                    self._unreported.add(refused)  # gives back what is left of its loan
                    return self._denied(refused, short.amount, short.scopes)
        return withheld(claims[0][0], "other calls were faster each time; try again")

    def _without(self, short: FundsShortfall, purse: BudgetLease) -> Reservation | Denial:
        """The store can't be reached: deny, or with `fail_open` reserve anyway and report it when the store is back."""
        if self.terms.when_away == "fail_closed":
            return withheld(purse, f"{self.away} (`store: {{url: ..., when_away: fail_open}}` lets calls through)")
        with self._lock:
            return self._held(self._covering(short.scopes), short.amount, self._clock.now())

    def _claimed(self, claims: Sequence[tuple[BudgetLease, LeaseClaim]], now: float) -> bool:
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

    def _taken_in(self, purse: BudgetLease, claim: LeaseClaim, grant: LeaseGrant, now: float, unix: float) -> None:
        purse.granted(claim, grant, now, unix)
        known = self._is_open(purse) and not purse.outdated
        if purse.spent == purse.reported and (known or not purse.held):
            self._unreported.discard(purse)
        self._noticed(purse)

    def _is_open(self, purse: BudgetLease) -> bool:
        return purse.holds(self._clock.unix() + self._skew)

    def _settle(self, settled: tuple[Reservation, int]) -> None:
        hold, cost = settled
        if hold.settled:
            return
        hold.settled = True
        for purse in hold.leases:
            if purse.lost:
                continue
            purse.pay(hold.amount, cost)
            if not self.room.inline:
                self._unreported.add(purse)
            elif purse.pot.rolls_s is not None or purse.outdated:  # a rolling window dates the spending by the report
                self._report(purse)
            self._noticed(purse)

    def _noticed(self, purse: BudgetLease) -> None:
        if purse.level is None:
            self._report(purse)
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
                    listener_failed(log, listener, error)

    def _covering(self, names: tuple[str, ...]) -> list[BudgetLease]:
        """The purses of all caps on these scopes, each once."""
        unix = self._clock.unix() + self._skew
        found: list[BudgetLease] = []
        for cap, scope in self._coverage.of(names):
            purse, old = cap.purse(scope, unix)
            if old is not None:
                self._left(old)
            if purse not in found:
                found.append(purse)
                if cap.crowded:
                    cap.sweep(self._clock.now(), partial(self._report, last=True), (*found, *self._borrowing))
        return found

    def _left(self, purse: BudgetLease) -> None:
        """The purse's window is over, or the wall clock was set back: give back all that its calls do not hold."""
        purse.outdated = True
        if self.room.inline:
            self._report(purse)
        else:
            self._unreported.add(purse)

    def _due(self, now: float, final: bool) -> list[BudgetLease]:
        """The purses with something to report, to renew or to give back."""
        soon = now + self._lease_s * 2 / 3
        renew = [p for p in self.leases() if (p.held or p.lent) and (final or p.until < soon or not p.held)]
        return list(dict.fromkeys([*self._unreported, *renew]))

    def leases(self) -> list[BudgetLease]:
        """All purses of this process. Read them only."""
        return list({*self._unreported, *self._coverage.leases()})
