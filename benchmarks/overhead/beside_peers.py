"""The tables of what each peer adds to what it stands before, each in a process and an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.overhead.growing_peer import GROWING, MODELS, SIZES_KB
from benchmarks.overhead.peer import PEERS
from benchmarks.peers.environment import ROOT, install, python
from benchmarks.peers.peer import peers
from benchmarks.peers.process import QUIET

HEADS = (
    "", "`invoke` / bare", "added, p50 us", "p95", "calls a second",
    "`ainvoke`, 50 at once / bare", "added, p50 us", "p95", "calls a second",
    "import, s", "MiB then", "after 1,000 calls", "first text / bare", "added, p50 us", "p95",
)  # fmt: skip
GROWTH_HEADS = (
    "added to `invoke`, p50 us", *(f"{n} models" for n in MODELS), "a further model",
    *(f"{kb} kB" for kb in SIZES_KB), "a further kB",
)  # fmt: skip


class NotMeasured(Exception):
    """A peer's process failed; says which, and what it told."""


def table(rounds: int) -> Iterator[str]:
    """Line by line as it is measured, as Markdown. Raises NotInstalled, NotMeasured."""
    return _table(HEADS, "peer", list(PEERS), rounds, _row)


def growth_table(rounds: int) -> Iterator[str]:
    """The same of more models and larger prompts."""
    return _table(GROWTH_HEADS, "growing_peer", list(GROWING), rounds, growth_cells)


def _table(
    heads: Sequence[str], module: str, names: Sequence[str], rounds: int, cells: Callable[[dict[str, Any]], list[str]]
) -> Iterator[str]:  # fmt: skip
    homes = {name: PEERS[name][0] for name in names}
    install([peer for peer in peers() if peer.environment in homes.values()])
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for name, home in homes.items():
        yield f"| {name} | {' | '.join(cells(_figures(module, name, home, rounds)))} |"


def _row(seen: dict[str, Any]) -> list[str]:
    cells = [cell for way in ("invoke", "ainvoke") for cell in (*_beside(seen[way]), f"{seen[way]['per_s']:,.0f}")]
    cells += [f"{seen['import_s']:.2f}", f"{seen['rss_mib']:.0f}", f"{seen['rss_after_mib']:.0f}"]
    return [*cells, *_beside(seen["first"])]


def _beside(of: dict[str, float]) -> list[str]:
    return [f"{of['ratio']:.2f} x", f"{of['p50']:.0f}", f"{of['p95']:.0f}"]


def growth_cells(seen: dict[str, Any]) -> list[str]:
    """Below the heads, the name left out."""
    return [cell for by in seen.values() for cell in (*(f"{us:.0f}" for us in by["us"]), f"{by['further']:.1f}")]


def _figures(module: str, name: str, home: str, rounds: int) -> dict[str, Any]:
    _printed(module, name, home, 1)  # writes the bytecode of what it imports, as every later start finds it
    found: dict[str, Any] = json.loads(_printed(module, name, home, rounds))
    return found


def _printed(module: str, name: str, home: str, rounds: int) -> str:
    ours = f"{ROOT}{os.pathsep}{ROOT / 'shared'}"  # not installed there
    quiet = {**os.environ, **QUIET, "PYTHONPATH": ours, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(  # noqa: S603 - a module of ours
        [python(home), "-m", f"benchmarks.overhead.{module}", name, str(rounds)], check=False, capture_output=True,
        text=True, env=quiet, cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        raise NotMeasured(f"PEER NOT MEASURED: {name}: it ended with {done.returncode}:\n{done.stderr[-2_000:]}")
    return done.stdout
