"""A pool of keep-alive connections to one server, with constant time for taking and returning one.

httpcore's own pool scans all connections at every request, which with 50 calls in flight is nine tenths of a call's
cost. Here connections are on a stack: the last one used is taken first, and nothing is scanned. There is no upper
limit, because the router decides how many calls run.
"""

from __future__ import annotations

import asyncio
import atexit
import os
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore

from capability_router.endpoints.errors import EndpointConnectionError
from capability_router.endpoints.sockets import AsyncSockets, TimedSockets

if TYPE_CHECKING:
    import ssl

IDLE_MAX = 256
IDLE_SECONDS = 60.0
_SWEPT = 16  # connections given back, from one look at the lowest ones to the next

SyncLink = httpcore.HTTPConnection | httpcore.ConnectionPool
AsyncLink = httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool


class ServerAddress(NamedTuple):
    """Where connections go; two endpoints at one server share them."""

    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> httpcore.Origin:
        """The server in httpcore's form."""
        return httpcore.Origin(self.scheme.encode(), self.host.encode(), self.port)

    def proxy(self) -> str | None:
        """The proxy that the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) sets for this server."""
        proxies = getproxies()
        found = proxies.get(self.scheme) or proxies.get("all")
        if not found or proxy_bypass(f"{self.host}:{self.port}"):  # NO_PROXY may name a port
            return None
        return found if "://" in found else f"http://{found}"


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    from httpx import create_ssl_context  # honours SSL_CERT_FILE and SSL_CERT_DIR, else certifi's list

    try:
        return create_ssl_context()
    except OSError as error:  # no such file, or no certificate in it
        named = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR", "")
        raise EndpointConnectionError(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names can't be read ({named!r})", sent=False
        ) from error


def _tls(server: ServerAddress) -> ssl.SSLContext | None:
    # Loading certificates takes some 20 ms, so it is done once, and only where TLS is used at all.
    return _certificates() if server.scheme == "https" else None


class _Idle(Protocol):
    def is_available(self) -> bool: ...
    def has_expired(self) -> bool: ...


IdleT = TypeVar("IdleT", bound=_Idle)


class _Stack(Generic[IdleT]):
    """Idle connections, the last used on top. Thread-safe, because a deque's `append` and `pop` are."""

    def __init__(self) -> None:
        self.links: deque[IdleT] = deque()
        self._given = 0

    def pop(self) -> tuple[IdleT | None, list[IdleT]]:
        """A live connection, if any, and the dead ones above it, which must be closed."""
        dead: list[IdleT] = []
        while self.links:
            try:
                link = self.links.pop()
            except IndexError:  # another thread took the last one
                break
            if link.is_available() and not link.has_expired():
                return link, dead
            dead.append(link)
        return None, dead

    def push(self, link: IdleT) -> bool:
        """Keep it for later; False = it can't be used again and must be closed."""
        keep = link.is_available() and len(self.links) < IDLE_MAX
        if keep:
            self.links.append(link)
        return keep

    def stale(self) -> list[IdleT]:
        """The lowest ones that are of no use any more, to be closed: after a burst none is taken from down there."""
        dead: list[IdleT] = []
        self._given += 1
        while self._given % _SWEPT == 0 and self.links:
            try:
                if not self.links[0].has_expired():
                    break
                dead.append(self.links.popleft())
            except IndexError:  # another thread took the last one
                break
        return dead


class SyncServerPool:
    """Blocking connections to one server."""

    def __init__(self, server: ServerAddress) -> None:
        self._server, self._stack = server, _Stack[httpcore.HTTPConnection]()
        self._sockets = TimedSockets()
        proxy = server.proxy()
        self._proxy = None if proxy is None else _proxy(proxy, server, self._sockets)

    def take(self) -> SyncLink:
        """A connection for one call."""
        if self._proxy is not None:
            return self._proxy
        link, dead = self._stack.pop()
        for old in dead:
            old.close()
        return link or httpcore.HTTPConnection(
            self._server.origin, _tls(self._server), IDLE_SECONDS, network_backend=self._sockets
        )

    def give(self, link: SyncLink) -> None:
        """Give it back after the call, whole or broken."""
        if isinstance(link, httpcore.HTTPConnection) and not self._stack.push(link):
            link.close()
        for old in self._stack.stale():
            old.close()

    def close(self) -> None:
        """Close what is idle."""
        while self._stack.links:
            self._stack.links.pop().close()
        if self._proxy is not None:
            self._proxy.close()


