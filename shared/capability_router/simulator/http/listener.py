"""One provider's port on loopback: open, or closed so that connections are refused."""

from __future__ import annotations

import asyncio
import logging
import socket
from functools import partial
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HOST = "127.0.0.1"
_LOG = logging.getLogger("capability_router.simulator")
_KEEP_ALIVE_S = 60


class Connection(H11Protocol):
    """uvicorn's connection; quiet, and its transport is in reach of the application, which may cut it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger, self.access_log = _LOG, False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Puts the transport into each request's state."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class Listener:
    """A port that stays reserved while it refuses connections."""

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        self._config = Config(
            app, log_config=None, timeout_keep_alive=_KEEP_ALIVE_S, lifespan="off", http="h11", ws="none"
        )
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._guard: socket.socket | None = _bound(port)
        self.port: int = self._guard.getsockname()[1]

    async def open(self) -> None:
        """Accepts connections; nothing when it does already."""
        if self._server is None:
            if not self._config.loaded:
                self._config.load()
            loop = asyncio.get_running_loop()
            made = partial(Connection, config=self._config, server_state=self._state, app_state={}, _loop=loop)
            self._server = await loop.create_server(made, sock=self._listening())

    def _listening(self) -> socket.socket:
        try:
            return _bound(self.port)
        except OSError:  # not every system lets a second socket have the port that the guard keeps
            self.drop()
            return _bound(self.port)

    def drop(self) -> None:
        """Gives up the port's reservation."""
        if self._guard is not None:
            self._guard.close()
            self._guard = None

    def shut(self) -> None:
        """Refuses connections and cuts the open ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self._state.connections):
            connection.transport.abort()

    async def close(self, patience_s: float) -> None:
        """Shuts for good; waits for the requests to notice, then cancels them."""
        self.shut()
        self.drop()
        tasks = tuple(self._state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=patience_s)
            for task in late:
                task.cancel()


def _bound(port: int) -> socket.socket:
    # the protocol is named because asyncio switches Nagle's delay off only where it reads TCP here
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((HOST, port))
    except OSError:
        opened.close()
        raise
    return opened
