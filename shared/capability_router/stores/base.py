"""What a store is: rooms that are independent of each other, behind one URL.

Every method may do I/O, may be called from any thread, and raises StoreError when the store can't be reached,
read or written. Money is in picodollars, times are in Unix seconds of the store's own clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from capability_router.stores.calls import CallStore
from capability_router.stores.lessons import LessonStore
from capability_router.stores.reports import ReportStore


class BudgetPeriod(NamedTuple):
    """One budget in one window: what is spent and reserved together never exceeds `limit`.

    `budget` names scope and window, `window` the calendar unit ("2026-11-25", "" for a rolling one or all time).
    `starts`, `ends`: its span, None = always. `rolls_s`: the length of a rolling window.
    """

    budget: str
    window: str
    limit: int
    starts: float | None = None
    ends: float | None = None
    rolls_s: float | None = None


class LeaseClaim(NamedTuple):
    """What a holder (one process) tells of a pot, and what it asks for; saying it again changes nothing.

    `spent`: all that this holder has spent of the pot so far. `kept`: what it keeps of its loan whatever is answered:
    reserved by its calls under way, or by those that begin meanwhile. `least`: what it must be lent to go on, `wish`:
    what it would like, none of which is spent yet. A loan ends `lease_s` after the claim. `final`: the holder won't be
    heard of again. `number` grows with each claim of a holder: one that comes again, or after a later one, changes no
    loan.
    """

    pot: BudgetPeriod
    holder: str
    spent: int
    kept: int = 0
    least: int = 0
    wish: int = 0
    lease_s: float = 30.0
    final: bool = False
    number: int = 0


class LeaseGrant(NamedTuple):
    """What a holder has been lent (`lent` >= the claim's `least`: it may go on), and how the pot stands now.

    `spent` and `reserved` are everybody's, `at` is the store's time; `frees_at`: when some of a rolling window's
    money is free again.
    """

    lent: int
    spent: int
    reserved: int
    at: float
    frees_at: float | None = None


class BudgetBalance(NamedTuple):
    """A pot as a reader sees it. `limit` is that of the last claim."""

    budget: str
    window: str
    limit: int
    spent: int
    reserved: int
    at: float
    ends: float | None = None


class BudgetStore(Protocol):
    """Caps that hold across processes: holders are lent parts of a pot, spend them, and tell."""

    inline: bool
    """Whether a claim is mere arithmetic in this process, so that it needs no thread and no lease."""

    def claim(self, claim: LeaseClaim) -> LeaseGrant:
        """Book what was spent since the holder's last claim, and lend; see `lending.lend`."""
        ...

    def standings(self, budgets: Iterable[str] = ()) -> list[BudgetBalance]:
        """The pots of the windows that hold now, of these budgets or of all."""
        ...


class Store(Protocol):
    """One place. `name` is its URL without a password, for errors and logs."""

    name: str

    @property
    def budgets(self) -> BudgetStore: ...
    @property
    def lessons(self) -> LessonStore: ...
    @property
    def calls(self) -> CallStore | None:
        """Where the ledger is kept; None = not in this kind of store."""
        ...

    @property
    def reports(self) -> ReportStore | None:
        """The room for health reports; None = no other process could read it there."""
        ...

    def open(self) -> None:
        """Make it ready, as its first use would; raises StoreError for a file that can't be used."""
        ...

    def close(self) -> None:
        """Give connections back; the store can go on being used."""
        ...
