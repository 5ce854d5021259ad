"""A driver at work in its own process and environment. A peer that hangs is killed and started anew."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import threading
import time
from typing import Any

from benchmarks.peers.environment import ROOT, python
from benchmarks.peers.peer import Peer

START_S = 90.0
GRACE_S = 20.0
"""What a job may take beyond its own time: warm-up, and the last wave."""
QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "OTEL_SDK_DISABLED": "true",
    "PYDANTIC_AI_NO_TELEMETRY": "1",
    "PYTHONWARNINGS": "ignore",
    "TENSORZERO_DISABLE_PSEUDONYMOUS_USAGE_ANALYTICS": "1",
}
"""Of the environment of a peer: no telemetry, no tracing, nothing fetched."""


class PeerProcess:
    """Starts when first asked, and again after it was killed."""

    def __init__(self, peer: Peer, log: Any) -> None:
        self.peer, self._log = peer, log
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._pump: threading.Thread | None = None

    def work(self, job: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The results of a job, and the driver's last word: {"hung": True} when there was none."""
        process = self._process or self._start()
        assert process.stdin is not None
        process.stdin.write(json.dumps({**job, "options": self.peer.options}) + "\n")
        process.stdin.flush()
        results: list[dict[str, Any]] = []
        until = time.monotonic() + job["seconds"] + GRACE_S
        while (line := self._next(until)) is not None:
            if "end" in line:
                return results, line
            results.append(line)
        self.stop()
        return results, {"hung": True}

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._pump is not None:
                self._pump.join(5)
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError, ValueError):
                    pipe.close()  # type: ignore[union-attr]  # both were asked for
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        command = [python(self.peer.environment), "-m", self.peer.module]
        process = subprocess.Popen(  # noqa: S603 - a fixed command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, cwd=ROOT,
            env={**kept, **QUIET, "PYTHONPATH": str(ROOT / "shared")},
        )  # fmt: skip
        self._process, self._lines = process, queue.Queue()
        self._pump = threading.Thread(target=_pump, args=(process.stdout, self._lines), daemon=True)
        self._pump.start()
        if self._next(time.monotonic() + START_S) is None:
            self.stop()
            raise RuntimeError(f"{self.peer.name} did not start; its log tells why")
        return process

    def _next(self, until: float) -> dict[str, Any] | None:
        try:
            return self._lines.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return None


def _pump(stream: Any, lines: queue.Queue[dict[str, Any] | None]) -> None:
    for line in stream:
        lines.put(json.loads(line))
    lines.put(None)
