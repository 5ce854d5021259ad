"""`capability-router catalog show | diff | update | check`: what is known of models, how old it is, how to renew it."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from capability_router.cli.files import FILE
from capability_router.errors import ConfigError

_AGE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(h|d|w)?\s*$")
_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0, None: 1.0}
_SHOWN = 40
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_DAY = click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), help="The day for which the list holds, if it is older."
)
_TIMEOUT = click.option(
    "--timeout", default="60s", show_default=True, help="For all of the download: 30s, 2m. A file takes none."
)
_EVERY = click.option("--every-provider", is_flag=True, help="Also providers that the built-in catalog does not have.")


@click.group()
def catalog() -> None:
    """What models can do, hold and cost, from a dated catalog. Only `update` and `diff` may use the network."""


def today() -> date:
    """The day in UTC."""
    from capability_router.clock import SystemClock

    return datetime.fromtimestamp(SystemClock().unix(), UTC).date()


@catalog.command(short_help="The providers, the models of one, or a model field by field.")
@click.argument("what", required=False)
@_AS_JSON
def show(what: str | None, as_json: bool) -> None:
    """Print the providers, a PROVIDER's models, one PROVIDER:MODEL field by field, or every model with this text.

    PROVIDER/MODEL names a model, too, as the ids of a router's entries do.
    """
    from capability_router.catalog.known import snapshot
    from capability_router.cli.catalogs import view

    if what is None:
        rows = {provider: snapshot.listed(provider) for provider in snapshot.providers()}
        click.echo(json.dumps({p: sorted(m) for p, m in rows.items()})) if as_json else view.overview(rows)
        return
    if not what.strip():
        raise ConfigError(
            "catalog show: name a provider, a model or a part of a name; without one it shows the providers"
        )
    single = _named(what)
    found = [single] if single else _searched(what)
    if as_json:
        click.echo(json.dumps([view.as_json(item) for item in found], indent=2))
    elif len(found) == 1:
        view.model(found[0])
    else:
        view.listing(found)


def _named(what: str) -> Any:
    """The model that 'provider:model' or an entry's id, 'provider/model', names; None = it names none."""
    from capability_router.catalog.known import snapshot

    pairs = (what.split(mark, 1) for mark in (":", "/") if mark in what)
    return next((found for provider, model in pairs if (found := snapshot.find(provider, model))), None)


def _searched(what: str) -> list[Any]:
    """A provider's models, or those that have the text in their name; raises ConfigError when there is none."""
    from capability_router.catalog.aliases import canonical
    from capability_router.catalog.hint import hint
    from capability_router.catalog.known import snapshot

    if canonical(what) in snapshot.providers():
        return list(snapshot.listed(what).values())
    every = {f"{p}:{name}": found for p in snapshot.providers() for name, found in snapshot.listed(p).items()}
    provider, colon, rest = what.partition(":")
    text = f"{canonical(provider)}:{rest}" if colon else what
    hits = [found for name, found in every.items() if text.lower() in name.lower()]
    if not hits:
        raise ConfigError(f"the catalog has no model {what!r}{hint(what)}")
    return hits


@catalog.command(short_help="What an update would change.")
@click.argument("source")
@_DAY
@_EVERY
@_TIMEOUT
@_AS_JSON
def diff(source: str, as_of: datetime | None, every_provider: bool, timeout: str, as_json: bool) -> None:
    """Print what an update from SOURCE (models.dev, litellm, openrouter, a file or a URL) would change."""
    offer = _offer(source, as_of, every_provider, timeout)
    _tell(_revised(offer), as_json)


