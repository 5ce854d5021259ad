"""Runs the rows: within a row every peer in turn, round after round, in an order that rotates."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.peers.cell import Cell
from benchmarks.peers.driving.job import Job, Model
from benchmarks.peers.environment import ROOT
from benchmarks.peers.peer import Peer
from benchmarks.peers.process import PeerProcess
from benchmarks.peers.row import Row


class Server:
    """The fault server, in its own process."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.peers.server"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)  # noqa: S603 - a fixed command
        assert self._process.stdout is not None
        self.desk = int(self._process.stdout.readline())
        self._socket = socket.create_connection(("127.0.0.1", self.desk))
        self._line = self._socket.makefile("rw")

    def order(self, **order: Any) -> dict[str, Any]:
        """One order to the desk."""
        self._line.write(json.dumps(order) + "\n")
        self._line.flush()
        return json.loads(self._line.readline())  # type: ignore[no-any-return]  # the desk answers with objects

    def stop(self) -> None:
        """End it."""
        self._line.close()
        self._socket.close()
        self._process.kill()
        self._process.communicate()


class Measurement:
    """Peers, a server and a seed. `scale` shortens every row for a trial.

    `rounds`: how often each peer has its turn in a row. Each time it is made anew, and the faults have another seed.
    A row that waits by the clock has one.
    """

    def __init__(
        self, peers: Iterable[Peer], *, seed: int, seconds: float, scale: float, log: Any, rounds: int = 1
    ) -> None:
        self._server = Server()
        self._processes = [PeerProcess(peer, log) for peer in peers]
        self._seed, self._seconds, self._scale, self._rounds = seed, seconds, scale, rounds

    def run(self, rows: Iterable[Row]) -> Iterator[tuple[Row, Peer, Cell]]:
        """Cell after cell."""
        for number, row in enumerate(rows):
            found: dict[PeerProcess, list[Cell]] = {}
            for round_ in range(1 if row.pause_s else self._rounds):
                turn = (number + round_) % len(self._processes)
                for process in self._processes[turn:] + self._processes[:turn]:
                    if process.peer.takes(row.fault):
                        found.setdefault(process, []).append(self._cell(row, process, self._seed + round_))
            yield from ((row, process.peer, Cell.of_rounds(cells)) for process, cells in found.items())

    def stop(self) -> None:
        """End every process that was started."""
        for process in self._processes:
            process.stop()
        self._server.stop()

    def _cell(self, row: Row, process: PeerProcess, seed: int) -> Cell:
        opened = self._server.order(open={"primary": row.plan(seed), "backup": {}})
        try:
            results, end = process.work(asdict(self._job(row, opened)))
        except (RuntimeError, OSError) as error:
            results, end = [], {"broken": str(error)}
        finally:
            seen = self._server.order(close=opened["run"])
        return Cell.measured(row, results, end, seen)

    def _job(self, row: Row, opened: dict[str, Any]) -> Job:
        ports = opened["ports"]
        models = tuple(Model(name, ports[name], window) for name, window in zip(ports, row.windows, strict=True))
        count = row.requests if row.pause_s else max(row.at_once, round(row.requests * self._scale))
        seconds = max(self._seconds, row.pause_s * count / row.at_once)
        return Job(
            models, opened["run"], self._server.desk, count, row.at_once, seconds, pause_s=row.pause_s,
            streamed=row.streamed, tool=row.tool, words=row.words,
        )  # fmt: skip
