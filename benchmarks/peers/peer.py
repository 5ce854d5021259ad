"""A peer: a driver file, and one variant of what it can be set to.

What the runner needs to know stands in the driver's head as inline script metadata, so that a new
peer is one file: its pinned `dependencies`, and under `[tool.peer]` the `environment` they are
installed into (drivers may share one; "." is the development environment) and its `variants`. A
variant is a name and options for the driver; `only` names the faults that it is shown for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DRIVERS = Path(__file__).parent / "drivers"
_START, _END = "# /// script", "# ///"


@dataclass(frozen=True, eq=False)
class Peer:
    """One line of the table."""

    name: str
    module: str
    environment: str
    dependencies: tuple[str, ...]
    ours: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ()

    def takes(self, fault: str) -> bool:
        """Whether it is shown for this fault."""
        return not self.only or any(fault.startswith(name) for name in self.only)


def peers() -> list[Peer]:
    """All of them, ours first."""
    found = [peer for path in sorted(DRIVERS.glob("*.py")) for peer in _read(path)]
    return sorted(found, key=lambda peer: (not peer.ours, bool(peer.only), peer.name))


def _read(path: Path) -> Iterator[Peer]:
    head = _metadata(path.read_text(encoding="utf-8"))
    told = head["tool"]["peer"]
    for name, options in told["variants"].items():
        only = tuple(options.pop("only", ()))
        yield Peer(
            name, f"benchmarks.peers.drivers.{path.stem}", told["environment"], tuple(head.get("dependencies", ())),
            told.get("ours", False), options, only,
        )  # fmt: skip


def _metadata(source: str) -> dict[str, Any]:
    lines = source.splitlines()
    start = lines.index(_START)
    block = lines[start + 1 : lines.index(_END, start + 1)]
    return tomllib.loads("\n".join(line.removeprefix("#").removeprefix(" ") for line in block))
