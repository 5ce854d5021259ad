"""`capability-router budgets`: how each cap stands, from the store that the routers share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from capability_router.cli import terminal
from capability_router.cli.files import ROUTER_YAML, takes_config
from capability_router.cli.store import NoStore, open_existing
from capability_router.drawing.table import Table

if TYPE_CHECKING:
    from pathlib import Path

    from capability_router.money.budget.cap_rows import CapRow

_HEAD = ("scope", "window", "at limit", "limit", "spent", "reserved", "left", "resets (UTC)")
_AMOUNTS = range(3, 7)
_CENTS_FROM = 1_000
_SPARE = (5, 2, 7)  # what is reserved is what is neither spent nor left of the limit
_AT_LIMIT = 2


@click.command()
@takes_config
@click.option("--store", "url", help="A store's URL: what it knows of, without a configuration.")
@click.option("--tenant", help="This tenant's own caps only.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of a table.")
def budgets(config: Path | None, url: str | None, tenant: str | None, as_json: bool) -> None:
    """Show each cap: limit, spent, reserved, left, when it resets.

    The caps are those of CONFIG, or all that a store knows.
    """
    rows = _stored(url, tenant) if url and config is None else _configured(config or ROUTER_YAML, url, tenant)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        spare = _SPARE if any(row["on_exceed"] for row in rows) else sorted(_SPARE, key=_AT_LIMIT.__ne__)
        terminal.show(Table(*_HEAD, rows=map(_cells, rows), right=_AMOUNTS, fold=(0,), spare=spare))
    else:
        click.echo("no budgets")


def _configured(config: Path, url: str | None, tenant: str | None) -> list[CapRow]:
    """Where nothing has been spent yet, the caps are whole; but a store that was asked for by name must be there."""
    from capability_router.clock import SystemClock
    from capability_router.config import load
    from capability_router.money.budget.budgets import Budgets

    settings, room = load(config), None
    try:
        room = open_existing(url or settings.store).budgets
    except NoStore as none:
        if url:
            raise
        click.echo(f"nothing is known to be spent: {none}", err=True)
    return Budgets(settings.budgets, room=room, clock=SystemClock()).rows(tenant)


def _stored(url: str, tenant: str | None) -> list[CapRow]:
    from capability_router.money.budget.cap_rows import known

    return known(open_existing(url).budgets.standings(), tenant)


def _cells(row: CapRow) -> tuple[str, ...]:
    amounts = map(_usd, (row["spent_usd"], row["reserved_usd"], row["left_usd"]))
    limit = f"${row['limit_usd']:,.6f}".rstrip("0").rstrip(".")
    day, _, time = (row["resets_at"] or "never").partition("T")
    return (row["scope"], row["window"], row["on_exceed"], limit, *amounts, f"{day[5:]} {time[:5]}" if time else day)


def _usd(amount: float) -> str:
    """From 1,000 USD on in cents; --json has all of it."""
    return f"${amount:,.2f}" if amount >= _CENTS_FROM else f"${amount:.6f}"
