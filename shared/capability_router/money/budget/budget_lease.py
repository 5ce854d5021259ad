"""What this process may spend of one cap without the store: its lease, less what is spent and reserved of it."""

from __future__ import annotations

import uuid
from copy import copy
from math import ceil
from typing import NamedTuple

from capability_router.money.budget.cap import BudgetSpec
from capability_router.stores.base import BudgetPeriod, LeaseClaim, LeaseGrant

SPENT_S, LENT_S = 1.0, 0.1  # how long a store's "no room" is believed: if it is spent, and if it is lent to others
BUSY_S = 1.0  # a purse that borrows again within this time borrows more than it needs
FORGETS_S = 3_600.0  # after this time an idle purse gets a new holder id, long before a store forgets the old one
THRESHOLDS = (0.5, 0.8, 1.0)
_MOST = 1 << 62
_NEVER = float("inf")


class RemainingBudget(NamedTuple):
    """This process's share of what is left of a cap, in picodollars, and when the window ends, in Unix seconds."""

    window: str
    left: float
    ends: float


class BudgetLease:
    """This process's money of one cap and window. Not thread-safe: used under the lock of Budgets. Picodollars.

    `lent`: what the store lends for certain beyond the `reported` part of `spent`; usable until `until` (seconds of the
    router's clock) and `ends` (Unix seconds). While a claim is on its way the store may have lent the rest to others
    already, so no more than the claim keeps is lent; `loan`: all of it, at the last answer. `held`: reserved by calls
    under way. `all_spent`, `all_reserved`: of all processes, at the last answer of the store.
    """

    __slots__ = (
        "_asking", "_dry", "_dry_until", "_next", "all_reserved", "all_spent", "asked", "block", "claims", "ends",
        "frees_at", "held", "holder", "lent", "level", "limit", "loan", "lost", "met", "name", "outdated", "pot",
        "refuses", "reported", "spec", "spent", "until", "used",
    )  # fmt: skip

    def __init__(self, spec: BudgetSpec, name: str, pot: BudgetPeriod) -> None:
        self.spec, self.name, self.pot, self.limit = spec, name, pot, pot.limit
        self.holder = uuid.uuid4().hex[:16]
        self.spent = self.reported = self.lent = self.loan = self.held = 0
        self.until = self.used = float("-inf")
        self.ends = self.asked = float("-inf")  # by the wall clock, which goes on while a machine is asleep
        self.claims = 0
        self._asking = False  # the last claim is on its way, or was lost
        self.block = 0
        self.all_spent = self.all_reserved = 0
        self.met = 0  # what others had spent when this process began
        self.frees_at: float | None = None
        self.level: int | None = None  # how many thresholds were announced; None = the store has not answered yet
        self._next = _NEVER  # the spending that passes the next threshold
        self.refuses = float("-inf")  # since when, by the wall clock
        self._dry, self._dry_until = _MOST, float("-inf")  # the amount the store had no room for; believed until then
        self.outdated = False  # a new purse took its place, because its window is over
        self.lost = False  # it belongs to the parent of a fork

    def forked(self) -> BudgetLease:
        """The copy for the child of a fork: the same spending, without the parent's reservations."""
        own = copy(self)
        own.held, own.lost = 0, False
        return own

    def holds(self, unix: float) -> bool:
        """Whether this time, in Unix seconds, is in the purse's window."""
        pot = self.pot
        return (pot.ends is None or unix < pot.ends) and (pot.starts is None or unix >= pot.starts)

    def free(self, now: float, unix: float) -> int:
        """What can be reserved now without the store."""
        return self.lent - (self.spent - self.reported) - self.held if now < self.until and unix < self.ends else 0

    def store_exhausted(self, amount: int, now: float) -> bool:
        """Whether the store has just answered that there is no room for this amount beside what is held here."""
        return self.held + amount >= self._dry and now < self._dry_until

    def hold(self, amount: int, now: float) -> None:
        """Reserve."""
        self.held += amount
        self.used = now

    def pay(self, amount: int, cost: int) -> None:
        """Give a reservation back and book its cost."""
        self.held -= amount
        self.spent += cost

    def claim(self, amount: int, now: float, unix: float, lease_s: float, *, whole: bool = False) -> LeaseClaim:
        """A claim on the store for a further call; for more than that if calls are frequent, or for all if `whole`."""
        self.block = min(2 * max(self.block, amount), _MOST) if now - self.used < BUSY_S else 0
        kept, least = self._kept(self.free(now, unix)), self.held + amount
        wish = self.limit if whole else least + self.block
        self._numbered(unix)
        return LeaseClaim(self.pot, self.holder, self.spent, kept, least, wish, lease_s, number=self.claims)

    def report(self, now: float, unix: float, lease_s: float, *, final: bool = False) -> LeaseClaim:
        """A claim that reports spending and gives back what is neither held nor soon needed.

        A busy purse gives half of that back, for its calls go on meanwhile; while the store is away, nothing.
        `final`: the purse's last claim, if nothing is held.
        """
        if final or self.outdated or now - self.used >= BUSY_S:
            self.block = 0
        free = 0 if final else self.free(now, unix)
        kept = self._kept(free if self._asking else free // 2 if self.block else 0)
        wish, last = self.held + self.block, final and not self.held
        self._numbered(unix)
        return LeaseClaim(self.pot, self.holder, self.spent, kept, kept, wish, lease_s, last, self.claims)

    def _kept(self, free: int) -> int:
        """What a claim keeps whatever is answered: all that is held, and of what is free so much. No more is lent now.

        The store may get the claim at once and answer late, or the answer be lost.
        """
        kept = self.held + max(free, 0)
        self.lent = min(self.lent, kept + self.spent - self.reported)
        self._asking = True
        return kept

    def _numbered(self, unix: float) -> None:
        """Number the claim. After long idleness take a new holder id: the store forgets ids and would book twice."""
        if unix - self.asked > FORGETS_S and unix > self.ends and self.spent == self.reported and not self.held:
            self.holder, self.claims = uuid.uuid4().hex[:16], 0
            self.spent = self.reported = self.lent = self.loan = 0
            self.met = self.all_spent
        self.asked = unix
        self.claims += 1

    def granted(self, claim: LeaseClaim, grant: LeaseGrant, now: float, unix: float) -> None:
        """Take in the store's answer; `now`, `unix`: when the claim was made."""
        if self.level is None:
            self.met = grant.spent - claim.spent
            self._pass(self._level(self.met))
        self.reported, self.lent, self.loan, self._asking = claim.spent, grant.lent, grant.lent, False
        self.until, self.ends = now + claim.lease_s, unix + claim.lease_s
        self.all_spent, self.all_reserved, self.frees_at = grant.spent, grant.reserved, grant.frees_at
        room = self.limit - grant.spent - grant.reserved + grant.lent
        if room < claim.least:
            spent = self.limit - grant.spent < claim.least
            self._dry, self._dry_until = claim.least, now + (SPENT_S if spent else LENT_S)
            self.block = 0  # what is left of a loan is too little here, and may be enough for others
        elif room >= self._dry:
            self._dry = _MOST

    @property
    def known_spent(self) -> int:
        """The spending of all processes, as far as it is known here."""
        return self.all_spent + self.spent - self.reported

    @property
    def left(self) -> int:
        """What nobody has spent or reserved, as far as it is known here."""
        mine = self.loan - (self.spent - self.reported) - self.held
        return max(self.limit - self.all_spent - self.all_reserved + max(mine, 0), 0)

    def rest(self) -> RemainingBudget | None:
        """This process's share of what is left, in proportion to its share of the spending; None if no window ends.

        A hundredth of the cap is left out, as a margin for reservations.
        """
        if self.pot.ends is None or self.pot.rolls_s is not None:
            return None
        few = self.limit / 100.0  # also the spending from which on shares mean something
        share = (self.spent + few) / (max(self.known_spent - self.met, self.spent) + few) if self.limit else 0.0
        return RemainingBudget(self.spec.window, max(self.limit - few - self.known_spent, 0.0) * share, self.pot.ends)

    @property
    def resets_at(self) -> float | None:
        """When the window ends, or when a rolling one has room again, in Unix seconds; None = never."""
        return self.pot.ends if self.pot.rolls_s is None else self.frees_at

    def first_refusal(self, unix: float) -> bool:
        """Whether this refusal is the first of the window, or within the length of a rolling one."""
        first = unix - self.refuses >= (self.pot.rolls_s or _NEVER)
        if first:
            self.refuses = unix
        return first

    @property
    def at_rest(self) -> bool:
        """Whether nothing is held, lent or unreported."""
        return not self.held and not self.lent and self.spent == self.reported

    def passed(self) -> list[float]:
        """The thresholds passed since the last call, as shares of the limit."""
        spent, rolls = self.all_spent + self.spent - self.reported, self.pot.rolls_s is not None
        if self.level is None or (spent < self._next and not rolls):
            return []
        level = self._level(spent)
        news = list(THRESHOLDS[self.level : level])
        self._pass(0 if level == 0 and rolls else max(self.level, level))
        return news

    def _pass(self, level: int) -> None:
        self.level = level
        self._next = ceil(THRESHOLDS[level] * self.limit) if level < len(THRESHOLDS) else _NEVER

    def _level(self, spent: int) -> int:
        return sum(spent >= threshold * self.limit for threshold in THRESHOLDS)

    def __repr__(self) -> str:
        return f"<BudgetLease {self.name}>"
