"""The idle connections that several threads share."""

from __future__ import annotations

from collections import deque

import httpcore

from capability_router.endpoints.connection_pool import _SWEPT, ServerAddress, SyncServerPool


class Emptied(deque[httpcore.HTTPConnection]):
    """Another thread takes the last connection just after this one has seen that there is one."""

    def __bool__(self) -> bool:
        self.clear()
        return True


def test_a_call_is_none_the_worse_if_another_takes_the_last_idle_connection() -> None:
    pool = SyncServerPool(ServerAddress("http", "127.0.0.1", 1))
    pool._stack.links = Emptied()
    for _ in range(_SWEPT):
        pool.give(httpcore.HTTPConnection(pool._server.origin))
