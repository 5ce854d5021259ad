"""A fleet of simulated providers over real HTTP on loopback, with scripted faults.

    with Fleet.from_config() as fleet:
        fleet.base_url("alder")      # http://127.0.0.1:PORT/v1
        fleet.fault("outage:cedar@2s+5s")
        fleet.bills()                # what each request cost, in whole picodollars

The HTTP side needs Starlette and uvicorn: pip install "capability-router[simulator]". Everything
is loaded at first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capability_router.simulator.books import Bill, LogRow
    from capability_router.simulator.fault import ScriptedFault
    from capability_router.simulator.fleet import Fleet
    from capability_router.simulator.profile import SimulatedModel, SimulatedProvider
    from capability_router.simulator.script import FaultScript
    from capability_router.simulator.settings import FleetSettings

_HOMES = {
    "Bill": "books", "FaultScript": "script", "Fleet": "fleet", "FleetSettings": "settings", "LogRow": "books",
    "SimulatedModel": "profile", "SimulatedProvider": "profile", "ScriptedFault": "fault",
}  # fmt: skip
_THIRD_PARTY = ("starlette", "uvicorn", "h11")

__all__ = [
    "Bill",
    "FaultScript",
    "Fleet",
    "FleetSettings",
    "LogRow",
    "ScriptedFault",
    "SimulatedModel",
    "SimulatedProvider",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in _THIRD_PARTY:
            raise
        text = f'{name} serves HTTP and needs {package}: pip install "capability-router[simulator]"'
        raise ImportError(text, name=package) from missing
