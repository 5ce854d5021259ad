"""What a configuration needs around it: keys, frameworks, packages, a store, a place for the log."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution, entry_points, packages_distributions
from pathlib import Path

from capability_router.catalog.audit import AuditFinding
from capability_router.catalog.entry import Entry
from capability_router.catalog.registry import Registry
from capability_router.errors import RouterError

GROUP = "capability_router.adapters"
"""Entry points: the adapter's name -> a function of a Registry that gives its findings."""

_OURS = ("capability_router", "langchain_router", "llamaindex_router")


def told(warnings: Iterable[str]) -> Iterator[AuditFinding]:
    """What the router itself warns of."""
    for warning in warnings:
        yield AuditFinding("settings", "warning", warning, False)


def lacking(registry: Registry) -> list[Entry]:
    """The entries whose key is looked for in the environment and not there."""
    return [entry for entry in registry if (name := entry.variable) and not os.environ.get(name)]


def missing_key(entry: Entry) -> AuditFinding:
    """Such an entry, as a finding."""
    return AuditFinding(entry.card.id, "key missing", f"the environment variable {entry.variable} is not set", True)


def adapters(registry: Registry) -> Iterator[AuditFinding]:
    """What each framework that is installed says of the models."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            review = point.load()
        except ImportError:  # that framework is not installed
            continue
        yield from review(registry)


def packages(known: dict[str, Sequence[str]] | None = None) -> Iterator[AuditFinding]:
    """Other distributions that install modules of our names; `known`: module -> distributions, for tests."""
    found = packages_distributions() if known is None else known
    for module in _OURS:
        named = {name.replace("_", "-").lower() for name in (*found.get(module, ()), *_namesake(module))}
        for other in sorted(named - {"capability-router"}):
            told = f"the package {other} installs a module {module} too: whichever came last is imported; uninstall it"
            yield AuditFinding(module, "clashing package", told, True)


def _namesake(module: str) -> tuple[str, ...]:
    """The distribution of a module's own name, if there is one: not each states its modules."""
    try:
        return (distribution(module).name,)
    except PackageNotFoundError:
        return ()


def store(url: str) -> Iterator[AuditFinding]:
    """Whether the store can be reached, if it is there already."""
    from capability_router.cli.store import NoStore, open_existing

    if url.startswith("memory"):
        return
    try:
        open_existing(url).budgets.standings()
    except NoStore as none:
        yield AuditFinding("store", "not there yet", str(none), False)
    except RouterError as error:
        yield AuditFinding("store", "out of reach", str(error), True)


def log_file(path: str | None) -> Iterator[AuditFinding]:
    """Whether the decision log can be written."""
    if path is None:
        return
    place = Path(path).expanduser()  # as the sink does
    nearest = next(parent for parent in (place, *place.absolute().parents) if parent.exists())
    if not os.access(nearest, os.W_OK):
        yield AuditFinding("telemetry.jsonl", "can't be written", f"{path}: no right to write at {nearest}", True)
