"""Traffic that is made up: arrivals by chance at a rate, sizes around a middle, shares of what is asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from capability_router.catalog.card import ModelCard
from capability_router.clock import Chance, seeded
from capability_router.errors import ConfigError
from capability_router.rehearsal.traffic.shape import RequestShape
from capability_router.rehearsal.traffic.traffic import Traffic
from capability_router.request import Need

MOST = 200_000
_SPREAD = 0.7  # of the logarithm of sizes: one in twenty is more than three times the middle
_USUAL = {"tools": 0.2, "structured": 0.1, "vision": 0.0}
_NEEDS = {
    "tools": Need.TOOL_CALLING, "structured": Need.STRUCTURED_OUTPUT, "vision": Need.IMAGE_INPUTS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SyntheticTraffic:
    """What is asked for. `rate` per second; sizes are medians in tokens; shares 0 to 1, None = as usual.

    (As usual: as far as any model of the configuration can.) `tenants`: name -> its weight. Raises ConfigError.
    """

    rate: float = 5.0
    seconds: float | None = None
    input_tokens: int = 800
    output_tokens: int = 220
    max_tokens: int | None = None
    streams: float = 0.5
    tools: float | None = None
    structured: float | None = None
    vision: float | None = None
    tenants: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("rate", "seconds", "input_tokens", "output_tokens"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"traffic: {name} must be a number above 0, got {value!r}")
        for name in ("streams", "tools", "structured", "vision"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"traffic: {name} is a share from 0 to 1, got {value!r}")

    def traffic(self, seconds: float, cards: Sequence[ModelCard], seed: int) -> Traffic:
        """So many seconds of it."""
        if self.rate * seconds > MOST:
            raise ConfigError(
                f"traffic: {self.rate:g} a second for {seconds:g} s are {self.rate * seconds:,.0f} requests, more than "
                f"{MOST:,}; take a lower rate or fewer seconds"
            )
        chance, shares = seeded(seed), self._shares(cards)
        shapes, at = list[RequestShape](), chance.expovariate(self.rate)
        while at < seconds:
            shapes.append(self._shape(at, chance, shares))
            at += chance.expovariate(self.rate)
        asked = ", ".join(f"{share:.0%} {name}" for name, share in {"streams": self.streams, **shares}.items() if share)
        described = f"made up: {self.rate:g}/s, {self.input_tokens:,} tokens in and {self.output_tokens:,} out"
        return Traffic(tuple(shapes), seconds, f"{described}; {asked}" if asked else described)

    def _shares(self, cards: Sequence[ModelCard]) -> dict[str, float]:
        """Nothing is asked for that no model has, unless it was stated."""
        usual = {name: share for name, share in _USUAL.items() if any(not _NEEDS[name] & c.cannot for c in cards)}
        stated = {name: getattr(self, name) for name in _NEEDS}
        return {name: usual.get(name, 0.0) if share is None else share for name, share in stated.items()}

    def _shape(self, at: float, chance: Chance, shares: Mapping[str, float]) -> RequestShape:
        into, out = (_size(middle, chance) for middle in (self.input_tokens, self.output_tokens))
        needs = Need.NONE
        for name, need in _NEEDS.items():
            needs |= need if chance.random() < shares[name] else Need.NONE
        stream = chance.random() < self.streams
        tenant = _drawn(self.tenants, chance.random())
        media = ("image",) if Need.IMAGE_INPUTS in needs else ()
        task = "tools" if Need.TOOL_CALLING in needs else "chat"
        return RequestShape(at, into, out, needs, media, self.max_tokens, stream, tenant, task)


def parse_tenants(written: str) -> dict[str, float]:
    """'3' = three of them, 'acme,umbrella:2' = these, the second with twice the requests. Raises ConfigError."""
    if written.strip().isdigit():
        count = int(written)
        if count > 1_000:
            raise ConfigError(f"traffic: at most 1,000 tenants, got {count:,}")
        return {f"tenant-{n}": 1.0 for n in range(1, count + 1)}
    found = {}
    for part in filter(None, (part.strip() for part in written.split(","))):
        name, _, weight = part.rpartition(":") if ":" in part else (part, "", "1")
        try:
            found[name] = float(weight)
        except ValueError:
            found[name] = math.nan
        if not name or not 0 < found[name] < math.inf:
            raise ConfigError(f"traffic: cannot read the tenant {part!r}; write a number, or names: acme,umbrella:2")
    return found


def _size(middle: int, chance: Chance) -> int:
    return max(1, round(middle * math.exp(_SPREAD * chance.gauss(0.0, 1.0))))


def _drawn(weights: Mapping[str, float], draw: float) -> str:
    left = draw * sum(weights.values())
    for name, weight in weights.items():
        left -= weight
        if left < 0:
            return name
    return list(weights)[-1] if weights else ""
