"""Environments of the peers: `.venv-peers-<name>` at the top of the repository, installed once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.peers.peer import Peer, peers

ROOT = Path(__file__).parents[2]
_STAMP = ".installed"


class NotInstalled(Exception):
    """The peers of an environment could not be installed; says which, and why."""


def python(name: str) -> str:
    """The interpreter of an environment."""
    return sys.executable if name == "." else str(_home(name) / "bin" / "python")


def install(chosen: Iterable[Peer]) -> None:
    """Install what the drivers pin, where that has not been done for just these pins. Raises NotInstalled."""
    pins: dict[str, set[str]] = {}
    for peer in peers():
        pins.setdefault(peer.environment, set()).update(peer.dependencies)
    for name in sorted({peer.environment for peer in chosen} - {"."}):
        if _stamp(name) != sorted(pins[name]):
            _make(name, sorted(pins[name]))


def versions(name: str, pins: Iterable[str]) -> list[str]:
    """`name==version` of everything that was installed for these pins."""
    ask = [sys.executable, "-m", "uv", "pip", "freeze", "--python", python(name)]
    frozen = subprocess.run(ask, check=True, capture_output=True, text=True, cwd=ROOT).stdout.split("\n")  # noqa: S603 - a fixed command
    told = {pin.partition("==")[0].partition("[")[0] for pin in pins} | {"openai", "langchain-core"}
    return [line for line in frozen if line.partition("==")[0] in told]


def _make(name: str, pins: list[str]) -> None:
    home = _home(name)
    print(f"installing {', '.join(pins)} into {home.name}", file=sys.stderr, flush=True)
    _run(home, pins, "venv", "--quiet", "--clear", "--python", sys.executable, str(home))
    _run(home, pins, "pip", "install", "--quiet", "--link-mode", "copy", "--python", python(name), *pins)
    (home / _STAMP).write_text("\n".join(pins), encoding="utf-8")


def _run(home: Path, pins: list[str], *asked: str) -> None:
    uv = [sys.executable, "-m", "uv", *asked]
    done = subprocess.run(uv, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)  # noqa: S603 - a fixed command
    if done.returncode:
        why = " ".join(done.stderr.split())
        raise NotInstalled(f"PEERS NOT INSTALLED: {home.name} needs {', '.join(pins)} from a package index: {why}")


def _home(name: str) -> Path:
    return ROOT / f".venv-peers-{name}"


def _stamp(name: str) -> list[str]:
    path = _home(name) / _STAMP
    return path.read_text(encoding="utf-8").split("\n") if path.exists() else []
