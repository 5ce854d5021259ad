"""Which caps cover a call, and the purses that this process has for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from capability_router.money.budget.budget_lease import BudgetLease
from capability_router.money.budget.cap import BudgetSpec, keys
from capability_router.money.budget.window import rolling_s, span
from capability_router.money.price import pico
from capability_router.stores.base import BudgetPeriod
from capability_router.stores.surrogates import sound

NAMELESS = ("tenant", "chain")
"""Kinds whose `*` cap also covers calls without a name, so that it can't be evaded by leaving the name out."""
REST_S = 300.0  # a purse that was unused for this long may be removed

ScopeResolver = Callable[[str], Sequence[str]]
"""From a model's name to the ids that it may mean, or from a credential's name to its marks."""


def scopes_of(model: str, provider: str, *credentials: str) -> list[str]:
    """The scopes that cover every call of this model. `provider`: its canonical name.

    `credentials`: marks or environment variables; "" is skipped.
    """
    keys = (f"credential:{name}" for name in credentials if name)
    return ["global", f"model:{model}", f"provider:{provider}", *keys]


class Budget:
    """One cap and its purses: one, or with "tenant:*" one for each tenant."""

    def __init__(self, spec: BudgetSpec, key: str, meant: Mapping[str, ScopeResolver]) -> None:
        self.spec, self.key, self.limit = spec, key, pico(spec.limit_usd)
        self.each = spec.each
        self.rolls_s = rolling_s(spec.window)
        name = spec.scope.partition(":")[2]
        names = meant[spec.kind](name) if spec.kind in meant and not spec.each else ()
        self.scopes = (spec.scope, *(f"{spec.kind}:{own}" for own in names))
        self.leases: dict[str, BudgetLease] = {}
        self.named: frozenset[str] = frozenset()  # with `each`: the scopes that have a cap of their own
        self._swept = 64  # with this many purses, unused ones are removed

    def purse(self, scope: str, unix: float) -> tuple[BudgetLease, BudgetLease | None]:
        """The purse of the current window, and the previous one if its window has just ended."""
        name = scope if self.each else self.spec.scope
        old = self.leases.get(name)
        if old is not None and old.holds(unix):
            return old, None
        new = self.leases[name] = BudgetLease(self.spec, name, self._pot(name, unix))
        return new, old

    def key_of(self, scope: str) -> str:
        """The name under which a store keeps this scope's spending, written as the ledger writes it."""
        return f"{self.key}={sound(scope.partition(':')[2])}" if self.spec.each else self.key

    def _pot(self, name: str, unix: float) -> BudgetPeriod:
        now = span(self.spec.window, unix)
        return BudgetPeriod(self.key_of(name), now.id, self.limit, now.starts, now.ends, self.rolls_s)

    @property
    def crowded(self) -> bool:
        """Whether there are so many purses that unused ones should be removed."""
        return len(self.leases) >= self._swept

    def sweep(self, now: float, rest: Callable[[BudgetLease], None], wanted: Sequence[BudgetLease]) -> None:
        """Remove the purses that were not used for a while. `rest` gives their leases back.

        `wanted`: purses about to be used, which stay: money lent to a removed purse would be lost to all others.
        """
        for name, purse in list(self.leases.items()):
            if not purse.held and now - purse.used > REST_S and purse not in wanted:
                rest(purse)
                if purse.at_rest:
                    del self.leases[name]
        self._swept = 2 * len(self.leases) + 64


class CapIndex:
    """All caps of a router, by the scopes that they cover."""

    def __init__(self, specs: Sequence[BudgetSpec], meant: Mapping[str, ScopeResolver]) -> None:
        self.caps = [Budget(spec, key, meant) for spec, key in zip(specs, keys(specs), strict=True)]
        self._named: dict[str, list[Budget]] = {}
        self._each: dict[str, list[Budget]] = {}
        self.only_global = bool(self.caps) and all(cap.spec.kind == "global" for cap in self.caps)
        for cap in self.caps:
            if cap.spec.each:
                self._each.setdefault(cap.spec.kind, []).append(cap)
                cap.named = frozenset(s for c in self.caps if _instead(c.spec, cap.spec) for s in c.scopes)
            for scope in () if cap.spec.each else cap.scopes:
                self._named.setdefault(scope, []).append(cap)

    def of(self, scopes: Sequence[str]) -> Iterable[tuple[Budget, str]]:
        """The caps on a call with these scopes, each with the scope; a cap may come more than once."""
        if not self._each:
            named = self._named
            return [(cap, scope) for scope in scopes if scope in named for cap in named[scope]]
        return self._with_each(scopes)

    def _with_each(self, scopes: Sequence[str]) -> Iterator[tuple[Budget, str]]:
        for scope in scopes:
            for cap in self._named.get(scope, ()):
                yield cap, scope
            kind, _, name = scope.partition(":")
            for cap in self._each.get(kind, ()):
                if scope not in cap.named and (name or kind in NAMELESS):
                    yield cap, scope

    def leases(self) -> list[BudgetLease]:
        """All purses."""
        return [purse for cap in self.caps for purse in cap.leases.values()]


def _instead(one: BudgetSpec, each: BudgetSpec) -> bool:
    """Whether the cap `one` replaces the `*` cap `each` for its scope: same kind and window."""
    return not one.each and one.kind == each.kind and one.window == each.window
