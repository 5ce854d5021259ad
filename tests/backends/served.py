"""A product's own server as a process on 127.0.0.1, ended with the tests."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx


class Served:
    """`command` may have {port}. `health` is the path that answers 200 once the server is ready."""

    def __init__(self, command: Sequence[str], health: str, folder: Path, variables: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._said = folder / "server.log"
        told = {name: value.format(port=self.port) for name, value in variables.items()}
        with self._said.open("w") as said:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                [word.format(port=self.port) for word in command],
                stdout=said, stderr=said, cwd=folder, env={**os.environ, **told},
            )  # fmt: skip
        self._wait(health)

    def _wait(self, health: str) -> None:
        until = time.monotonic() + 180
        while time.monotonic() < until and self._process.poll() is None:
            try:
                if httpx.get(self.url + health, timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.2)
        self.close()
        raise AssertionError(f"the server did not come up:\n{self._said.read_text()[-2_000:]}")

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    """A port that nobody listens at, a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
