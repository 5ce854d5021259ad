"""What budgets say: why a call may not be made, and what their owner is to hear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import NamedTuple

from capability_router.amounts import exact
from capability_router.money.budget.cap import OnExceed
from capability_router.money.budget.purse import Purse
from capability_router.money.price import usd


class Denial(NamedTuple):
    """Why a call may not be made: the cap, how it stands in picodollars, in words, and what is to follow.

    `resets_at`: when the window ends, in Unix seconds; None = never. `private`: the numbers are others' too, so the
    asking tenant is not told them. `store`: the store can't be asked, so nobody knows what is left. `fits`: the
    models for whose calls there is room.
    """

    scope: str
    left: int
    told: str
    on_exceed: OnExceed
    window: str = ""
    limit: int | None = None
    spent: int | None = None
    reserved: int | None = None
    resets_at: float | None = None
    private: bool = False
    store: bool = False
    fits: tuple[str, ...] = ()

    @property
    def final(self) -> bool:
        """Whether no other model is to be tried: a cap on one model, provider or key leaves the others free."""
        return self.on_exceed == "refuse" and not self.scope.startswith(("model:", "provider:", "credential:"))


def each_once(denials: Mapping[str, Denial]) -> str:
    """'a: ...; b: ...'. One that ended the request stands for all models, and is told of the first that met it."""
    last = {denial: model for model, denial in list(denials.items())[::-1]}
    return "; ".join(f"{m}: {denial.told}" for m, denial in denials.items() if not denial.final or last[denial] == m)


class BudgetEvent(NamedTuple):
    """Something about a cap that its owner should hear of; amounts in USD.

    `kind`: "threshold" (`share` of the limit is spent: 0.5, 0.8, 1.0), "refusing" (the first call of the window that
    the cap leaves no room for), "store_away", "store_back".
    """

    kind: str
    scope: str
    window: str = ""
    share: float = 0.0
    limit_usd: Decimal = Decimal(0)
    spent_usd: Decimal = Decimal(0)
    left_usd: Decimal = Decimal(0)
    resets_at: str | None = None
    detail: str = ""

    @property
    def told(self) -> str:
        """One line for a log."""
        if self.kind not in ("threshold", "refusing"):
            return f"budgets: {self.kind.replace('_', ' ')}: {self.scope} {self.detail}".strip()
        spent, limit = exact(self.spent_usd), exact(self.limit_usd)
        news = f"{self.share:.0%} passed" if self.kind == "threshold" else f"refusing, {self.detail}"
        return f"budget {named(self.scope)} ({self.window}): {news}, {spent} of {limit} spent"


def named(scope: str) -> str:
    """'tenant:acme'; 'tenant:(none)' for those without one, as `tenant:*` has them."""
    return f"{scope}(none)" if scope.endswith(":") else scope


def moment(unix: float | None) -> str | None:
    """How users are told when a window resets, in errors, events and rows: '2026-11-26T00:00:00Z'; None = never.

    Up to the whole second: who waits until then must not find it refused still.
    """
    return None if unix is None else f"{datetime.fromtimestamp(ceil(unix), UTC):%Y-%m-%dT%H:%M:%SZ}"


def passed(purse: Purse, share: float) -> BudgetEvent:
    """A threshold has been passed."""
    return BudgetEvent(
        "threshold", purse.name, purse.spec.window, share, usd(purse.limit), usd(purse.known_spent), usd(purse.left),
        moment(purse.resets_at),
    )  # fmt: skip


def refusing(purse: Purse, amount: int) -> BudgetEvent:
    """A call has been the first that found no room."""
    return passed(purse, 0.0)._replace(kind="refusing", detail=f"no room for a call of up to {exact(usd(amount))}")


def denied(purse: Purse, amount: int, scopes: Sequence[str]) -> Denial:
    """The cap leaves no room for a call that may cost so much."""
    spec, left, name = purse.spec, purse.left, named(purse.name)
    reserved = max(purse.limit - purse.known_spent - left, 0)
    most = f"the call may cost up to {exact(usd(amount))}"
    resets = moment(purse.resets_at)
    until = f"; resets at {resets}" if resets else ""
    if private := _others_too(purse, scopes):
        told = f"{name}: no room is left ({spec.window}), {most}{until}"
    else:
        held = f", {exact(usd(reserved))} held by calls under way" if 0 < reserved >= amount - left else ""
        told = f"{name}: {exact(usd(left))} of {exact(usd(purse.limit))} left{held} ({spec.window}), {most}{until}"
    return Denial(
        purse.name, left, told, spec.on_exceed, spec.window, purse.limit, purse.known_spent, reserved,
        purse.resets_at, private,
    )  # fmt: skip


def unpriced(purse: Purse, scopes: Sequence[str]) -> Denial:
    """What the model costs is not known; another one's price may be."""
    told = (
        f"{named(purse.name)}: the model's price is unknown, a budget needs one: say `price:` on its card, or "
        "run `capability-router catalog update --from models.dev`"
    )
    return Denial(
        purse.name, purse.left, told, "degrade", purse.spec.window, purse.limit, purse.known_spent,
        resets_at=purse.resets_at, private=_others_too(purse, scopes),
    )  # fmt: skip


def withheld(purse: Purse, why: str) -> Denial:
    """The store can't be asked."""
    return Denial(purse.name, 0, f"{named(purse.name)}: {why}", "refuse", purse.spec.window, private=True, store=True)


def _others_too(purse: Purse, scopes: Sequence[str]) -> bool:
    """Whether a tenant asks, and the cap is not its own: its numbers would tell of other tenants."""
    asks = next((s for s in scopes if s.startswith("tenant:")), "tenant:")
    return asks not in ("tenant:", purse.name)
