"""`capability-router ledger total|series|calls|export`: what was spent, by whom, read from the router's store."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from capability_router.cli import terminal
from capability_router.cli.files import ROUTER_YAML, takes_config
from capability_router.cli.store import open_existing
from capability_router.errors import ConfigError

if TYPE_CHECKING:
    from capability_router.drawing.table import Table
    from capability_router.money.ledger.call import Call
    from capability_router.money.ledger.ledger import Ledger

_CALLS = ("at (UTC)", "tenant", "chain", "task", "tags", "model", "ended", "tokens in", "tokens out", "USD")


@click.group()
def ledger() -> None:
    """Show what was spent, by whom.

    Totals, series and single calls, read from the store that routers write.
    """


def _reads(command: Callable[..., None]) -> Callable[..., None]:
    """The options that every subcommand has."""
    options: tuple[Callable[[Any], Any], ...] = (
        takes_config,
        click.option("--store", help="The store, such as sqlite:///router.db; else that of CONFIG."),
        click.option(
            "--where", multiple=True, metavar="NAME=VALUE", help="Only these, such as tenant=acme; may be repeated."
        ),
        click.option("--since", help="From then on: an age (90m, 24h, 7d) or an ISO date, UTC."),
        click.option("--until", help="Up to then."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


_BY = click.option("--by", multiple=True, metavar="NAMES", help="Dimensions, such as tenant,model; may be repeated.")
_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON, with exact amounts.")


@ledger.command()
@_reads
@_BY
@_JSON
def total(store: str | None, config: Path | None, by: tuple[str, ...], as_json: bool, **span: Any) -> None:
    """Sums, one for each combination of --by."""
    found = _opened(store, config).total(by=_names(by), **_narrowed(span))
    _show(found.rows(), found.table(), as_json)


@ledger.command()
@_reads
@_BY
@click.option("--step", default="day", show_default=True, help="hour, day, week or month, UTC.")
@_JSON
def series(store: str | None, config: Path | None, by: tuple[str, ...], step: str, as_json: bool, **span: Any) -> None:
    """Sums per step of time."""
    found = _opened(store, config).series(by=_names(by), step=step, **_narrowed(span))
    _show(found.rows(), found.table(), as_json)


@ledger.command()
@_reads
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="How many of the newest.")
@_JSON
def calls(store: str | None, config: Path | None, last: int, as_json: bool, **span: Any) -> None:
    """The newest calls, one line each."""
    from capability_router.drawing.table import Table
    from capability_router.money.ledger.export import row_of

    found = _opened(store, config).calls(last, **_narrowed(span))
    spare = tuple(map(_CALLS.index, ("tags", "task", "chain", "tokens in", "tokens out")))
    table = Table(*_CALLS, rows=map(_line, found), right=range(7, 10), cut=range(1, 7), spare=spare)
    _show([row_of(call) for call in found], table, as_json)


@ledger.command()
@_reads
@click.option("-o", "--output", required=True, help='.jsonl, .csv or .parquet; "-" is standard output.')
@click.option("--format", "form", type=click.Choice(["jsonl", "csv", "parquet"]), help="By the ending, if left out.")
def export(store: str | None, config: Path | None, output: str, form: Any, **span: Any) -> None:
    """Write the kept calls to a file, with exact amounts."""
    if output == "-":
        out: IO[Any] = sys.stdout.buffer if form == "parquet" else sys.stdout
        _opened(store, config).export(out, form, **_narrowed(span))
        return
    count = _opened(store, config).export(output, form, **_narrowed(span))
    click.echo(f"{output}: {count:,} calls")


def _opened(store: str | None, config: Path | None) -> Ledger:
    """The ledger in a store that is there; a misspelt path makes no new file."""
    from capability_router.clock import SystemClock
    from capability_router.money.ledger.journal import Journal
    from capability_router.money.ledger.ledger import Ledger

    url = store or _of_config(config or ROUTER_YAML)
    scheme = url.partition("://")[0]
    room = open_existing(url).calls if scheme == "sqlite" else None
    if room is None:
        raise ConfigError(
            f"a {scheme} store keeps no ledger to be read from outside; set `store: sqlite:///router.db`, or "
            "`ledger: {store: sqlite:///ledger.db}`, in router.yaml, or give --store"
        )
    return Ledger(books=Journal(room, unix=SystemClock.unix))


def _of_config(config: Path) -> str:
    from capability_router.config import load

    if not config.exists():
        raise ConfigError(f"no {config} here; give --store sqlite:///router.db, or --config with a router.yaml")
    settings = load(config)
    return settings.ledger.store or settings.store


def _names(by: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip() for given in by for name in given.split(",") if name.strip())


def _narrowed(span: dict[str, Any]) -> dict[str, Any]:
    where: dict[str, list[str]] = {}
    for pair in span.pop("where"):
        name, sign, value = pair.partition("=")
        if not sign:
            raise ConfigError(f"--where {pair!r}: write NAME=VALUE, such as tenant=acme")
        where.setdefault(name.strip(), []).append(value)
    return {**span, "where": where}


def _line(call: Call) -> tuple[str, ...]:
    from datetime import UTC, datetime

    from capability_router.money.ledger.total import told, usd_cell

    at = f"{datetime.fromtimestamp(call.at, UTC):%m-%d %H:%M:%S}"
    cost = "unknown" if call.cost_usd is None else f"{'~' if call.estimated else ''}{usd_cell(call.cost_usd)}"
    texts = (call.tenant, call.chain, call.task, ",".join(call.tags), call.model, call.fault or call.outcome)
    return (at, *map(told, texts), f"{call.input_tokens:,}", f"{call.output_tokens:,}", cost)


def _show(rows: list[dict[str, Any]], table: Table, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        terminal.show(table)
    else:
        click.echo("no calls are booked there, in this time and with this filter", err=True)
