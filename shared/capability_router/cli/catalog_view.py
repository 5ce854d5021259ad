"""What `capability-router catalog show` prints: providers, a provider's models, one model field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from capability_router.catalog.card import FLAGS
from capability_router.catalog.known import snapshot
from capability_router.catalog.known.snapshot import Found
from capability_router.cli.table import Table, printable

_MARKS = {
    "tool_calling": "T", "structured_output": "S", "image_inputs": "I", "pdf_inputs": "P", "audio_inputs": "A",
    "video_inputs": "V", "reasoning_output": "R",
}  # fmt: skip
_LEGEND = """can: T tools, S structured output, I image, P pdf, A audio, V video, R reasoning;
- no, ? unknown. Prices in USD per million tokens; confirmed by a second source,
single, conflict or unknown."""
_FIELDS = ("context_window", "max_input_tokens", "max_output_tokens", *FLAGS, "reasoning_effort_levels", "price")
_RATES = {"input_mtok": "in", "output_mtok": "out"}


def overview(rows: Mapping[str, Mapping[str, Found]]) -> None:
    """Each provider with what is known of its models, then the sources."""
    table = Table("provider", "models", "priced", "windows", "conflicts", "newest day", right=(1, 2, 3, 4))
    for provider, models in rows.items():
        known = [found.known for found in models.values()]
        stated = [sum(field in k.fields for k in known) for field in ("price", "context_window")]
        doubted = sum("price" in k.doubts for k in known)
        newest = max((found.as_of(field) for found in models.values() for field in found.known.fields), default="")
        table.add(provider, *(f"{count:,}" for count in (len(models), *stated, doubted)), newest)
    table.show()
    click.echo()
    for doc, name in zip(reversed(snapshot.documents()), ("built-in", "your own"), strict=False):
        told = ", ".join(map(str, doc.sources.values()))
        click.echo(f"{name} catalog of {doc.as_of}: {told}")


def listing(found: Iterable[Found]) -> None:
    """A line per model."""
    items = list(found)
    one = len({item.provider for item in items}) == 1  # its name need not stand on each line
    head = (f"model of {items[0].provider}" if one else "model", "window", "output", "can", "in", "out", "price")
    table = Table(*head, right=(1, 2, 4, 5), flex=(0,))
    for item in items:
        fields, price = item.known.fields, item.known.fields.get("price", {})
        able = "".join(_mark(fields.get(name), mark) for name, mark in _MARKS.items())
        sizes = (_count(fields.get(name)) for name in ("context_window", "max_output_tokens"))
        rates = (_usd(price.get(name)) for name in ("input_mtok", "output_mtok"))
        name = item.model if one else f"{item.provider}:{item.model}"
        table.add(name, *sizes, able, *rates, item.known.confidence("price"))
    table.show()
    click.echo(f"\n{_LEGEND}")


def model(found: Found) -> None:
    """One model: each field with its value, its source and day, how sure it is, and what is said otherwise."""
    known = found.known
    retires = f"  (switched off on {known.retires})" if known.retires else ""
    click.echo(printable(f"{found.provider}:{found.model}{retires}"))
    head = ("field", "value", "source", "confidence", *(["otherwise"] if known.doubts else []))
    table = Table(*head, flex=(1, 2, 4) if known.doubts else (1, 2))
    for name in _FIELDS:
        other = "; ".join(f"{source}: {_dissent(name, said)}" for source, said in known.doubts.get(name, {}).items())
        source = found.label(name) if name in known.fields else ""
        cells = (name, shown(name, known.fields.get(name)), source, known.confidence(name), other)
        table.add(*cells[: len(head)])
    table.show()
    if price := known.fields.get("price"):
        click.echo()
        _prices(price)


def _prices(price: Mapping[str, Any]) -> None:
    """Every rate in USD per million tokens: plain, by tier, by service."""
    names = sorted({name for _, rates in _variants(price) for name in rates})
    head = [name.removesuffix("_mtok") for name in names]
    table = Table("USD per million tokens", *head, right=range(1, len(names) + 1))
    for label, rates in _variants(price):
        table.add(label, *(_usd(rates.get(name)) for name in names))
    table.show()


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


def as_json(found: Found) -> dict[str, Any]:
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