class AsyncServerPool:
    """Connections to one server in one event loop."""

    def __init__(self, server: ServerAddress) -> None:
        self._server, self._stack = server, _Stack[httpcore.AsyncHTTPConnection]()
        self._sockets = AsyncSockets()
        proxy = server.proxy()
        self._proxy = None if proxy is None else _async_proxy(proxy, server, self._sockets)

    async def take(self) -> AsyncLink:
        """A connection for one call."""
        if self._proxy is not None:
            return self._proxy
        link, dead = self._stack.pop()
        for old in dead:
            await old.aclose()
        return link or httpcore.AsyncHTTPConnection(
            self._server.origin, _tls(self._server), IDLE_SECONDS, network_backend=self._sockets
        )

    async def give(self, link: AsyncLink) -> None:
        """Give it back after the call, whole or broken."""
        if isinstance(link, httpcore.AsyncHTTPConnection) and not self._stack.push(link):
            await link.aclose()
        for old in self._stack.stale():
            await old.aclose()

    async def close(self) -> None:
        """Close what is idle."""
        while self._stack.links:
            await self._stack.links.pop().aclose()
        if self._proxy is not None:
            await self._proxy.aclose()


_UNBOUNDED: Mapping[str, Any] = {
    "max_connections": None, "max_keepalive_connections": IDLE_MAX, "keepalive_expiry": IDLE_SECONDS,
}  # fmt: skip
"""httpcore's own pools would let ten calls through a proxy, and have the eleventh wait for `timeouts.connect`."""


def _proxy(url: str, server: ServerAddress, sockets: TimedSockets) -> httpcore.ConnectionPool:
    bare, user = _proxy_parts(url)
    kind = httpcore.SOCKSProxy if bare.startswith("socks") else httpcore.HTTPProxy
    return kind(bare, proxy_auth=user, ssl_context=_tls(server), network_backend=sockets, **_UNBOUNDED)


def _async_proxy(url: str, server: ServerAddress, sockets: AsyncSockets) -> httpcore.AsyncConnectionPool:
    bare, user = _proxy_parts(url)
    kind = httpcore.AsyncSOCKSProxy if bare.startswith("socks") else httpcore.AsyncHTTPProxy
    return kind(bare, proxy_auth=user, ssl_context=_tls(server), network_backend=sockets, **_UNBOUNDED)


def _proxy_parts(url: str) -> tuple[str, tuple[str, str] | None]:
    parts = urlsplit(url)
    user = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", user


_by_server: dict[ServerAddress, SyncServerPool] = {}
_by_loop: dict[asyncio.AbstractEventLoop, _LoopPool] = {}


class _LoopPool:
    """The connection pools of one event loop, closed with it.

    asyncio closes a loop's async generators before the loop itself. The generator kept here closes the sockets then, so
    that none outlives its loop or is used in another one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.by_server: dict[ServerAddress, AsyncServerPool] = {}
        self.end = self._until_the_end(loop)

    async def _until_the_end(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            _by_loop.pop(loop, None)
            for pool in self.by_server.values():
                await pool.close()
            await asyncio.sleep(0)  # the sockets are closed in the loop's next round


def sync_pool(server: ServerAddress) -> SyncServerPool:
    """This process's blocking connections to the server."""
    found = _by_server.get(server)
    return found or _by_server.setdefault(server, SyncServerPool(server))


async def async_pool(server: ServerAddress) -> AsyncServerPool:
    """The running loop's connections to the server."""
    loop = asyncio.get_running_loop()
    mine = _by_loop.get(loop) or await _enter(loop)
    found = mine.by_server.get(server)
    return found or mine.by_server.setdefault(server, AsyncServerPool(server))


async def _enter(loop: asyncio.AbstractEventLoop) -> _LoopPool:
    for old in [known for known in list(_by_loop) if known.is_closed()]:
        _by_loop.pop(old, None)
    mine = _by_loop[loop] = _LoopPool(loop)
    await anext(mine.end)  # returns at once; asyncio then knows the generator
    return mine


def close_idle() -> None:
    """Close this process's idle blocking connections."""
    for each in list(_by_server.values()):
        each.close()


atexit.register(close_idle)
if hasattr(os, "register_at_fork"):
    # A forked child must not use its parent's sockets; dropping them closes only its own copies.
    os.register_at_fork(after_in_child=_by_server.clear)
    os.register_at_fork(after_in_child=_by_loop.clear)
