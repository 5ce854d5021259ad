"""What this process may spend of one pot without asking the store: its loan, less what is spent and held of it."""

from __future__ import annotations

import uuid
from copy import copy
from math import ceil
from typing import NamedTuple

from capability_router.money.budget.cap import BudgetSpec
from capability_router.stores.base import Claim, Grant, Pot

SPENT_S, LENT_S = 1.0, 0.1  # so long a store's word holds that a pot has no room: what is spent stays so, loans end
BUSY_S = 1.0  # who asks again within this time is lent more than he needs
FORGETS_S = 3_600.0  # after which a purse at rest begins as a new holder, long before a store forgets the old one
THRESHOLDS = (0.5, 0.8, 1.0)
_MOST = 1 << 62
_NEVER = float("inf")


class Rest(NamedTuple):
    """What is left for this process of a cap whose window ends: picodollars, and until when in Unix seconds."""

    window: str
    left: float
    ends: float


class Purse:
    """One pot's money in this process. Not thread-safe: used under the lock of Budgets. Picodollars.

    `lent` is what the store last lent beyond the `told` part of `spent`; it may be used until `until` (seconds of
    the router's clock) and `ends` (Unix seconds). `held` is reserved by calls under way. `all_spent`,
    `all_reserved`: everybody's, when the store was last asked.
    """

    __slots__ = (
        "_dry", "_dry_until", "_next", "all_reserved", "all_spent", "asked", "block", "claims", "ends", "frees_at",
        "held", "holder", "left_behind", "lent", "level", "limit", "lost", "met", "name", "pot", "refuses", "spec",
        "spent", "told", "until", "used",
    )  # fmt: skip

    def __init__(self, spec: BudgetSpec, name: str, pot: Pot) -> None:
        self.spec, self.name, self.pot, self.limit = spec, name, pot, pot.limit
        self.holder = uuid.uuid4().hex[:16]
        self.spent = self.told = self.lent = self.held = 0
        self.until = self.used = float("-inf")
        self.ends = self.asked = float("-inf")  # by the wall clock, which goes on while a machine is asleep
        self.claims = 0
        self.block = 0
        self.all_spent = self.all_reserved = 0
        self.met = 0  # what others had spent when this process began to
        self.frees_at: float | None = None
        self.level: int | None = None  # how many thresholds have been told; None = the store has not been asked
        self._next = _NEVER  # the spending that passes the next threshold
        self.refuses = float("-inf")  # since when, by the wall clock
        self._dry, self._dry_until = _MOST, float("-inf")  # what the store had no room for, and until when that holds
        self.left_behind = False  # another took its place, for the time is not in its window any more
        self.lost = False  # it belongs to the process that this one was forked from

    def forked(self) -> Purse:
        """A forked child's: what was spent is known there, too; what is held is its parent's."""
        own = copy(self)
        own.held, own.lost = 0, False
        return own

    def holds(self, unix: float) -> bool:
        """Whether this moment is in its window."""
        pot = self.pot
        return (pot.ends is None or unix < pot.ends) and (pot.starts is None or unix >= pot.starts)

    def free(self, now: float, unix: float) -> int:
        """What may be held now without asking."""
        return self.lent - (self.spent - self.told) - self.held if now < self.until and unix < self.ends else 0

    def is_dry(self, amount: int, now: float) -> bool:
        """Whether the store has just said that there is no room for so much. Money that comes back here ends it."""
        return self.held + amount >= self._dry and now < self._dry_until

    def hold(self, amount: int, now: float) -> None:
        """Reserve."""
        self.held += amount
        self.used = now

    def pay(self, amount: int, cost: int) -> None:
        """Give a reservation back and book what was spent of it."""
        self.held -= amount
        self.spent += cost

    def asks(self, amount: int, now: float, unix: float, lease_s: float, *, whole: bool = False) -> Claim:
        """A claim for what a further call needs, and for more if calls follow each other closely, or with `whole`."""
        self.block = min(2 * max(self.block, amount), _MOST) if now - self.used < BUSY_S else 0
        least = self.held + amount
        wish = self.limit if whole else least + self.block
        self._numbered(unix)
        return Claim(self.pot, self.holder, self.spent, self.held, least, wish, lease_s, number=self.claims)

    def tells(self, now: float, unix: float, lease_s: float, *, final: bool = False) -> Claim:
        """A claim for no more than what is held and soon used again; `final`: the last one, if nothing is held."""
        if final or now - self.used >= BUSY_S:
            self.block = 0
        held, wish, last = self.held, self.held + self.block, final and not self.held
        self._numbered(unix)
        return Claim(self.pot, self.holder, self.spent, held, held, wish, lease_s, last, self.claims)

    def _numbered(self, unix: float) -> None:
        """Count the claim. A store forgets a holder in time, and would book its total again: begin as another."""
        if unix - self.asked > FORGETS_S and unix > self.ends and self.spent == self.told and not self.held:
            self.holder, self.claims = uuid.uuid4().hex[:16], 0
            self.spent = self.told = self.lent = 0
            self.met = self.all_spent
        self.asked = unix
        self.claims += 1

    def granted(self, claim: Claim, grant: Grant, now: float, unix: float) -> None:
        """Take in what the store answered; `now`, `unix`: when it was asked."""
        if self.level is None:
            self.met = grant.spent - claim.spent
            self._pass(self._level(self.met))
        self.told, self.lent = claim.spent, grant.lent
        self.until, self.ends = now + claim.lease_s, unix + claim.lease_s
        self.all_spent, self.all_reserved, self.frees_at = grant.spent, grant.reserved, grant.frees_at
        room = self.limit - grant.spent - grant.reserved + grant.lent
        if room < claim.least:
            spent = self.limit - grant.spent < claim.least
            self._dry, self._dry_until = claim.least, now + (SPENT_S if spent else LENT_S)
        elif room >= self._dry:
            self._dry = _MOST

    @property
    def known_spent(self) -> int:
        """Everybody's spending, as far as it is known here."""
        return self.all_spent + self.spent - self.told

    @property
    def left(self) -> int:
        """What nobody has spent or reserved, as far as it is known here."""
        mine = self.lent - (self.spent - self.told) - self.held
        return max(self.limit - self.all_spent - self.all_reserved + max(mine, 0), 0)

    def rest(self) -> Rest | None:
        """Of what all have left, but for a hundredth of the cap, as large a part as this process has of all spending.

        None where no window ends.
        """
        if self.pot.ends is None or self.pot.rolls_s is not None:
            return None
        few = self.limit / 100.0  # so little tells nothing of shares yet, and is left for what calls reserve
        share = (self.spent + few) / (max(self.known_spent - self.met, self.spent) + few) if self.limit else 0.0
        return Rest(self.spec.window, max(self.limit - few - self.known_spent, 0.0) * share, self.pot.ends)

    @property
    def resets_at(self) -> float | None:
        """When the window ends, or a rolling one has forgotten something."""
        return self.pot.ends if self.pot.rolls_s is None else self.frees_at

    def begins_to_refuse(self, unix: float) -> bool:
        """Whether this refusal is the first of the window, or of as long a time as a rolling one looks back."""
        first = unix - self.refuses >= (self.pot.rolls_s or _NEVER)
        if first:
            self.refuses = unix
        return first

    @property
    def at_rest(self) -> bool:
        """Whether nothing is held, lent or untold."""
        return not self.held and not self.lent and self.spent == self.told

    def passed(self) -> list[float]:
        """The thresholds that the spending has passed since this was last asked."""
        spent, rolls = self.all_spent + self.spent - self.told, self.pot.rolls_s is not None
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
        return f"<Purse {self.name}>"
