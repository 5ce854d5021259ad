"""A driver's process: a job a line on stdin, a result a line on stdout, `{"end": ...}` after the last.

`serve(build)` is all that a driver calls; `build(job)` makes the peer anew, so that no job knows of another.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.peers.driving import loopback
from benchmarks.peers.driving.caller import PeerAnswer, PeerCaller
from benchmarks.peers.driving.job import QUESTION, Job

_WARM_WAVES = 2
Tell = Callable[[dict[str, Any]], None]


def serve(build: Callable[[Job], PeerCaller]) -> None:
    """Work off jobs until stdin ends. What libraries print goes to stderr."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    loopback.hold()

    def tell(line: dict[str, Any]) -> None:
        out.write(json.dumps(line) + "\n")

    tell({"ready": True})
    for line in sys.stdin:
        job = Job.read(json.loads(line))
        Session(job, tell).run(build)


class Session:
    """One job at work."""

    def __init__(self, job: Job, tell: Tell) -> None:
        self._job, self._tell = job, tell
        self._began = 0.0

    def run(self, build: Callable[[Job], PeerCaller]) -> None:
        """Warm up, let the faults begin, ask; one request at a time in sync, more in async."""
        port = self._job.models[0].port
        try:
            if self._job.at_once == 1:
                before = self._sync(build(self._job), port)
            else:
                before = asyncio.run(self._async(build, port))
            self._tell({"end": True, "connects": loopback.connects[port] - before})
        except Exception as error:  # noqa: BLE001 - a peer that can't even be set up is a result, too
            self._tell({"end": True, "broken": _named(error)})

    def _sync(self, caller: PeerCaller, port: int) -> int:
        job = self._job
        for _ in range(_WARM_WAVES):
            with contextlib.suppress(Exception):
                _answer(caller, job, QUESTION)
        before = self._begin(port)
        for due in self._waves():
            time.sleep(max(0.0, due - time.perf_counter()))
            start = time.perf_counter()
            try:
                self._done(start, _answer(caller, job, job.prompt))
            except Exception as error:  # noqa: BLE001 - whatever a peer raises is its result
                self._failed(start, error)
        return before

    async def _async(self, build: Callable[[Job], PeerCaller], port: int) -> int:
        job, caller = self._job, build(self._job)
        for _ in range(_WARM_WAVES):
            calls = [_aanswer(caller, job, QUESTION) for _ in range(job.at_once)]
            await asyncio.gather(*calls, return_exceptions=True)
        before = self._begin(port)
        for due in self._waves():
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await asyncio.gather(*(self._one(caller) for _ in range(job.at_once)))
        return before

    async def _one(self, caller: PeerCaller) -> None:
        start = time.perf_counter()
        try:
            self._done(start, await _aanswer(caller, self._job, self._job.prompt))
        except Exception as error:  # noqa: BLE001 - whatever a peer raises is its result
            self._failed(start, error)

    def _waves(self) -> Any:
        """When each wave is due; none after the job's time."""
        job = self._job
        for wave in range(-(-job.requests // job.at_once)):
            due = self._began + wave * job.pause_s
            if max(time.perf_counter(), due) - self._began > job.seconds:
                return
            yield due

    def _begin(self, port: int) -> int:
        """The faults begin; the connections to the primary that were tried before.

        What earlier rows left in the process is collected first: a tenth of a second, which would fall into any row.
        """
        gc.collect()
        with socket.create_connection(("127.0.0.1", self._job.desk)) as desk:
            desk.sendall(json.dumps({"begin": self._job.run}).encode() + b"\n")
            desk.makefile().readline()
        self._began = time.perf_counter()
        return loopback.connects[port]

    def _done(self, start: float, answer: PeerAnswer) -> None:
        self._tell({**self._times(start), "text": answer.text, "arguments": answer.arguments})

    def _failed(self, start: float, error: Exception) -> None:
        self._tell({**self._times(start), "error": _named(error)})

    def _times(self, start: float) -> dict[str, float]:
        now = time.perf_counter()
        return {"at": round(start - self._began, 4), "took": round(now - start, 5)}


def _answer(caller: PeerCaller, job: Job, prompt: str) -> PeerAnswer:
    return PeerAnswer("".join(caller.read(prompt))) if job.streamed else caller.ask(prompt)


async def _aanswer(caller: PeerCaller, job: Job, prompt: str) -> PeerAnswer:
    if not job.streamed:
        return await caller.aask(prompt)
    return PeerAnswer("".join([piece async for piece in caller.aread(prompt)]))


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
