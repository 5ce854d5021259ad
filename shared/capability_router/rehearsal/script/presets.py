"""Game days that have names: what is usual to go wrong, at the model that most of the traffic goes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.rehearsal.script.fault_line import FaultLine, parse_line
from capability_router.rehearsal.script.targets import FaultTargets


class Preset(NamedTuple):
    """`lines` are aimed at the busiest model, its "provider" or its "key", or at "all"."""

    words: str
    aim: str
    lines: tuple[str, ...]


PRESETS: Mapping[str, Preset] = {
    "provider-down": Preset("its provider refuses connections", "provider", ("outage@25%+40%",)),
    "rate-limit-storm": Preset("its provider answers 429, Retry-After 10 s", "provider", ("rate-limit=10s@25%+40%",)),
    "brownout": Preset("half of its provider's calls fail with 503", "provider", ("errors=0.5@25%+40%,status=503",)),
    "slow-tail": Preset("one call in ten takes ten times as long, everywhere", "all", ("slow=x10@25%+40%,share=0.1",)),
    "slow-provider": Preset("its provider takes six times as long", "provider", ("slow=x6@25%+40%",)),
    "hanging": Preset("its provider takes calls and never answers", "provider", ("hang@25%+40%",)),
    "cut-streams": Preset("a third of its streams break off", "model", ("cut@25%+40%,share=0.33",)),
    "key-revoked": Preset("its key is refused, until the end", "key", ("auth@25%",)),
    "quota-spent": Preset("its account is empty, until the end", "key", ("quota@25%",)),
    "model-gone": Preset("its name is not known any more, until the end", "model", ("gone@25%",)),
    "all-down": Preset("nobody can be reached", "all", ("outage@40%+15%",)),
}


def preset_lines(written: str, aims: FaultTargets, busiest: str) -> list[FaultLine]:
    """The faults of 'NAME' or 'NAME:TARGET'. ConfigError for unknown names."""
    name, _, target = written.partition(":")
    preset = PRESETS.get(name.strip().lower())
    if preset is None:
        raise ConfigError(f"presets: unknown {name!r}{nearest(name, PRESETS)}")
    lines = [parse_line(line) for line in preset.lines]
    aim = target or {
        "provider": aims.provider_of(busiest), "key": aims.key_of(busiest), "model": busiest, "all": "*",
    }[preset.aim]  # fmt: skip
    return [line.aimed(aim) for line in lines]
