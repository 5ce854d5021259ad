"""What `capability-router catalog check` says, of a router's models or of the catalog as a whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

import click

from capability_router.catalog.audit import AuditFinding, age_days
from capability_router.catalog.known import snapshot
from capability_router.catalog.registry import Registry
from capability_router.cli import terminal
from capability_router.drawing.table import Table


def show(found: Sequence[AuditFinding], registry: Registry, as_json: bool) -> None:
    """Each remark on a line; those for which a check fails are marked."""
    if as_json:
        sources = {entry.card.id: dict(entry.sources) for entry in registry}
        click.echo(json.dumps({"findings": [f._asdict() for f in found], "sources": sources}, indent=2))
        return
    table = Table("", "model", "what", "detail", fold=(1, 3))
    for finding in found:
        table.add("!" if finding.grave else "", finding.model, finding.kind, finding.detail)
    if found:
        terminal.show(table)
    grave = sum(finding.grave for finding in found)
    terminal.tell(f"{len(registry)} models, {grave} grave remarks (!), {len(found) - grave} for information")


def whole(today: date, max_age_days: float, as_json: bool) -> int:
    """The age of every source of a price, and how many prices stand on it; gives the exit code.

    It fails when more than half of all prices are too old: a list of a few that are new makes no catalog fresh.
    """
    ages: dict[str, int] = {}
    counts: dict[str, int] = {}
    missing = conflicts = 0
    for provider in snapshot.providers():
        for found in snapshot.listed(provider).values():
            label, age = found.source("price").removeprefix("catalog "), age_days(found.as_of("price"), today)
            missing += age is None
            conflicts += "price" in found.known.doubts
            if age is not None:
                ages[label], counts[label] = age, counts.get(label, 0) + 1
    stale, every = sum(counts[label] for label in ages if ages[label] > max_age_days), sum(counts.values())
    fails = stale * 2 >= every
    if as_json:
        rows = [{"source": s, "age_days": ages[s], "prices": counts[s], "stale": ages[s] > max_age_days} for s in ages]
        click.echo(json.dumps({"sources": rows, "missing": missing, "conflicts": conflicts, "ok": not fails}, indent=2))
        return int(fails)
    table = Table("", "source of prices", "age in days", "prices", fold=(1,), right=(2, 3))
    for label in sorted(ages, key=ages.__getitem__):
        table.add("!" if ages[label] > max_age_days else "", label, str(ages[label]), f"{counts[label]:,}")
    terminal.show(table)
    click.echo(f"{missing:,} models without a price, {conflicts:,} prices in conflict")
    if fails:
        terminal.tell(
            f"{stale:,} of {every:,} prices are older than {max_age_days:g} days: capability-router catalog update "
            "--from litellm; to judge the models you use alone: --config router.yaml"
        )
    return int(fails)
