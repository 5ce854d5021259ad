"""Why a budget forbids a call, and the events that budgets announce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import NamedTuple

from capability_router.amounts import exact
from capability_router.money.budget.budget_lease import BudgetLease
from capability_router.money.budget.cap import OnExceed
from capability_router.money.price import usd


class Denial(NamedTuple):
    """Why a call may not be made: the cap, its state in picodollars, and the reason as a text (`told`).

    `on_exceed`: what follows for the request. `resets_at`: when the window ends, in Unix seconds; None = never.
    `private`: the cap covers other tenants too, so its numbers are not shown. `store`: the store can't be reached, so
    what is left is unknown. `fits`: the models whose calls would fit. `passing`: there may be room before the window
    ends.
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
    passing: bool = False

    @property
    def final(self) -> bool:
        """Whether it ends the request. A cap on one model, provider or credential leaves other models usable."""
        return self.on_exceed == "refuse" and not self.scope.startswith(("model:", "provider:", "credential:"))


def denials_text(denials: Mapping[str, Denial]) -> str:
    """The denials by model as one text, "a: ...; b: ...". One that ended the request is named once, for one model."""
    last = {denial: model for model, denial in list(denials.items())[::-1]}
    return "; ".join(f"{m}: {denial.told}" for m, denial in denials.items() if not denial.final or last[denial] == m)


class BudgetEvent(NamedTuple):
    """A change of a cap that its owner should know of; amounts in USD.

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
    """The scope for texts: "tenant:acme", or "tenant:(none)" for calls without a tenant under `tenant:*`."""
    return f"{scope}(none)" if scope.endswith(":") else scope


def moment(unix: float | None) -> str | None:
    """A time in errors, events and rows: "2026-11-26T00:00:00Z"; None = never.

    Rounded up to the whole second, so that a caller who waits until then is not refused again.
    """
    return None if unix is None else f"{datetime.fromtimestamp(ceil(unix), UTC):%Y-%m-%dT%H:%M:%SZ}"


def passed(purse: BudgetLease, share: float) -> BudgetEvent:
    """The event for a threshold that was passed."""
    return BudgetEvent(
        "threshold", purse.name, purse.spec.window, share, usd(purse.limit), usd(purse.known_spent), usd(purse.left),
        moment(purse.resets_at),
    )  # fmt: skip


def refusing(purse: BudgetLease, amount: int) -> BudgetEvent:
    """The event for the first call that was refused."""
    return passed(purse, 0.0)._replace(kind="refusing", detail=f"no room for a call of up to {exact(usd(amount))}")


def denied(purse: BudgetLease, amount: int, scopes: Sequence[str]) -> Denial:
    """The denial of a call that may cost `amount` picodollars: the cap has too little left."""
    spec, left, name = purse.spec, purse.left, named(purse.name)
    reserved = max(purse.limit - purse.known_spent - left, 0)
    most = f"the call may cost up to {exact(usd(amount))}"
    resets = moment(purse.resets_at)
    until = f"; resets at {resets}" if resets else ""
    if private := _covers_other_tenants(purse, scopes):
        told = f"{name}: no room is left ({spec.window}), {most}{until}"
    else:
        held = f", {exact(usd(reserved))} held by calls under way" if 0 < reserved >= amount - left else ""
        told = f"{name}: {exact(usd(left))} of {exact(usd(purse.limit))} left{held} ({spec.window}), {most}{until}"
    return Denial(
        purse.name, left, told, spec.on_exceed, spec.window, purse.limit, purse.known_spent, reserved,
        purse.resets_at, private, passing=purse.limit - purse.known_spent >= amount,
    )  # fmt: skip


def unpriced(purse: BudgetLease, scopes: Sequence[str]) -> Denial:
    """The denial of a model whose price is unknown. Another model may be used."""
    told = (
        f"{named(purse.name)}: the model's price is unknown, but a budget needs it: set `price:` on its card, or "
        "run `capability-router catalog update --from models.dev`"
    )
    return Denial(
        purse.name, purse.left, told, "degrade", purse.spec.window, purse.limit, purse.known_spent,
        resets_at=purse.resets_at, private=_covers_other_tenants(purse, scopes),
    )  # fmt: skip


def withheld(purse: BudgetLease, why: str) -> Denial:
    """The denial if the store can't be used; `why` as a text."""
    told = f"{named(purse.name)}: {why}"
    return Denial(purse.name, 0, told, "refuse", purse.spec.window, private=True, store=True, passing=True)


def _covers_other_tenants(purse: BudgetLease, scopes: Sequence[str]) -> bool:
    """Whether the call has a tenant and the cap is not its own, so that the numbers would reveal other tenants'."""
    asks = next((s for s in scopes if s.startswith("tenant:")), "tenant:")
    return asks not in ("tenant:", purse.name)
