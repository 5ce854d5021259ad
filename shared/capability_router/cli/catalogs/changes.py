"""What an update changes, as a person reads it and for a program."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from capability_router.catalog.updates.revision import ModelChange, Revision
from capability_router.cli import terminal
from capability_router.cli.catalogs.view import shown
from capability_router.drawing.table import Table

_WORDS = {"added": "new", "changed": "changed", "unlisted": "no longer listed"}
_LISTED = 200  # lines, so that a first update can be read
_NAMED = 5


def show(made: Revision, place: Path | None) -> None:
    """What changes, then what is new, then how many; with `place`, where the catalog was written."""
    told = [line for kind in ("changed", "added") for c in made.changes if c.kind == kind for line in _lines(c)]
    table = Table("", "model", "field", "before", "after", fold=(1, 2, 3, 4))
    for line in told[:_LISTED]:
        table.add(*line)
    if told:
        terminal.show(table)
    if len(told) > _LISTED:
        terminal.tell(f"... and {len(told) - _LISTED:,} further lines; --json has them all")
    gone = [f"{c.provider}:{c.model}" for c in made.changes if c.kind == "unlisted"]
    if gone:
        terminal.tell(f"no longer listed: {', '.join(gone[:_NAMED])}{', ...' if len(gone) > _NAMED else ''}")
    counts = Counter(change.kind for change in made.changes)
    kinds = [f"{counts[kind]:,} {word}" for kind, word in _WORDS.items()] + [f"{made.confirmed:,} as before"]
    terminal.tell(f"{', '.join(map(str, made.told))}: {', '.join(kinds)}")
    if place is not None:
        click.echo(f"written: {place}")


def _lines(change: ModelChange) -> list[tuple[str, ...]]:
    name = f"{change.provider}:{change.model}"
    if change.kind == "added":
        told = (f"{field} {_value(field, after)}" for field, (_, after) in change.fields.items() if after is not False)
        return [("+", name, "", "", ", ".join(told))]
    return [("~", name, field, _value(field, old), _value(field, new)) for field, (old, new) in change.fields.items()]


def _value(field: str, value: Any) -> str:
    """Tiers and service tiers are counted, not spelled out."""
    nested = isinstance(value, (list, dict)) and field.startswith("price.")
    return f"{len(value)} of them" if nested else shown(field, value)


def as_json(made: Revision, place: Path | None) -> dict[str, Any]:
    """All of it for a program."""
    return {
        "told": {source.name: source.to_dict() for source in made.told}, "confirmed": made.confirmed,
        "changes": [
            {"provider": c.provider, "model": c.model, "kind": c.kind,
             "fields": {name: {"before": old, "after": new} for name, (old, new) in c.fields.items()}}
            for c in made.changes
        ],
        "written": None if place is None else str(place),
    }  # fmt: skip
