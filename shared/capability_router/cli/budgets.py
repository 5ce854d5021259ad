"""`capability-router budgets`: how each cap stands, from the store that the routers share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from capability_router.money.statement import Statement

_HEAD = ("scope", "window", "at limit", "limit", "spent", "reserved", "left", "resets at")


@click.command()
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="Default: ./router.yaml.")
@click.option("--store", "url", help="A store's URL: what it knows of, without a configuration.")
@click.option("--tenant", help="This tenant's own caps only.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of a table.")
def budgets(config: Path | None, url: str | None, tenant: str | None, as_json: bool) -> None:
    """Show the caps of a configuration, or all that a store knows: limit, spent, reserved, left, when it resets."""
    rows = _stored(url, tenant) if url and config is None else _configured(config or Path("router.yaml"), url, tenant)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        click.echo(_table(rows) if rows else "no budgets")


def _configured(config: Path, url: str | None, tenant: str | None) -> list[Statement]:
    from capability_router.clock import SystemClock
    from capability_router.config import load
    from capability_router.money.budget import Budgets
    from capability_router.stores.opening import open_store

    settings, clock = load(config), SystemClock()
    store = open_store(url or settings.store, clock)
    try:
        return Budgets(settings.budgets, room=store.budgets, clock=clock).rows(tenant)
    finally:
        store.close()


def _stored(url: str, tenant: str | None) -> list[Statement]:
    from capability_router.clock import SystemClock
    from capability_router.money.statement import known
    from capability_router.stores.opening import open_store

    store = open_store(url, SystemClock())
    try:
        return known(store.budgets.standings(), tenant)
    finally:
        store.close()


def _table(rows: Sequence[Statement]) -> str:
    told = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(cells[i]) for cells in told) for i in range(len(_HEAD))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip() for cells in told)


def _cells(row: Statement) -> tuple[str, ...]:
    amounts = (f"${row['limit_usd']:g}", *(f"${row[n]:.6f}" for n in ("spent_usd", "reserved_usd", "left_usd")))
    return (row["scope"], row["window"], row["on_exceed"], *amounts, row["resets_at"] or "never")
