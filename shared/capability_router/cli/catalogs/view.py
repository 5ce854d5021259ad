"""What `capability-router catalog show` prints: providers, a provider's models, one model field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from capability_router.catalog.card import FLAGS
from capability_router.catalog.known import snapshot
from capability_router.catalog.known.snapshot import CatalogMatch
from capability_router.cli import terminal
from capability_router.drawing.table import Table

_MARKS = {
    "tool_calling": "T", "structured_output": "S", "image_inputs": "I", "pdf_inputs": "P", "audio_inputs": "A",
    "video_inputs": "V", "reasoning_output": "R",
}  # fmt: skip
_LEGEND = (
    "can: T tools, S structured output, I image, P pdf, A audio, V video, R reasoning; - no, ? unknown. Prices in "
    "USD per million tokens; confirmed by a second source, single, conflict or unknown."
)
_FIELDS = ("context_window", "max_input_tokens", "max_output_tokens", *FLAGS, "reasoning_effort_levels", "price")
_BESIDE = 5  # rates, in columns
_RATES = {"input_mtok": "in", "output_mtok": "out"}


def overview(rows: Mapping[str, Mapping[str, CatalogMatch]]) -> None:
    """Each provider with what is known of its models, then the sources."""
    table = Table("provider", "models", "priced", "windows", "conflicts", "newest day", right=(1, 2, 3, 4))
    for provider, models in rows.items():
        known = [found.known for found in models.values()]
        stated = [sum(field in k.fields for k in known) for field in ("price", "context_window")]
        doubted = sum("price" in k.doubts for k in known)
        newest = max((found.as_of(field) for found in models.values() for field in found.known.fields), default="")
        table.add(provider, *(f"{count:,}" for count in (len(models), *stated, doubted)), newest)
    terminal.show(table)
    click.echo()
    for doc, name in zip(reversed(snapshot.documents()), ("built-in", "your own"), strict=False):
        told = ", ".join(map(str, doc.sources.values()))
        terminal.tell(f"{name} catalog of {doc.as_of}: {told}")


def listing(found: Iterable[CatalogMatch]) -> None:
    """A line per model."""
    items = list(found)
    one = len({item.provider for item in items}) == 1  # its name need not stand on each line
    head = (f"model of {items[0].provider}" if one else "model", "window", "output", "can", "in", "out", "price")
    table = Table(*head, right=(1, 2, 4, 5), fold=(0,), spare=(2,))
    for item in items:
        fields, price = item.known.fields, item.known.fields.get("price", {})
        able = "".join(_mark(fields.get(name), mark) for name, mark in _MARKS.items())
        sizes = (_count(fields.get(name)) for name in ("context_window", "max_output_tokens"))
        rates = (_usd(price.get(name)) for name in ("input_mtok", "output_mtok"))
        name = item.model if one else f"{item.provider}:{item.model}"
        table.add(name, *sizes, able, *rates, item.known.confidence("price"))
    terminal.show(table)
    click.echo()
    terminal.tell(_LEGEND)


def model(found: CatalogMatch) -> None:
    """One model: each field with its value, its source and day, how sure it is, and what is said otherwise."""
    known = found.known
    retires = f"  (switched off on {known.retires})" if known.retires else ""
    terminal.tell(f"{found.provider}:{found.model}{retires}")
    table = _stated(found, found.label)
    if terminal.fits(table):
        terminal.show(table)
    else:
        terminal.show(_stated(found, lambda name: known.sources(name)[0]))
        terminal.tell(f"sources: {', '.join(sorted({found.label(name) for name in known.fields}))}")
    if known.doubts:
        click.echo()
        _otherwise(known.doubts)
    if price := known.fields.get("price"):
        click.echo()
        _prices(price)


def _stated(found: CatalogMatch, source: Callable[[str], str]) -> Table:
    """A line per field; `source`: how the source of one that is known is written."""
    known = found.known
    table = Table("field", "value", "source", "confidence", fold=(1, 2))
    for name in _FIELDS:
        by = source(name) if known.sources(name) else ""
        table.add(name, shown(name, known.fields.get(name)), by, known.confidence(name))
    return table


def _otherwise(doubts: Mapping[str, Mapping[str, Any]]) -> None:
    """What other sources say of these fields."""
    table = Table("said otherwise", "by", "", fold=(1, 2))
    for name, dissent in doubts.items():
        for source, said in dissent.items():
            table.add(name, source, _dissent(name, said))
    terminal.show(table)


def _prices(price: Mapping[str, Any]) -> None:
    """Every rate in USD per million tokens: plain, by tier, by service. Many rates are shown one below the other."""
    variants = _variants(price)
    names = sorted({name for _, rates in variants for name in rates})
    heads = [name.removesuffix("_mtok").replace("_", " ") for name in names]
    rows = [(label, *(_usd(rates.get(name)) for name in names)) for label, rates in variants]
    if len(names) > _BESIDE:
        labels, *columns = zip(*rows, strict=True)
        heads, rows = list(labels), [(head, *column) for head, column in zip(heads, columns, strict=True)]
    right = range(1, len(heads) + 1)
    terminal.show(Table("USD per million tokens", *heads, rows=rows, right=right, fold=(0,)))


def _variants(price: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    rows = []
    for service, rates in (("plain", price), *sorted(price.get("services", {}).items())):
        tiers = ((f"{service}, above {tier['above']:,}", _rates(tier["price"])) for tier in rates.get("tiers", ()))
        rows += [(service, _rates(rates)), *tiers]
    return rows


def _rates(rates: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in rates.items() if isinstance(value, (int, float))}


def shown(name: str, value: Any) -> str:
    """A field's value as a person reads it; 'unknown' for none."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{_usd(value[rate])} {word}" for rate, word in _RATES.items() if rate in value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not name.startswith("price") else str(value)


def _dissent(name: str, said: Any) -> str:
    """What is said otherwise; of a price each amount that differs, and whether its tiers or services do."""
    if not isinstance(said, Mapping):
        return shown(name, said)
    words = {key: _RATES.get(key, key.removesuffix("_mtok").replace("_", " ")) for key in said}
    return ", ".join(f"{_usd(v)} {words[k]}" if isinstance(v, (int, float)) else f"other {k}" for k, v in said.items())


def _mark(flag: bool | None, mark: str) -> str:
    return "?" if flag is None else mark if flag else "-"


def _count(value: int | None) -> str:
    """Short: '1.05M', '272k'."""
    if value is None:
        return "?"
    return f"{value / 1e6:.3g}M" if value >= 1_000_000 else f"{value / 1e3:.3g}k" if value >= 1_000 else str(value)


def _usd(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"


def as_json(found: CatalogMatch) -> dict[str, Any]:
    """One model for a program."""
    known = found.known
    names = sorted({*known.fields, *known.doubts})
    return {
        "provider": found.provider, "model": found.model, "fields": dict(known.fields),
        "sources": {name: found.source(name) for name in known.fields},
        "as_of": {name: found.as_of(name) for name in known.fields},
        "confidence": {name: known.confidence(name) for name in names},
        "otherwise": {name: dict(said) for name, said in known.doubts.items()}, "retires": known.retires or None,
    }  # fmt: skip
