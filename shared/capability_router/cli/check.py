"""`capability-router check`: what would go wrong with a configuration, before it does."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from capability_router.amounts import counted
from capability_router.cli import terminal
from capability_router.cli.files import ROUTER_YAML, takes_config
from capability_router.cli.log_silencer import silence
from capability_router.drawing.table import Table

if TYPE_CHECKING:
    from pathlib import Path

    from capability_router.catalog.audit import AuditFinding
    from capability_router.router import Router


@click.command()
@takes_config
@click.option("--max-age", default="30d", show_default=True, help="Older prices are stale: 12h, 30d, 2w.")
@click.option("--strict", is_flag=True, help="What is only for information fails the check, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(config: Path | None, max_age: str, strict: bool, as_json: bool) -> None:
    """Say what is wrong or unknown in a configuration.

    Looks at keys, prices, capabilities, hidden retries, packages, store and log. Builds the models as LangChain and
    LlamaIndex would, as far as these are installed; sends them nothing. Exit code 1 if something would fail (marked
    with !), 2 if the configuration can't be read.
    """
    from capability_router.errors import ConfigError
    from capability_router.router import Router

    with silence():  # what it would warn of is in the table
        try:
            router = Router.from_config(config or ROUTER_YAML)
        except ConfigError as error:
            click.echo(f"Error: {error}", err=True)
            raise SystemExit(2) from error
        found = list(_findings(router, max_age))
    _show(found, router.registry.entries, as_json)
    raise SystemExit(1 if any(finding.grave or strict for finding in found) else 0)


def _findings(router: Router, max_age: str) -> Iterator[AuditFinding]:
    from capability_router.catalog import audit
    from capability_router.catalog.registry import Registry
    from capability_router.cli.catalogs.catalog import days_of, today
    from capability_router.cli.environment import adapters, lacking, log_file, missing_key, packages, store, told
    from capability_router.settings.warnings import about_prices

    settings = router.settings
    repeated = about_prices(settings, router.registry.cards)  # the audit has each as "price missing"
    yield from told(warning for warning in settings.warnings if warning not in repeated)
    keyless = lacking(router.registry)
    yield from map(missing_key, keyless)
    yield from audit.audit(router.registry, today(), days_of(max_age))  # output limits are among the warnings
    yield from adapters(Registry(entry for entry in router.registry if entry not in keyless))
    yield from packages()
    yield from store(settings.store)
    yield from log_file(settings.telemetry.jsonl)


def _show(found: Iterable[AuditFinding], models: Collection[str], as_json: bool) -> None:
    rows = sorted(found, key=lambda finding: not finding.grave)
    grave = sum(finding.grave for finding in rows)
    if as_json:
        told: dict[str, Any] = {"models": len(models), "ok": not grave, "findings": [_as_json(row) for row in rows]}
        click.echo(json.dumps(told, indent=2))
        return
    table = Table("", "where", "what", "detail", fold=(1, 3))
    for row in rows:
        table.add("!" if row.grave else "", row.model, row.kind, row.detail)
    if rows:
        terminal.show(table)
    terminal.tell("; ".join(_sums(rows, models)))


def _sums(rows: Sequence[AuditFinding], models: Collection[str]) -> Iterator[str]:
    """How many findings there are about the models, and about what is around them: a store, settings, packages."""
    about = [row for row in rows if row.model in models]
    yield f"{counted(len(models), 'model')}: {_summed(about)}"
    if around := [row for row in rows if row.model not in models]:
        yield f"around them: {_summed(around)}"


def _summed(rows: Sequence[AuditFinding]) -> str:
    grave = sum(row.grave for row in rows)
    return f"{_counted(grave, 'would fail')} (!), {_counted(len(rows) - grave, 'to know')}"


def _as_json(finding: AuditFinding) -> dict[str, Any]:
    return {"where": finding.model, "what": finding.kind, "detail": finding.detail, "fails": finding.grave}


def _counted(count: int, what: str) -> str:
    return f"{count or 'nothing'} {what}"
