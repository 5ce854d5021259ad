"""`capability-router status`: how models fare in all processes of a store, at a glance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from capability_router.amounts import counted
from capability_router.cli import terminal
from capability_router.cli.files import ROUTER_YAML, takes_config
from capability_router.cli.store import NoStore, open_existing
from capability_router.health.health_table import HEAD, cells, standings
from capability_router.stores.reports import KEPT_S

if TYPE_CHECKING:
    from pathlib import Path

    from capability_router.catalog.registry import Registry
    from capability_router.config import Settings
    from capability_router.health.overview import ModelStatus, RouterProcess
    from capability_router.stores.base import Store

_EVERY_S = 2.0
_PROCESSES = 8


class StatusView(NamedTuple):
    """All that is shown at one time. `unheard`: models of the configuration that no process reports."""

    models: Sequence[ModelStatus]
    left: Mapping[str, float]
    processes: Sequence[RouterProcess]
    unreadable: int
    unheard: Sequence[str]


@click.command()
@takes_config
@click.option("--store", "url", help="A store's URL: all that it knows of, without a configuration.")
@click.option("--watch", is_flag=True, help="Again every two seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with --watch one a line.")
def status(config: Path | None, url: str | None, watch: bool, as_json: bool) -> None:
    """Show each model's breaker, load, success and budget left.

    CONFIG (default: ./router.yaml) names the store, the router and its caps. Each process that uses a store other than
    memory tells it every two seconds how its models fare, from its first request on; one that is silent for longer is
    told apart and counts no longer.
    """
    from capability_router.clock import SystemClock

    settings = None if url and config is None else _settings(config or ROUTER_YAML)
    store = open_existing(url or (settings.store if settings else ""))
    clock = SystemClock()
    if not watch:
        _show(_view(store, settings), clock.unix(), as_json, one_line=False)
        return
    try:
        while True:
            _again(store, settings, clock.unix(), as_json)
            clock.sleep(_EVERY_S)
    except KeyboardInterrupt:
        return


def _again(store: Store, settings: Settings | None, unix: float, as_json: bool) -> None:
    """One look of many: a store that is away may come back."""
    from capability_router.errors import StoreError

    try:
        view = _view(store, settings)
    except StoreError as error:
        click.echo(f"{error}; asked again in {_EVERY_S:g} s", err=True)
        return
    if not as_json:
        click.clear()
    _show(view, unix, as_json, one_line=True)


def _settings(config: Path) -> Settings:
    from capability_router.config import load

    return load(config)


def _view(store: Store, settings: Settings | None) -> StatusView:
    from capability_router.catalog.registry import Registry
    from capability_router.health.overview import overview, processes_of

    room = store.reports
    if room is None:
        raise NoStore("no process reports to such a store")
    found, odd = processes_of(room.reports())
    registry = Registry.build(settings.models) if settings is not None else Registry(())
    if settings is not None:
        found = [process for process in found if process.router == settings.name]
    models = overview(found)
    heard = {row["model"] for row in models}
    usd = _left(store, settings, registry, {row["model"]: _scopes(row, registry) for row in models})
    return StatusView(models, usd, found, odd, [id for id in registry.entries if id not in heard])


def _scopes(row: ModelStatus, registry: Registry) -> list[str]:
    """Of a call of this model, as caps name them; its key also by the variable that it is looked for in."""
    from capability_router.catalog.aliases import canonical
    from capability_router.money.budget.cap_index import scopes_of

    entry = registry.entries.get(row["model"])
    keys = (row["credential"], "" if entry is None else entry.variable)
    return scopes_of(row["model"], canonical(row["provider"]), *keys)


def _left(
    store: Store, settings: Settings | None, registry: Registry, scopes: Mapping[str, Sequence[str]]
) -> Mapping[str, float]:  # fmt: skip
    """USD by model. With a configuration also of caps of which nothing was spent yet."""
    from capability_router.clock import SystemClock
    from capability_router.money.budget.budgets import Budgets
    from capability_router.money.budget.cap_rows import known, known_left

    if settings is None:
        rows = known(store.budgets.standings(), None)
        found = {model: known_left(rows, own) for model, own in scopes.items()}
        return {model: usd for model, usd in found.items() if usd is not None}
    caps = Budgets(
        settings.budgets, registry.matches, room=store.budgets, clock=SystemClock(), marks=registry.marks
    )  # fmt: skip
    return caps.left(scopes)


def _show(view: StatusView, unix: float, as_json: bool, *, one_line: bool) -> None:
    if as_json:
        click.echo(json.dumps(_as_json(view, unix), indent=None if one_line else 2))
        return
    several = len({row["router"] for row in view.models}) > 1
    if view.models or view.unheard:
        rows = [*(_cells(row, view.left, several) for row in view.models), *map(_nothing, view.unheard)]
        terminal.show(standings(rows))
    for line in _who(view, unix):
        terminal.tell(line)


def _cells(row: ModelStatus, left: Mapping[str, float], several: bool) -> tuple[str, ...]:
    part = f" ({row['held_in']} of {row['processes']} processes)" if 0 < row["held_in"] < row["processes"] else ""
    name = f"{row['router']}: {row['model']}" if several else row["model"]
    return cells(
        row, name=name, success=row["success_share"], lately=row["recent_share"], left=left.get(row["model"]),
        held=f"{row['held']}{part}",
    )  # fmt: skip


def _nothing(model: str) -> tuple[str, ...]:
    return (model, *["-"] * (len(HEAD) - 2), "no process reports it")


def _who(view: StatusView, unix: float) -> Iterable[str]:
    alive = [each for each in view.processes if not each.silent]
    gone = [each for each in view.processes if each.silent]
    if not alive:
        yield "No process is heard of: none runs, or none has made its first request."
    else:
        told = ", ".join(f"{each.host}:{each.pid} (up {_span(unix - each.since)})" for each in alive[:_PROCESSES])
        more = f", and {len(alive) - _PROCESSES} more" if len(alive) > _PROCESSES else ""
        oldest = max(each.age_s for each in alive)
        yield f"{counted(len(alive), 'process', 'processes')}, last word {_span(oldest)} ago at most: {told}{more}"
    for each in gone[:_PROCESSES]:
        yield (
            f"silent for {_span(each.age_s)}: killed, hanging or unable to write here; not counted, gone in "
            f"{_span(max(KEPT_S - each.age_s, 0.0))}: {each.host}:{each.pid}"
        )
    if len(gone) > _PROCESSES:
        yield f"and {len(gone) - _PROCESSES} more that are silent"
    if view.unreadable:
        yield f"{counted(view.unreadable, 'report', 'reports')} of another release could not be read"


def _as_json(view: StatusView, unix: float) -> dict[str, Any]:
    return {
        "at": round(unix, 3),
        "models": [{**row, "left_usd": view.left.get(row["model"])} for row in view.models],
        "unheard": list(view.unheard),
        "processes": [
            {
                "router": each.router, "host": each.host, "pid": each.pid, "since": each.since,
                "age_s": round(each.age_s, 3), "silent": each.silent,
                "gone_in_s": round(max(KEPT_S - each.age_s, 0.0), 3) if each.silent else None,
            }
            for each in view.processes
        ],
        "unreadable_reports": view.unreadable,
    }  # fmt: skip


def _span(seconds: float) -> str:
    """The two largest parts of a time: '4 s', '12 min', '3 h 10 min', '2 d 4 h'."""
    whole = int(max(seconds, 0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min"
    if whole < 86_400:
        return f"{whole // 3_600} h {whole % 3_600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3_600} h"
