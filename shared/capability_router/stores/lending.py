"""How a pot is lent out: pure arithmetic, shared by the stores that compute in Python.

A holder (one process) is lent a part of the pot, the loan. It spends from it without asking, and tells with its
next claim. So at any time: spent + all loans <= limit. A claim states totals, never changes, so that it can be
repeated after a lost answer. A loan that is not renewed ends; what its holder tells later is booked all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from capability_router.stores.base import BudgetPeriod, LeaseClaim, LeaseGrant

SHARE = 16  # of what is left beyond its need, a holder is lent one part in so many
BUCKETS = 64  # into which a rolling window is cut: it forgets a 64th later than it might
HOLDERS = 64  # of a pot that none is forgotten of: one may be asleep for days, or a clock far ahead for a moment
KEPT_S = 86_400.0  # of more, how long a holder that has gone is known, so that nothing it tells again is booked twice
FINAL_S = 600.0  # the same for one that has said goodbye
PAST_S = 7 * 86_400.0  # how long a window that is over can still be told of


@dataclass(slots=True)
class HolderLease:
    """What a holder has been lent until `ends`, has told to have spent, until when it is known, and its last claim."""

    amount: int
    spent: int
    ends: float
    known: float
    number: int = 0


@dataclass(slots=True)
class BudgetState:
    """The state of a pot: what was spent, by bucket of a rolling window (else all in bucket 0), and the loans."""

    spent: dict[int, int] = field(default_factory=dict)
    loans: dict[str, HolderLease] = field(default_factory=dict)

    def total(self) -> int:
        """All that was spent in the window."""
        return sum(self.spent.values())

    def reserved(self, now: float) -> int:
        """All that is lent."""
        return sum(loan.amount for loan in self.loans.values() if loan.ends > now)

    def turn(self, pot: BudgetPeriod, now: float) -> None:
        """Forget what has left a rolling window, and of many holders those that have long gone."""
        if pot.rolls_s is not None:
            oldest = first_bucket(pot.rolls_s, now)
            for bucket in [b for b in self.spent if b < oldest]:
                del self.spent[bucket]
        if len(self.loans) > HOLDERS:
            for holder in [name for name, loan in self.loans.items() if loan.known <= now]:
                del self.loans[holder]

    def frees_at(self, pot: BudgetPeriod) -> float | None:
        """When the oldest bucket of a rolling window leaves it."""
        if pot.rolls_s is None or not self.spent:
            return None
        return (min(self.spent) + 1) * (pot.rolls_s / BUCKETS) + pot.rolls_s

    def resets_at(self, pot: BudgetPeriod) -> float | None:
        """When the window ends, or a rolling one has forgotten something."""
        return pot.ends if pot.rolls_s is None else self.frees_at(pot)


def bucket(pot: BudgetPeriod, now: float) -> int:
    """Where money spent now is put."""
    return 0 if pot.rolls_s is None else int(now // (pot.rolls_s / BUCKETS))


def first_bucket(rolls_s: float, now: float) -> int:
    """The oldest bucket that the window still touches."""
    return int((now - rolls_s) // (rolls_s / BUCKETS))


def lend(till: BudgetState, claim: LeaseClaim, now: float, share: int = SHARE) -> LeaseGrant:
    """Book what the holder has spent, then lend it `least`, and of its wish as much as is fair; else what it keeps."""
    pot = claim.pot
    till.turn(pot, now)
    loan = till.loans.setdefault(claim.holder, HolderLease(0, 0, 0.0, 0.0))
    if claim.spent > loan.spent:
        here = bucket(pot, now)
        till.spent[here] = till.spent.get(here, 0) + claim.spent - loan.spent
        loan.spent = claim.spent
    if 0 < claim.number <= loan.number:
        return LeaseGrant(loan.amount, till.total(), till.reserved(now), now, till.frees_at(pot))
    loan.amount, loan.number = 0, claim.number
    room = max(pot.limit - till.total() - till.reserved(now), 0)
    loan.amount = _amount(claim, room, share) if window_is_current(pot, now) else min(claim.kept, room)
    loan.ends = now + claim.lease_s
    loan.known = now + FINAL_S if claim.final else loan.ends + KEPT_S
    return LeaseGrant(loan.amount, till.total(), till.reserved(now), now, till.frees_at(pot))


def window_is_current(pot: BudgetPeriod, now: float) -> bool:
    """Whether the pot's window holds now; another one's is lent for no further calls."""
    return (pot.starts is None or now >= pot.starts) and (pot.ends is None or now < pot.ends)


def _amount(claim: LeaseClaim, room: int, share: int) -> int:
    if claim.least > room:
        return min(claim.kept, room)
    return claim.least + min(max(claim.wish - claim.least, 0), (room - claim.least) // share)
