"""The store of one router in one process: gone when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock

from capability_router.stores.base import Claim, Grant, Pot, Standing, State
from capability_router.stores.lending import Till, lend, open_at


class MemoryBudgets:
    """Pots in this process, lent whole: there is one holder only, the router's budgets."""

    inline = True

    def __init__(self, unix: Callable[[], float]) -> None:
        self._unix = unix
        self._pots: dict[tuple[str, str], tuple[Pot, Till]] = {}
        self._many = 64  # so many pots are looked through for some to forget

    def claim(self, claim: Claim) -> Grant:
        """See BudgetRoom. Its one holder calls it under a lock of its own."""
        pot, now = claim.pot, self._unix()
        found = self._pots.get((pot.budget, pot.window))
        till = found[1] if found is not None else Till()
        self._pots[pot.budget, pot.window] = pot, till
        if len(self._pots) >= self._many:
            self._forget(now)
        return lend(till, claim, now, 1)

    def standings(self, budgets: Iterable[str] = ()) -> list[Standing]:
        """See BudgetRoom."""
        now, names = self._unix(), set(budgets)
        rows = []
        for pot, till in list(self._pots.values()):
            if (not names or pot.budget in names) and open_at(pot, now):
                till.turn(pot, now)
                total, reserved = till.total(), till.reserved(now)
                rows.append(Standing(pot.budget, pot.window, pot.limit, total, reserved, now, pot.ends))
        return rows

    def _forget(self, now: float) -> None:
        """Drop the pots of windows that are over."""
        for key in [key for key, (pot, _) in self._pots.items() if not open_at(pot, now)]:
            del self._pots[key]
        self._many = 2 * len(self._pots) + 64


class MemoryStates:
    """Named texts in this process."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._lock = Lock()

    def get(self, name: str) -> State | None:
        """See StateRoom."""
        return self._states.get(name)

    def put(self, name: str, text: str, version: int) -> bool:
        """See StateRoom."""
        with self._lock:
            found = self._states.get(name)
            if (found.version if found else 0) != version:
                return False
            self._states[name] = State(text, version + 1)
            return True


class MemoryStore:
    """`memory://`."""

    name = "memory://"
    calls = None  # the ledger has books of its own in memory

    def __init__(self, unix: Callable[[], float]) -> None:
        self.budgets = MemoryBudgets(unix)
        self.states = MemoryStates()

    def open(self) -> None:
        """There is nothing to make ready."""

    def close(self) -> None:
        """There is nothing to close."""

    def __repr__(self) -> str:
        return "<MemoryStore>"
