"""Prepares the user's settings for a rehearsal: without stores, sinks, evaluators and real endpoints."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, NamedTuple

from capability_router.catalog.entry import Entry
from capability_router.catalog.registry import Registry
from capability_router.errors import ConfigError
from capability_router.router import Router

if TYPE_CHECKING:
    from capability_router.config import Settings
    from capability_router.settings.policies import PolicyBlock

_STAND_IN = "rehearsed-"


class Configuration(NamedTuple):
    """A registry without endpoints, and settings without stores. `notes`: what differs from the configuration."""

    name: str
    registry: Registry
    settings: Settings
    notes: tuple[str, ...]

    def first(self) -> Entry:
        """The first model: what a program without a router would call."""
        return next(iter(self.registry))


def configuration_of(source: str | Path | Mapping[str, Any] | Router, seed: int, folder: Path) -> Configuration:
    """From a router.yaml, the same as a mapping, or a router. Raises ConfigError.

    `folder`: where a learned state is copied to, so that the file of the configuration is only read.
    """
    if isinstance(source, Router):
        return _tidied(source.name, source.registry, source.settings, [], seed, folder)
    from capability_router.config import load  # here, because it loads pydantic and PyYAML

    lent = PlaceholderEnvironment()
    try:
        settings = load(source, environ=lent)
    except ConfigError as error:
        stand_ins = f" (stand-ins were put in for {', '.join(lent.given)}, which are not set)" if lent.given else ""
        raise ConfigError(f"{error}{stand_ins}") from None
    notes = [f"not set, a stand-in was put in: {', '.join(lent.given)}"] if lent.given else []
    name = settings.name if isinstance(source, Mapping) else Path(source).name
    return _tidied(name, Registry.build(settings.models), settings, notes, seed, folder)


class PlaceholderEnvironment(Mapping[str, str]):
    """The environment with a placeholder for each variable that isn't set. `given`: the names of these."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def get(self, name: str, default: Any = None) -> Any:
        """Its value, else the default, else a placeholder: a URL for what is called one, as `base_url` must be."""
        if name in os.environ or default is not None:
            return os.environ.get(name, default)
        if name not in self.given:
            self.given.append(name)
        return f"http://{_STAND_IN}{name}/v1" if re.search("UR[LI]|BASE|ENDPOINT", name) else f"{_STAND_IN}{name}"

    def __getitem__(self, name: str) -> str:
        return str(self.get(name))

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


def _tidied(name: str, registry: Registry, s: Settings, notes: list[str], seed: int, folder: Path) -> Configuration:
    from capability_router.settings.learning import Embedding
    from capability_router.settings.money import LedgerBlock
    from capability_router.settings.telemetry import Telemetry

    remarks = [*notes, *s.warnings, *_left_out(s)]
    canary = s.canary.model_copy(update=_own(s.canary, seed, folder)) if s.canary else None
    settings = replace(
        s, models=(), policy=s.policy.model_copy(update=_own(s.policy, seed, folder)), canary=canary, shadow=None,
        probe=False, store="memory://", ledger=LedgerBlock(), telemetry=Telemetry(), embedding=Embedding(),
        counter="estimate", evaluator=None, screen=None, warnings=(),
    )  # fmt: skip
    return Configuration(name, Registry(map(_apart, registry)), settings, tuple(dict.fromkeys(remarks)))


def _apart(entry: Entry) -> Entry:
    """The entry without its endpoint. A key that is not set is represented by its variable, so that models share it."""
    address, variable = entry.address, entry.variable or entry.key_variable
    kept = address if address.credential else address._replace(credential=variable)
    return replace(entry, source=None, address=kept, key_variable=variable)


def _own(policy: PolicyBlock, seed: int, folder: Path) -> dict[str, Any]:
    return {"seed": seed if policy.seed is None else policy.seed, "state": _state(policy.state, folder)}


def _state(state: str | None, folder: Path) -> str | None:
    """A copy of the state file. It lacks what was only learned in a store."""
    if state is None or state == "store":
        return None
    copy = Path(mkdtemp(dir=folder)) / Path(state).name  # a canary's may have the same name elsewhere
    if Path(state).is_file():
        shutil.copyfile(state, copy)
    return str(copy)


def _left_out(s: Settings) -> list[str]:
    learned = s.policy.state is not None
    asked = {
        "store: budgets begin unspent, and what is learned there is not read": not s.store.startswith("memory"),
        "health.probe: models come back by traffic here": s.probe,
        "shadow: nothing is decided alongside": s.shadow is not None,
        "evaluator: no answer is scored": s.evaluator is not None,
        "screen: requests have no text here; what it asked for in the log still holds": s.screen is not None,
        "policy.state: requests have no text here, so it judges them by their shape alone": learned,
    }
    return [f"not rehearsed: {what}" for what, so in asked.items() if so]
