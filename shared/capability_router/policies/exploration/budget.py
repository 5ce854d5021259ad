"""The money for exploration: per day, above the cost of the picks; for one process or, through a store, for all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Protocol
from uuid import uuid4

from capability_router.clock import Clock
from capability_router.concurrency.latch import Latch
from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.policies.base import LearnedModel
from capability_router.stores.base import BudgetPeriod, BudgetStore, LeaseClaim

DAY_S = 86_400.0
LEASE_S = 30.0


class ExplorationBudget(Protocol):
    """Thread-safe; amounts in picodollars, times in seconds of the router's clock."""

    def left(self, now: float) -> int:
        """What may be spent now."""
        ...

    def wants(self, amount: int) -> None:
        """Report that this much is needed and not there."""
        ...

    def took(self, amount: int, now: float) -> bool:
        """Spend this much; False = it is gone (another thread may have spent it since `left`)."""
        ...

    def ended(self, beyond: int) -> None:
        """Report that a trial has cost so much more than it was expected to; below 0 = less. Waits for no lock."""
        ...


class Overruns:
    """What trials cost beyond what was spent for them. Those that cost less make up for those that cost more.

    Never more than that: so what is spent only grows, as a store wants it.
    """

    def __init__(self) -> None:
        self._ended = deque[int]()
        self._saved = 0

    def ended(self, beyond: int) -> None:
        """A trial has cost so much more. The garbage collector may end a request while a lock is held."""
        self._ended.append(beyond)

    def owed(self) -> int:
        """What is to be spent besides, since the last call; one thread at a time."""
        beyond = -self._saved
        while self._ended:
            beyond += self._ended.popleft()
        self._saved = max(-beyond, 0)
        return max(beyond, 0)


class LocalExplorationBudget:
    """The money of this process: `most` per day of the router's clock."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._day, self._spent, self._overruns = -1, 0, Overruns()
        self._lock = Latch()  # unlocked in a forked child, though a thread of the parent may hold it

    def left(self, now: float) -> int:
        """See ExplorationBudget."""
        with self._lock:
            self._turn(now)
            return self._most - self._spent

    def wants(self, amount: int) -> None:
        """See ExplorationBudget; one process alone can't get more."""

    def took(self, amount: int, now: float) -> bool:
        """See ExplorationBudget."""
        with self._lock:
            self._turn(now)
            if self._spent + amount > self._most:
                return False
            self._spent += amount
            return True

    def ended(self, beyond: int) -> None:
        """See ExplorationBudget."""
        self._overruns.ended(beyond)

    def _turn(self, now: float) -> None:
        self._spent += self._overruns.owed()
        if (day := int(now // DAY_S)) != self._day:
            self._day, self._spent, self._overruns = day, 0, Overruns()


def exploration_money(known: LearnedModel, room: BudgetStore, owner: str, clock: Clock, most: int) -> ExplorationBudget:
    """`most` picodollars per day, shared by all routers with this owner's name that use the room."""
    if room.inline:
        return LocalExplorationBudget(most)
    shared = SharedExplorationBudget(room, owner, most, clock.unix)
    known.runs(lambda final: shared.renew(clock.now(), final=final))
    return shared


class SharedExplorationBudget(ProcessHooks):
    """The money of all processes: `most` per day (UTC). A process spends what the store has lent it, as budgets do.

    Only `renew` asks the store; requests never do. If the store is away, a loan ends and nothing is explored.
    """

    def __init__(self, room: BudgetStore, owner: str, most: int, unix: Callable[[], float]) -> None:
        self._room, self._budget, self._most, self._unix = room, f"exploration|{owner}", most, unix
        self._holder, self._day, self._until, self._ends = "", -1, 0.0, 0.0
        self._spent = self._told = self._lent = self._least = self._number = 0
        self._overruns = Overruns()
        self.after_fork()
        watch(self)

    def left(self, now: float) -> int:
        """See ExplorationBudget."""
        with self._lock:
            return self._here(now)

    def wants(self, amount: int) -> None:
        """See ExplorationBudget; the next loan is at least this much, if the day has it."""
        with self._lock:
            self._least = min(self._least or amount, amount)

    def took(self, amount: int, now: float) -> bool:
        """See ExplorationBudget."""
        with self._lock:
            if amount > self._here(now):
                return False
            self._spent += amount
            return True

    def ended(self, beyond: int) -> None:
        """See ExplorationBudget; `left` may be below 0 then."""
        self._overruns.ended(beyond)

    def _here(self, now: float) -> int:
        self._spent += self._overruns.owed()
        asleep = self._unix() >= self._ends  # the clock of `now` may stand still meanwhile
        return self._lent - (self._spent - self._told) if now < self._until and not asleep else 0

    def renew(self, now: float, *, final: bool = False) -> None:
        """Report what was spent, and borrow for the next 30 s; `final`: return everything. Raises StoreError."""
        with self._asking:
            with self._lock:
                self._spent += self._overruns.owed()
                if not final and self._spent == self._told and not self._least and now < self._until - LEASE_S / 2:
                    return
            day = int(self._unix() // DAY_S)
            if day != self._day:
                if self._spent > self._told:
                    self._ask(now, 0, final=True)
                with self._lock:
                    self._day, self._until, self._overruns = day, 0.0, Overruns()
                    self._begin(self._spent - self._told)
            self._ask(now, 0 if final else self._most, final=final)

    def _ask(self, now: float, wish: int, *, final: bool) -> None:
        starts, self._number = self._day * DAY_S, self._number + 1
        pot = BudgetPeriod(self._budget, str(self._day), self._most, starts, starts + DAY_S)
        unix = self._unix()
        with self._lock:
            spent, wanted = self._spent, 0 if final else self._least
            kept = 0 if final else max(self._here(now), 0) // 2
            self._lent = min(self._lent, kept + spent - self._told)  # the rest may be others' before the answer comes
        least = max(wanted, kept)
        grant = self._room.claim(LeaseClaim(pot, self._holder, spent, kept, least, wish, LEASE_S, final, self._number))
        with self._lock:
            self._told, self._lent, self._until = spent, grant.lent, 0.0 if final else now + LEASE_S
            self._ends = unix + LEASE_S
            self._least = 0 if self._least == wanted else self._least
            if final:
                self._begin(self._spent - spent)

    def _begin(self, spent: int) -> None:
        """Start as a holder that the store does not know: it forgets a holder that has signed off, and a day may
        come again.
        """
        self._holder, self._number = uuid4().hex, 0
        self._spent, self._told, self._lent = spent, 0, 0

    def after_fork(self) -> None:
        """The loan is the parent's."""
        self._lock, self._asking = Lock(), Lock()
        self._day, self._least, self._until, self._overruns = -1, 0, 0.0, Overruns()
        self._begin(0)
