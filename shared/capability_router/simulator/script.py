"""The fault script of a fleet: which fault strikes which request; may be changed while the fleet runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from capability_router.clock import Clock, SystemClock
from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.simulator.fault import ScriptedFault, parse_fault
from capability_router.simulator.seeded_random import draw


@dataclass(slots=True)
class _Entry:
    fault: ScriptedFault
    number: int
    seen: int = 0
    struck: int = 0

    def strikes(self, seed: int) -> bool:
        """Counts a request that the fault is about; whether it is hit."""
        fault = self.fault
        self.seen += 1
        turn = self.seen - fault.after_requests
        if turn < 1 or turn % fault.every or (fault.times is not None and self.struck >= fault.times):
            return False
        if fault.share < 1 and draw(seed, "fault", self.number, self.seen) >= fault.share:
            return False
        self.struck += 1
        return True


class FaultScript:
    """Faults in order; the first that strikes a request decides. Safe to use from any thread.

    `begin()` starts the clock that `from_s` counts by. `start` adds faults whose times count from
    now; `clear` takes some or all away.
    """

    def __init__(
        self,
        faults: Iterable[ScriptedFault | str | Mapping[str, Any]] = (),
        *,
        seed: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self._entries = [_Entry(parse_fault(fault), number) for number, fault in enumerate(faults)]
        self._seed, self._clock = seed, clock or SystemClock()
        self._began: float | None = None
        self._lock = threading.Lock()
        self._count = len(self._entries)
        self._known: Mapping[str, tuple[str, ...]] | None = None
        self._changed: Callable[[], None] = lambda: None

    def begin(self) -> None:
        """Sets the script's second 0 to now."""
        self._began = self._clock.now()

    def bind(self, known: Mapping[str, tuple[str, ...]], changed: Callable[[], None]) -> None:
        """The providers and models that exist, and what to call after changes; ConfigError for unknown ones."""
        for fault in self.faults:
            _check_target(fault, known)
        self._known, self._changed = known, changed

    @property
    def now_s(self) -> float:
        """Seconds since `begin`; 0 before."""
        return 0.0 if self._began is None else self._clock.now() - self._began

    @property
    def faults(self) -> tuple[ScriptedFault, ...]:
        """The faults that are scripted, past and coming ones too."""
        with self._lock:
            return tuple(entry.fault for entry in self._entries)

    def start(self, *faults: ScriptedFault | str | Mapping[str, Any]) -> None:
        """Adds faults at run time; their `from_s` counts from now. In force when this returns."""
        now = self.now_s
        fresh = [parse_fault(fault) for fault in faults]
        for fault in fresh:
            if self._known is not None:
                _check_target(fault, self._known)
        with self._lock:
            for fault in fresh:
                self._entries.append(_Entry(replace(fault, from_s=fault.from_s + now), self._count))
                self._count += 1
        self._changed()

    def clear(self, provider: str | None = None) -> None:
        """Takes away the faults of one provider, or all."""
        with self._lock:
            self._entries = [e for e in self._entries if provider is not None and e.fault.provider != provider]
        self._changed()

    def pick(self, provider: str, model: str) -> ScriptedFault | None:
        """The fault that strikes this request, if one does; counts the request."""
        now, hit = self.now_s, None
        with self._lock:
            for entry in self._entries:
                struck = entry.fault.holds(now) and entry.fault.aims(provider, model) and entry.strikes(self._seed)
                if struck and hit is None:
                    hit = entry.fault
        return hit

    def refuses(self, provider: str) -> bool:
        """Whether the provider's port is closed now."""
        now = self.now_s
        return any(f.refuses and f.provider in ("*", provider) and f.holds(now) for f in self.faults)

    def next_edge_s(self) -> float | None:
        """Seconds until a port next opens or closes."""
        now = self.now_s
        edges = [edge - now for f in self.faults if f.refuses for edge in (f.from_s, f.until_s)]
        coming = [edge for edge in edges if 0 < edge < float("inf")]
        return min(coming) if coming else None


def _check_target(fault: ScriptedFault, known: Mapping[str, tuple[str, ...]]) -> None:
    models = [m for name, own in known.items() if fault.provider in ("*", name) for m in own]
    _check_name(fault.kind, "provider", fault.provider, list(known))
    _check_name(fault.kind, "model", fault.model, models)


def _check_name(kind: str, what: str, name: str, known: list[str]) -> None:
    if name not in ("*", *known):
        raise ConfigError(f"simulator: fault {kind}: no {what} {name!r}{nearest(name, known)}")