@catalog.command(short_help="Bring your own catalog file up to date.")
@click.option("--from", "source", required=True, help="models.dev, litellm, openrouter, a file or a URL.")
@click.option("--to", type=FILE, help="Write there instead of your own catalog file.")
@click.option("--allow-shrink", is_flag=True, help="Take a list that names far fewer models than the last one.")
@_DAY
@_EVERY
@_TIMEOUT
@_AS_JSON
def update(
    source: str, to: Path | None, allow_shrink: bool, as_of: datetime | None, every_provider: bool, timeout: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Bring your own catalog file up to date, and print what changed. The old file stays if anything is wrong."""
    from capability_router.catalog.known import document, snapshot, userfile
    from capability_router.catalog.updates import revision
    from capability_router.catalog.updates.sources.formats import FORMATS

    place = to or userfile.path()
    if place is None:
        raise ConfigError(f"{userfile.VARIABLE} says that you want no catalog file; unset it, or give --to FILE")
    offer, old = _offer(source, as_of, every_provider, timeout), _old(place)
    if not allow_shrink:
        revision.check_size(offer, old, snapshot.builtin() if source in FORMATS else None)  # a file may be a part
    made = revision.revised(offer, old, snapshot.builtin())
    userfile.replace(place, document.text(today().isoformat(), made.sources.values(), made.book))
    snapshot.forget()
    _tell(made, as_json, place)


def _offer(source: str, as_of: datetime | None, every_provider: bool, timeout: str) -> Any:
    from capability_router.catalog.aliases import KEY_VARIABLES
    from capability_router.catalog.known import snapshot
    from capability_router.catalog.updates import catalog_update
    from capability_router.catalog.updates.sources.fetch import fetch

    got = fetch(source, today(), _seconds(timeout))
    stated = as_of.date() if as_of else got.as_of
    if stated > today():
        raise ConfigError(f"--as-of {stated} is in the future")
    made = catalog_update.offered(got.data, got.origin, stated, today())
    own = isinstance(got.data, dict) and "schema" in got.data
    kept = made if every_provider or own else made.of(frozenset({*snapshot.builtin().providers, *KEY_VARIABLES}))
    if not len(kept):
        raise ConfigError(
            f"{got.origin}: names no model of a provider that the catalog has; --every-provider takes all"
        )
    return kept


def _old(place: Path) -> Any:
    """The user's catalog as it is; one that can't be read is told and written anew."""
    from capability_router.catalog.known import userfile

    try:
        return userfile.read(place)
    except ConfigError as error:
        click.echo(f"{error}; it is written anew", err=True)
        return None


def _revised(offer: Any) -> Any:
    from capability_router.catalog.known import snapshot, userfile
    from capability_router.catalog.updates import revision

    place = userfile.path()
    return revision.revised(offer, _old(place) if place else None, snapshot.builtin())


def _tell(made: Any, as_json: bool, place: Path | None = None) -> None:
    from capability_router.cli.catalogs import changes

    if as_json:
        click.echo(json.dumps(changes.as_json(made, place), indent=2))
    else:
        changes.show(made, place)


@catalog.command(short_help="Are the prices fresh, known and undisputed?")
@click.option("--max-age", default="30d", show_default=True, help="Older prices are stale: 12h, 30d, 2w.")
@click.option(
    "--config", type=FILE,
    help="A router.yaml whose models are looked at; without it, the catalog as a whole, never ./router.yaml by itself.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="What is unknown and what retires soon fails the check, too.")
@_AS_JSON
def check(max_age: str, config: Path | None, strict: bool, as_json: bool) -> None:
    """Say which prices are stale, in conflict or missing, and what is unknown. Exit code 1 if a price is not sure."""
    from capability_router.catalog import audit
    from capability_router.cli.catalogs import findings

    days = days_of(max_age)
    if config is None:
        if Path("router.yaml").exists():
            click.echo("looks at the whole catalog; at the models of ./router.yaml with --config router.yaml", err=True)
        raise SystemExit(findings.whole(today(), days, as_json))
    from capability_router.router import Router

    router = Router.from_config(config, telemetry={})
    registry, capped = router.registry, any(cap.on_exceed != "warn" for cap in router.settings.budgets)
    found = audit.audit(registry, today(), days, capped=capped)
    findings.show(found, registry, as_json)
    raise SystemExit(1 if any(finding.grave or strict for finding in found) else 0)


def _seconds(timeout: str) -> float:
    from capability_router.settings.units import seconds

    try:
        return seconds(timeout)
    except ValueError as error:
        raise ConfigError(f"--timeout {error}") from None


def days_of(age: str) -> float:
    """'12h', '30d' or '2w' in days; raises ConfigError for anything else."""
    found = _AGE.match(age)
    days = float(found[1]) * _DAYS[found[2]] if found else 0
    if not days:
        raise ConfigError(f"--max-age must be a duration above 0 such as 12h, 30d or 2w, got {age!r}")
    return days
