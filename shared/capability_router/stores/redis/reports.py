"""Reports of routers, in a Redis or Valkey server: a key for each, which the server drops when it is old."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from capability_router.stores.redis.server import RedisServer
from capability_router.stores.reports import KEPT_S, HealthReport

_KEPT_MS = int(KEPT_S * 1_000)
_SCAN, _PIECE = 500, 200


class RedisReports:
    """See ReportRoom. How old one is follows from the time that the server will still keep it: no clock is compared."""

    def __init__(self, server: RedisServer, prefix: str) -> None:
        self._server, self._prefix = server, f"{prefix}:r1:"

    def tell(self, name: str, writer: str, text: str) -> None:
        """See ReportRoom."""
        with self._server.asked() as client:
            client.set(self._key(name, writer), text, px=_KEPT_MS)

    def withdraw(self, name: str, writer: str) -> None:
        """See ReportRoom."""
        with self._server.asked() as client:
            client.delete(self._key(name, writer))

    def reports(self) -> list[HealthReport]:
        """See ReportRoom. It walks through the server's keys: for a look from time to time."""
        with self._server.asked() as client:
            keys = sorted(set(client.scan_iter(match=f"{self._prefix}*", count=_SCAN)))
            found: list[Any] = []
            for start in range(0, len(keys), _PIECE):
                with client.pipeline() as together:
                    for key in keys[start : start + _PIECE]:
                        together.get(key)
                        together.pttl(key)
                    found += together.execute()
        texts = zip(keys, found[::2], found[1::2], strict=True)
        return sorted(self._report(key, text, left) for key, text, left in texts if text is not None and left > 0)

    def _report(self, key: str, text: str, left_ms: int) -> HealthReport:
        name, _, writer = key.removeprefix(self._prefix).rpartition(":")
        return HealthReport(unquote(name), writer, text, max(_KEPT_MS - left_ms, 0) / 1_000)

    def _key(self, name: str, writer: str) -> str:
        return f"{self._prefix}{quote(name, safe='')}:{writer}"
