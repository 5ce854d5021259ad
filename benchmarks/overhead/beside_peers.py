"""The table of what each peer adds to what it stands before, each in a process and an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

from benchmarks.overhead.peer import PEERS
from benchmarks.peers.environment import ROOT, install, python
from benchmarks.peers.peer import peers
from benchmarks.peers.process import QUIET

HEADS = (
    "", "`invoke` / bare", "added, p50 us", "p95", "`ainvoke` / bare", "added, p50 us", "p95", "calls a second",
    "import, s", "MiB then", "after 1,000 calls", "first text / bare", "added, p50 us", "p95",
)  # fmt: skip


class NotMeasured(Exception):
    """A peer's process failed; says which, and what it told."""


def table(rounds: int) -> Iterator[str]:
    """Line by line as it is measured, as Markdown. Raises NotInstalled, NotMeasured."""
    install([peer for peer in peers() if peer.environment in {home for home, _ in PEERS.values()}])
    yield f"| {' | '.join(HEADS)} |"
    yield f"|{'---|' * len(HEADS)}"
    for name, (home, _) in PEERS.items():
        yield _row(name, _figures(name, home, rounds))


def _row(name: str, seen: dict[str, Any]) -> str:
    cells = [*_beside(seen["invoke"]), *_beside(seen["ainvoke"])]
    cells += [f"{seen['ainvoke']['per_s']:,.0f}", f"{seen['import_s']:.2f}"]
    cells += [f"{seen['rss_mib']:.0f}", f"{seen['rss_after_mib']:.0f}", *_beside(seen["first"])]
    return f"| {name} | {' | '.join(cells)} |"


def _beside(of: dict[str, float]) -> list[str]:
    return [f"{of['ratio']:.2f} x", f"{of['p50']:.0f}", f"{of['p95']:.0f}"]


def _figures(name: str, home: str, rounds: int) -> dict[str, Any]:
    _printed(name, home, 1)  # writes the bytecode of what it imports, as every later start finds it
    found: dict[str, Any] = json.loads(_printed(name, home, rounds))
    return found


def _printed(name: str, home: str, rounds: int) -> str:
    ours = f"{ROOT}{os.pathsep}{ROOT / 'shared'}"  # not installed there
    quiet = {**os.environ, **QUIET, "PYTHONPATH": ours, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(  # noqa: S603 - a module of ours
        [python(home), "-m", "benchmarks.overhead.peer", name, str(rounds)], check=False, capture_output=True,
        text=True, env=quiet, cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        raise NotMeasured(f"PEER NOT MEASURED: {name}: it ended with {done.returncode}:\n{done.stderr[-2_000:]}")
    return done.stdout
