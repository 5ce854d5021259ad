"""The accounting of one router: stores, ledger, budgets, budget pacing, and the thread that syncs the store."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from capability_router.catalog.registry import Registry
from capability_router.clock import Clock
from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.money.budget.budgets import Budgets, StoreTerms
from capability_router.money.budget.store_sync import StoreSync
from capability_router.money.ledger.ledger import Ledger
from capability_router.money.ledger.ledger_backend import CALLS_KEPT
from capability_router.policies.averages.budget_pacer import BudgetPacer
from capability_router.stores.base import Store
from capability_router.stores.opening import open_store

if TYPE_CHECKING:
    from capability_router.config import Settings
    from capability_router.settings.money import LedgerBlock


class Accounting(ProcessHooks):
    """Opens no store and starts no thread before the first request (`open`)."""

    def __init__(self, settings: Settings, registry: Registry, clock: Clock) -> None:
        binding = any(spec.on_exceed != "warn" for spec in settings.budgets)
        own = settings.ledger.store
        self.store = open_store(settings.store, clock, mend=not binding)
        self._books_store = open_store(own, clock, mend=True) if own else self.store
        self._opened = False
        self.ledger = _ledger(self._books_store, settings.ledger, clock)
        terms = StoreTerms(self.store.name, settings.store_lease_s, settings.when_away)
        self.budgets = Budgets(
            settings.budgets, registry.matches, room=self.store.budgets, clock=clock, terms=terms,
            marks=registry.marks,
        )  # fmt: skip
        self.pace = BudgetPacer(self.budgets.rests, clock) if settings.paced else None
        told = settings.budgets and not self.store.budgets.inline
        self._store_sync = StoreSync(self.budgets) if told else None
        watch(self)

    def open(self) -> None:
        """Open the stores at the first request, so that their errors reach the caller and not a thread's log."""
        if not self._opened:
            self.store.open()
            self._books_store.open()
            self._opened = True
        if self._store_sync is not None:
            self._store_sync.start()

    def after_fork(self) -> None:
        """Calls under way are the parent's. (Budgets in a store are told by their StoreSync.)"""
        self.ledger.forked()
        if self._store_sync is None:
            self.budgets.forked()

    def close(self) -> None:
        """Write the ledger and give back what the store has lent. The next request opens it again."""
        with ExitStack() as parts:  # the last one first; each is closed whatever another one raises
            parts.callback(self._books_store.close)
            parts.callback(self.store.close)
            if self._store_sync is not None:
                parts.callback(self._store_sync.close)
            parts.callback(self.ledger.close)


def _ledger(store: Store, kept: LedgerBlock, clock: Clock) -> Ledger:
    """The ledger: in the store, if that keeps calls, else in memory."""
    room, unix = store.calls, clock.unix
    if room is None:
        return Ledger(CALLS_KEPT if kept.keep_calls is None else kept.keep_calls, days=kept.keep_days, unix=unix)
    from capability_router.money.ledger.journal import Journal  # here, because few need its thread

    return Ledger(unix=unix, books=Journal(room, unix=unix, keep_days=kept.keep_days, keep_calls=kept.keep_calls))
