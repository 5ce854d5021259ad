"""A fleet's settings, from a YAML file, a mapping or keywords."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from capability_router.errors import ConfigError
from capability_router.simulator.default_fleet import PROVIDERS, TIME_SCALE
from capability_router.simulator.fault import ScriptedFault, parse_fault
from capability_router.simulator.profile import SimulatedProvider, checked, parse_provider

_LAST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """A fleet. `time_scale` multiplies all latencies (0 = answer at once); `port_base` numbers the ports from there.

    `seed` decides latencies and which answers are right; `faults` count from the fleet's start.
    """

    providers: tuple[SimulatedProvider, ...]
    faults: tuple[ScriptedFault, ...] = ()
    seed: int = 0
    time_scale: float = 1.0
    port_base: int | None = None

    def __post_init__(self) -> None:
        names = [p.name for p in self.providers]
        if not names or len(set(names)) < len(names):
            raise ConfigError("simulator: a fleet needs one or more providers with different names")
        scale = self.time_scale
        if not isinstance(scale, (int, float)) or not math.isfinite(scale) or scale < 0:
            raise ConfigError(f"simulator: time_scale must be a finite number, 0 or more, got {scale!r}")
        base = self.port_base
        if base is not None and not 1 <= base <= _LAST_PORT - len(names):
            raise ConfigError(f"simulator: port_base must be from 1 to {_LAST_PORT - len(names)}, got {base!r}")


Source = str | Path | Mapping[str, Any] | FleetSettings | None


def load_settings(source: Source = None, **overrides: Any) -> FleetSettings:
    """Settings from a YAML path, a mapping or nothing (the built-in fleet); keywords win. Raises ConfigError."""
    changes = {name: value for name, value in overrides.items() if value is not None}
    if isinstance(source, FleetSettings):
        return replace(source, **_parsed(changes))
    stated = _read(Path(source)) if isinstance(source, (str, Path)) else dict(source or {})
    values = {**stated, **changes}
    if "providers" not in values:
        values = {"providers": PROVIDERS, "time_scale": TIME_SCALE, **values}
    return FleetSettings(**_parsed(values))


def _parsed(values: Mapping[str, Any]) -> dict[str, Any]:
    known = checked(values, FleetSettings, "the fleet")
    if "providers" in known:
        known["providers"] = tuple(parse_provider(p) for p in known["providers"] or ())
    if "faults" in known:
        known["faults"] = tuple(parse_fault(f) for f in known["faults"] or ())
    return known


def _read(path: Path) -> dict[str, Any]:
    import yaml  # loaded when a file is read: the package itself imports nothing foreign

    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"simulator: cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"simulator: {path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"simulator: {path} must hold a mapping with `providers:`, got {type(values).__name__}")
    return values
