"""Spending caps that hold: what a call may cost is reserved before it is sent and settled after.

A cap covers a scope ("global", "tenant:acme", "tag:nightly", "task:summarise", "chain:x",
"model:openai/gpt-5-mini") over a window. Spent plus reserved never exceeds it, whatever the number
of threads. Windows are calendar units in UTC, "total", or "rolling:<seconds>".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from capability_router.errors import ConfigError
from capability_router.money.price import pico, usd
from capability_router.postbox import Postbox

OnExceed = Literal["refuse", "degrade", "warn"]
SCOPES = ("global", "tenant", "tag", "task", "chain", "model")
WINDOWS = ("minute", "hour", "day", "week", "month", "total")
_FIXED = {"minute": 60, "hour": 3_600}


@dataclass(frozen=True, slots=True)
class BudgetSpec:
    """One cap. `refuse`: the request fails; `degrade`: only models that fit are tried; `warn`: it is told."""

    scope: str
    limit_usd: float
    window: str = "total"
    on_exceed: OnExceed = "refuse"

    def __post_init__(self) -> None:
        kind, _, name = self.scope.partition(":")
        if kind not in SCOPES or (kind != "global") != bool(name):
            raise ConfigError(
                f"budget scope {self.scope!r}: write 'global' or one of {', '.join(SCOPES[1:])} as 'tenant:acme'"
            )
        if self.window not in WINDOWS and not _rolling_s(self.window):
            raise ConfigError(
                f"budget window {self.window!r}: one of {', '.join(WINDOWS)} or 'rolling:<seconds>' above 0"
            )
        if self.on_exceed not in ("refuse", "degrade", "warn"):
            raise ConfigError(f"budget on_exceed {self.on_exceed!r}: refuse, degrade or warn")
        pico(self.limit_usd)


def _rolling_s(window: str) -> float | None:
    """60.0 of 'rolling:60'; None = another window, or no number of seconds."""
    kind, _, seconds = window.partition(":")
    plain = seconds.isascii() and seconds.replace(".", "", 1).isdigit()
    return float(seconds) if kind == "rolling" and plain else None


Meant = Callable[[str], Sequence[str]]
"""The ids that a model's name may mean."""


def _by_itself(name: str) -> Sequence[str]:
    return (name,)


class Denial(NamedTuple):
    """Why a call may not be made: the cap, what is left of it in picodollars, in words, and what is to follow."""

    scope: str
    left: int
    told: str
    on_exceed: OnExceed


class Hold(NamedTuple):
    """Money reserved for one launch, in every budget that covers it."""

    budgets: tuple[Budget, ...]
    amount: int


class Budget:
    """One cap and what is spent and reserved in its current window."""

    def __init__(self, spec: BudgetSpec, meant: Meant) -> None:
        self.spec = spec
        kind, _, name = spec.scope.partition(":")
        ids = meant(name) if kind == "model" else ()
        self._scopes = frozenset((spec.scope, *(f"model:{id}" for id in ids)))
        self.limit = pico(spec.limit_usd)
        self.spent = 0
        self.reserved = 0
        self._window = ""
        self._rolling = _rolling_s(spec.window)
        self._past: deque[tuple[float, int]] = deque()

    def covers(self, scopes: frozenset[str]) -> bool:
        """Whether a call with these scopes counts here."""
        return not self._scopes.isdisjoint(scopes)

    def left(self, unix: float) -> int:
        """Picodollars neither spent nor reserved in the window that holds now."""
        self._turn(unix)
        return self.limit - self.spent - self.reserved

    def spend(self, unix: float, amount: int) -> None:
        """Book money that was really spent."""
        self._turn(unix)
        self.spent += amount
        if self._rolling is not None:
            self._past.append((unix, amount))

    def told(self, unix: float) -> str:
        """'tenant:acme: $0.004 of $1 left this day'."""
        left = usd(max(self.left(unix), 0))
        return f"{self.spec.scope}: ${left:f} of ${self.spec.limit_usd:g} left ({self.spec.window})"

    def _turn(self, unix: float) -> None:
        if self._rolling is not None:
            while self._past and self._past[0][0] <= unix - self._rolling:
                self.spent -= self._past.popleft()[1]
            return
        window = window_id(self.spec.window, unix)
        if window != self._window:
            self._window, self.spent = window, 0


class Budgets:
    """All caps of a router; thread-safe. `meant` gives the ids of the models that a cap's scope names."""

    def __init__(self, specs: Sequence[BudgetSpec] = (), meant: Meant = _by_itself) -> None:
        self._budgets = [Budget(spec, meant) for spec in specs]
        self._postbox: Postbox[tuple[Hold, int, float]] = Postbox(self._settle)
        self.warnings = 0

    def __bool__(self) -> bool:
        return bool(self._budgets)

    def reserve(self, scopes: Iterable[str], amount: int | None, unix: float) -> Hold | Denial:
        """Reserve in every budget that covers the scopes, or in none: then why."""
        names = frozenset(scopes)
        with self._postbox:
            covering = tuple(b for b in self._budgets if b.covers(names))
            for budget in covering:
                scope, on_exceed, left = budget.spec.scope, budget.spec.on_exceed, budget.left(unix)
                if amount is None and on_exceed != "warn":
                    return Denial(scope, left, f"{scope}: the model's price is unknown, a budget needs one", "degrade")
                if (amount or 0) > left:
                    if on_exceed != "warn":
                        return Denial(scope, left, self._told(budget, amount or 0, unix), on_exceed)
                    self.warnings += 1
            for budget in covering:
                budget.reserved += amount or 0
        return Hold(covering, amount or 0)

    def settle(self, hold: Hold, cost: int, unix: float) -> None:
        """Give the reservation back and book what was spent, without waiting."""
        self._postbox.post((hold, cost, unix))

    def _settle(self, settled: tuple[Hold, int, float]) -> None:
        hold, cost, unix = settled
        for budget in hold.budgets:
            budget.reserved -= hold.amount
            budget.spend(unix, cost)

    def rows(self, unix: float) -> list[dict[str, str | float]]:
        """One JSON-safe row per cap."""
        with self._postbox:
            return [
                {"scope": b.spec.scope, "window": b.spec.window, "limit_usd": b.spec.limit_usd,
                 "left_usd": b.left(unix) / 1e12, "reserved_usd": b.reserved / 1e12}
                for b in self._budgets
            ]  # fmt: skip

    @property
    def reserved(self) -> int:
        """Picodollars reserved in all caps; 0 at rest."""
        with self._postbox:
            return sum(b.reserved for b in self._budgets)

    def _told(self, budget: Budget, amount: int, unix: float) -> str:
        most = f"${usd(amount).normalize():f}"
        return f"{budget.told(unix)}, the call may cost up to {most} (give max_tokens to reserve less)"


def window_id(window: str, unix: float) -> str:
    """The name of the window that holds this moment, UTC."""
    if window in _FIXED:
        return str(int(unix // _FIXED[window]))
    day = datetime.fromtimestamp(unix, UTC)
    if window == "week":
        return "{}-{}".format(*day.isocalendar()[:2])
    return {"day": f"{day:%Y-%m-%d}", "month": f"{day:%Y-%m}", "total": "total"}[window]
