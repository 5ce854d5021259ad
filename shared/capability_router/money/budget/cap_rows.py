"""The state of the caps as rows for people and programs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypedDict

from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.cap_index import CapIndex
from capability_router.money.budget.denial import moment
from capability_router.money.budget.window import rolling_s, span
from capability_router.money.price import pico
from capability_router.stores.base import BudgetBalance


class CapRow(TypedDict):
    """One cap, JSON-safe. `reserved_*`: what calls under way and other processes may still spend.

    `*_pico`: exact picodollars (1e-12 USD). `*_usd`: floats, exact to 15 digits. `resets_at`: "2026-11-26T00:00:00Z";
    None = never; for a rolling window, when some of it is free again.
    """

    scope: str
    window: str
    on_exceed: str
    limit_usd: float
    spent_usd: float
    reserved_usd: float
    left_usd: float
    limit_pico: int
    spent_pico: int
    reserved_pico: int
    left_pico: int
    resets_at: str | None


def cap_rows(
    caps: Sequence[tuple[BudgetSpec, str]], standings: Iterable[BudgetBalance], unix: float, tenant: str | None
) -> list[CapRow]:
    """One row per cap; for a `*` cap one per name that it has met. With `tenant`, only that tenant's own."""
    by_key = {row.budget: row for row in standings}
    rows: list[CapRow] = []
    for spec, key in caps:
        for scope, row in _met(spec, key, by_key) if spec.each else [(spec.scope, by_key.get(key))]:
            if tenant is None or scope == f"tenant:{tenant}":
                rows.append(_row(spec, scope, row, unix))
    return rows


def _met(spec: BudgetSpec, key: str, by_key: Mapping[str, BudgetBalance]) -> list[tuple[str, BudgetBalance | None]]:
    """A row for each name that a `*` cap has met; if it has met none, a row for the cap itself."""
    own = [(f"{spec.kind}:{name[len(key) + 1 :]}", row) for name, row in by_key.items() if name.startswith(f"{key}=")]
    return [*sorted(own)] or [(spec.scope, None)]


def least_left(caps: CapIndex, standings: Iterable[BudgetBalance], scopes: Sequence[str]) -> float | None:
    """The least USD that the caps on these scopes leave, without those that only warn; None = there is none."""
    by_key = {row.budget: row for row in standings}
    binding = [(cap, by_key.get(cap.key_of(scope))) for cap, scope in caps.of(scopes) if cap.spec.on_exceed != "warn"]
    left = (cap.limit - (row.spent + row.reserved if row is not None else 0) for cap, row in binding)
    return min((max(pico, 0) / 1e12 for pico in left), default=None)


def known_left(rows: Iterable[CapRow], scopes: Collection[str]) -> float | None:
    """The least USD left by the rows of `known` with one of these scopes, without those that only warn."""
    binding = (row["left_usd"] for row in rows if row["on_exceed"] != "warn" and row["scope"] in scopes)
    return min(binding, default=None)


def known(standings: Iterable[BudgetBalance], tenant: str | None) -> list[CapRow]:
    """One row per cap in a store, read without the configuration that made it."""
    rows: list[CapRow] = []
    for s in standings:
        head, _, scope = s.budget.partition("|")
        window, _, on_exceed = head.partition("~")
        kind, each, name = scope.partition(":*=")
        scope = f"{kind}:{name}" if each else scope
        if tenant is None or scope == f"tenant:{tenant}":
            rows.append(_told(scope, window, on_exceed, s.limit, s.spent, s.reserved, s.ends))
    return sorted(rows, key=lambda row: (row["scope"], row["window"]))


def _row(spec: BudgetSpec, scope: str, row: BudgetBalance | None, unix: float) -> CapRow:
    spent, reserved = (row.spent, row.reserved) if row is not None else (0, 0)
    ends = span(spec.window, unix).ends if row is None or not rolling_s(spec.window) else row.ends
    return _told(scope, spec.window, spec.on_exceed, pico(spec.limit_usd), spent, reserved, ends)


def _told(scope: str, window: str, on_exceed: str, limit: int, spent: int, reserved: int, ends: float | None) -> CapRow:
    left = max(limit - spent - reserved, 0)
    return {
        "scope": scope, "window": window, "on_exceed": on_exceed, "limit_usd": limit / 1e12,
        "spent_usd": spent / 1e12, "reserved_usd": reserved / 1e12, "left_usd": left / 1e12,
        "limit_pico": limit, "spent_pico": spent, "reserved_pico": reserved, "left_pico": left,
        "resets_at": moment(ends),
    }  # fmt: skip
