"""What a router's operator should know of its models' cards: prices missing, old or in conflict; unknowns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, NamedTuple

from capability_router.catalog.aliases import canonical
from capability_router.catalog.card import CAPABILITIES
from capability_router.catalog.entry import Entry
from capability_router.catalog.hint import hint
from capability_router.catalog.known import snapshot
from capability_router.catalog.known.snapshot import CatalogMatch
from capability_router.catalog.known.statement import is_resold

SOON_DAYS = 30
_RESERVED = "not known: a budget reserves all that the window leaves for each call without max_tokens"


class AuditFinding(NamedTuple):
    """One remark on one model. `grave`: a check fails for it; others are for information."""

    model: str
    kind: str
    detail: str
    grave: bool


def audit(entries: Iterable[Entry], today: date, max_age_days: float, *, capped: bool = False) -> list[AuditFinding]:
    """The findings, model by model in the order of the entries. `capped`: budgets may refuse their calls."""
    found: list[AuditFinding] = []
    for entry in entries:
        listed = snapshot.find(entry.card.provider, entry.card.model)
        for check in (_price, _conflict, _retired, _unknown, _resold):
            found += check(entry, listed, today, max_age_days)
        if capped and entry.card.output_limit is None:
            found.append(AuditFinding(entry.card.id, "output limit missing", _RESERVED, False))
    return found


def age_days(as_of: str, today: date) -> int | None:
    """Days since then; None if it is no valid day."""
    try:
        return (today - date.fromisoformat(as_of)).days
    except ValueError:
        return None


def _price(entry: Entry, listed: CatalogMatch | None, today: date, max_age_days: float) -> Iterator[AuditFinding]:
    price, source = entry.card.price, entry.sources.get("price", "unknown")
    if price is None or not price.known:
        told = f"unknown: it never wins 'cheapest', and no cost cap lets it pass{_misnamed(entry, listed)}"
        yield AuditFinding(entry.card.id, "price missing", told, True)
        return
    age = age_days(price.as_of or "", today)
    if age is not None and age > max_age_days:
        yield AuditFinding(entry.card.id, "price stale", f"of {price.as_of}, {age} days old ({source})", True)


def _misnamed(entry: Entry, listed: CatalogMatch | None) -> str:
    """The probable model, if the catalog lists the provider but not a model of this name."""
    known = not listed and canonical(entry.card.provider) in snapshot.providers()
    return hint(f"{entry.card.provider}:{entry.card.model}") if known else ""


def _conflict(entry: Entry, listed: CatalogMatch | None, *_: Any) -> Iterator[AuditFinding]:
    taken = entry.sources.get("price", "").startswith("catalog")
    doubts = listed.known.doubts.get("price", {}) if listed and taken else {}
    for source, rates in doubts.items():
        ours = (listed.known.fields if listed else {}).get("price", {})
        told = ", ".join(_otherwise(name, said, ours.get(name, 0)) for name, said in rates.items())
        yield AuditFinding(entry.card.id, "price conflict", f"{source} says {told}", True)


def _otherwise(name: str, said: Any, ours: Any) -> str:
    """'input_mtok 5 instead of 3'; for tiers and services, which are separate prices, only that they differ."""
    return f"{name} {said:g} instead of {ours:g}" if isinstance(said, (int, float)) else f"other {name}"


def _retired(entry: Entry, listed: CatalogMatch | None, today: date, _: float) -> Iterator[AuditFinding]:
    day = listed.known.retires if listed else ""
    past = age_days(day, today)
    if past is not None and past >= -SOON_DAYS:
        told = f"switched off on {day}" if past >= 0 else f"will be switched off on {day}, in {-past} days"
        yield AuditFinding(entry.card.id, "retired" if past >= 0 else "retires soon", told, past >= 0)


def _unknown(entry: Entry, listed: CatalogMatch | None, *_: Any) -> Iterator[AuditFinding]:
    card = entry.card
    names = [name for name, need in CAPABILITIES.items() if not need & (card.can | card.cannot)]
    names += [name for name in ("context_window",) if card.context_window is None and card.max_input_tokens is None]
    if names:
        told = ", ".join(name + _dispute(listed, name) for name in names)
        yield AuditFinding(card.id, "unknown", told, False)


def _resold(entry: Entry, listed: CatalogMatch | None, *_: Any) -> Iterator[AuditFinding]:
    known = listed.known.origins if listed else {}
    names = [name for name, source in entry.sources.items() if source.startswith("catalog") and is_resold(known, name)]
    if names:
        yield AuditFinding(entry.card.id, "resold", f"{', '.join(names)}: as a reseller has it, not its maker", False)


def _dispute(listed: CatalogMatch | None, name: str) -> str:
    doubts = listed.known.doubts.get(name, {}) if listed else {}
    said = ", ".join(f"{source}: {'yes' if value else 'no'}" for source, value in doubts.items())
    return f" ({said})" if said else ""
