"""Environments of the peers: `.venv-peers-<name>` at the top of the repository, installed once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.peers.peer import Peer, peers

ROOT = Path(__file__).parents[2]
_STAMP = ".installed"


def python(name: str) -> str:
    """The interpreter of an environment."""
    return sys.executable if name == "." else str(_home(name) / "bin" / "python")


def install(chosen: Iterable[Peer]) -> None:
    """Install what the drivers pin, where that has not been done for just these pins."""
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
    uv = [sys.executable, "-m", "uv"]
    quiet = ["--quiet", "--link-mode", "copy"]
    subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)], check=True, cwd=ROOT)  # noqa: S603 - a fixed command
    subprocess.run([*uv, "pip", "install", *quiet, "--python", python(name), *pins], check=True, cwd=ROOT)  # noqa: S603 - a fixed command
    (home / _STAMP).write_text("\n".join(pins), encoding="utf-8")


def _home(name: str) -> Path:
    return ROOT / f".venv-peers-{name}"


def _stamp(name: str) -> list[str]:
    path = _home(name) / _STAMP
    return path.read_text(encoding="utf-8").split("\n") if path.exists() else []
