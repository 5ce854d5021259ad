"""The fault server: `python -m benchmarks.peers.server` prints the port of its desk, then serves until it is killed.

The desk takes one JSON line and answers with one:

    {"open": {"primary": {plan}, "backup": {plan}}}  ->  {"run": 1, "ports": {"primary": 40001, "backup": 40002}}
    {"begin": 1}                                     ->  {}        the faults begin
    {"close": 1}                                     ->  {"primary": {counts}, "backup": {counts}}
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from benchmarks.peers.server.target import FaultPlan, Target


class ControlServer:
    """Opens and closes runs."""

    def __init__(self) -> None:
        self._runs: dict[int, dict[str, Target]] = {}
        self._count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client of the desk."""
        while line := await reader.readline():
            writer.write(json.dumps(await self._do(json.loads(line))).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _do(self, order: dict[str, Any]) -> dict[str, Any]:
        if "open" in order:
            return await self._open(order["open"])
        if "begin" in order:
            for target in self._runs[order["begin"]].values():
                await target.begin()
            return {}
        targets = self._runs.pop(order["close"])
        told = {name: target.told() for name, target in targets.items()}
        for target in targets.values():
            await target.close()
        return told

    async def _open(self, plans: dict[str, dict[str, Any]]) -> dict[str, Any]:
        targets = {name: Target(FaultPlan(**plan)) for name, plan in plans.items()}
        for target in targets.values():
            await target.open()
        self._count += 1
        self._runs[self._count] = targets
        return {"run": self._count, "ports": {name: target.port for name, target in targets.items()}}


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.start_server(ControlServer().serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
