"""What this process may spend of one pot without asking the store: its loan, less what is spent and held of it."""

from __future__ import annotations

import uuid
from math import ceil

from capability_router.money.cap import BudgetSpec
from capability_router.stores.base import Claim, Grant, Pot

BUSY_S = 1.0  # who asks again within this time is lent more than he needs
THRESHOLDS = (0.5, 0.8, 1.0)
_MOST = 1 << 62
_NEVER = float("inf")


class Purse:
    """One pot's money in this process. Not thread-safe: used under the lock of Budgets. Picodollars.

    `lent` is what the store last lent beyond the `told` part of `spent`; it may be used until `until` (seconds of
    the router's clock). `held` is reserved by calls under way. `all_spent`, `all_reserved`: everybody's, when the
    store was last asked.
    """

    __slots__ = (
        "_next", "all_reserved", "all_spent", "block", "frees_at", "held", "holder", "lent", "level", "limit", "lost",
        "name", "pot", "spec", "spent", "told", "until", "used",
    )  # fmt: skip

    def __init__(self, spec: BudgetSpec, name: str, pot: Pot) -> None:
        self.spec, self.name, self.pot, self.limit = spec, name, pot, pot.limit
        self.holder = uuid.uuid4().hex[:16]
        self.spent = self.told = self.lent = self.held = 0
        self.until = self.used = float("-inf")
        self.block = 0
        self.all_spent = self.all_reserved = 0
        self.frees_at: float | None = None
        self.level: int | None = None  # how many thresholds have been told; None = the store has not been asked
        self._next = _NEVER  # the spending that passes the next threshold
        self.lost = False  # it belongs to the process that this one was forked from

    def holds(self, unix: float) -> bool:
        """Whether this moment is in its window."""
        pot = self.pot
        return (pot.ends is None or unix < pot.ends) and (pot.starts is None or unix >= pot.starts)

    def free(self, now: float) -> int:
        """What may be held now without asking."""
        return self.lent - (self.spent - self.told) - self.held if now < self.until else 0

    def hold(self, amount: int, now: float) -> None:
        """Reserve."""
        self.held += amount
        self.used = now

    def pay(self, amount: int, cost: int) -> None:
        """Give a reservation back and book what was spent of it."""
        self.held -= amount
        self.spent += cost

    def asks(self, amount: int, now: float, lease_s: float, *, whole: bool = False) -> Claim:
        """A claim for what a further call needs, and for more if calls follow each other closely, or with `whole`."""
        self.block = min(2 * max(self.block, amount), _MOST) if now - self.used < BUSY_S else 0
        least = self.held + amount
        wish = self.limit if whole else least + self.block
        return Claim(self.pot, self.holder, self.spent, self.held, least, wish, lease_s)

    def tells(self, now: float, lease_s: float, *, final: bool = False) -> Claim:
        """A claim for no more than what is held and soon used again; `final`: the last one, if nothing is held."""
        if final or now - self.used >= BUSY_S:
            self.block = 0
        held = self.held
        return Claim(self.pot, self.holder, self.spent, held, held, held + self.block, lease_s, final and not held)

    def granted(self, claim: Claim, grant: Grant, asked_at: float) -> None:
        """Take in what the store answered; `asked_at`: the router's time when it was asked."""
        if self.level is None:
            self._pass(self._level(grant.spent - claim.spent))
        self.told, self.lent, self.until = claim.spent, grant.lent, asked_at + claim.lease_s
        self.all_spent, self.all_reserved, self.frees_at = grant.spent, grant.reserved, grant.frees_at

    @property
    def known_spent(self) -> int:
        """Everybody's spending, as far as it is known here."""
        return self.all_spent + self.spent - self.told

    @property
    def left(self) -> int:
        """What nobody has spent or reserved, as far as it is known here."""
        mine = self.lent - (self.spent - self.told) - self.held
        return max(self.limit - self.all_spent - self.all_reserved + max(mine, 0), 0)

    @property
    def resets_at(self) -> float | None:
        """When the window ends, or a rolling one has forgotten something."""
        return self.pot.ends if self.pot.rolls_s is None else self.frees_at

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
