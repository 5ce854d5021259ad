"""The sockets of the connections: each read and write asks the call's CallDeadline how long it may take.

httpcore passes its timeout argument on to its network streams unchanged; these take a CallDeadline instead. So all four
timeouts are exact, also in blocking code and in the middle of a response.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import httpcore

from capability_router.concurrency.longest_wait import limited
from capability_router.concurrency.loop_timer import Lateness, LoopTimer
from capability_router.concurrency.thread_pool import THREADS
from capability_router.endpoints.timeouts import CallDeadline


class Deadline(Protocol):
    """Something that runs out: `left` gives seconds, None = it does not."""

    def left(self) -> float | None: ...


TimeLimit = Deadline | float | None
READ_AHEAD = 256 * 1024
PIECE = 64 * 1024  # bytes of a request for which the clock is asked anew


def seconds(limit: TimeLimit, *, reading: bool = False) -> float | None:
    """Seconds left, as far as a socket counts; None = no limit. Raises httpcore.ReadTimeout if there are none.

    `reading`: what came in time may still be read.
    """
    left = limit if limit is None or isinstance(limit, (int, float)) else limit.left()
    if left is not None and left <= 0:
        left = limit.grace_s(-left) if reading and isinstance(limit, CallDeadline) else None
        if left is None:
            raise httpcore.ReadTimeout("no time left")
    return limited(left)


def _note(limit: TimeLimit) -> None:
    """Its call goes out: from now on it may be billed."""
    if isinstance(limit, CallDeadline):
        limit.wrote = True


def _to_connect(limit: TimeLimit) -> float | None:
    """The same; raises httpcore.ConnectTimeout."""
    try:
        return seconds(limit)
    except httpcore.ReadTimeout:
        raise httpcore.ConnectTimeout("no time left") from None


class TimedStream(httpcore.NetworkStream):
    """A blocking socket under a CallDeadline.

    `opening`: the limit where none is told, as for a word with a SOCKS proxy.
    """

    def __init__(self, inner: httpcore.NetworkStream, opening: TimeLimit = None) -> None:
        self._inner, self._opening = inner, opening

    def read(self, max_bytes: int, timeout: TimeLimit = None) -> bytes:
        """Some bytes, b"" at the end. What came while the program was busy is read although the time is over since."""
        return self._inner.read(max_bytes, seconds(self._opening if timeout is None else timeout, reading=True))

    def write(self, buffer: bytes, timeout: TimeLimit = None) -> None:
        """All the bytes; a reader that takes a few at a time does not put the limit off."""
        _note(timeout)
        for at in range(0, len(buffer), PIECE):
            piece = buffer if len(buffer) <= PIECE else buffer[at : at + PIECE]
            self._inner.write(piece, seconds(self._opening if timeout is None else timeout))

    def close(self) -> None:
        """Close the socket."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: TimeLimit = None
    ) -> httpcore.NetworkStream:
        """The same socket, encrypted."""
        return TimedStream(self._inner.start_tls(ssl_context, server_hostname, _to_connect(timeout)), self._opening)

    def get_extra_info(self, info: str) -> Any:
        """As httpcore asks: ssl_object, socket, is_readable."""
        return self._inner.get_extra_info(info)


class TimedSockets(httpcore.NetworkBackend):
    """Opens blocking sockets."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: TimeLimit = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        """A connected socket. A host's addresses share the time: one that does not answer leaves some to the others."""
        failed: Exception = httpcore.ConnectError("it has no address")
        for address, share in _turns(_resolved(host, port, timeout), timeout):
            try:
                made = self._inner.connect_tcp(address, port, share, local_address, socket_options)
                return TimedStream(made, timeout)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


def _turns(addresses: Sequence[str], limit: TimeLimit) -> Iterator[tuple[str, float | None]]:
    """Each address with its share, in seconds, of the time that is left; None = there is no limit."""
    for tried, address in enumerate(addresses):
        left = _to_connect(limit)
        yield address, None if left is None else left / (len(addresses) - tried)


def _resolved(host: str, port: int, limit: TimeLimit) -> list[str]:
    """The host's addresses; itself if it is one. Raises httpcore.ConnectError if it is not known.

    A look-up can't be interrupted. So it is done in a thread, which is left to itself if it takes too long.
    """
    left = None if _is_address(host) else _to_connect(limit)
    found = _looked_up(host, port) if left is None else _looked_up_within(left, host, port)
    if isinstance(found, OSError):
        raise httpcore.ConnectError(str(found)) from found
    return found


def _looked_up_within(left_s: float, host: str, port: int) -> list[str] | OSError:
    found = SimpleQueue[list[str] | OSError]()

    def look_up() -> bool:
        found.put(_looked_up(host, port))
        return True

    THREADS.begin("router name look-up", look_up)
    try:
        return found.get(timeout=left_s)
    except Empty:
        raise httpcore.ConnectTimeout("no time left") from None


def _looked_up(host: str, port: int) -> list[str] | OSError:
    try:
        return [host] if _is_address(host) else _each(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except UnicodeError:  # whoever connects tells why
        return [host]
    except OSError as error:
        return error


async def _resolved_aside(host: str, port: int) -> list[str]:
    """The same, without blocking the event loop; itself, too, if it is not known: whoever connects tells why."""
    try:
        loop = asyncio.get_running_loop()
        return [host] if _is_address(host) else _each(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return [host]


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _each(found: Iterable[tuple[Any, ...]]) -> list[str]:
    """Each address once; one of a link with its zone."""
    places = (found[-1] for found in found)
    return list(dict.fromkeys(f"{at[0]}%{at[3]}" if len(at) > 3 and at[3] else str(at[0]) for at in places))


class AsyncSocket(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """A socket of asyncio. One reader and one writer at a time, as HTTP/1.1 has it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._ended = self._held = self._choked = False
        self._lost: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.opening: TimeLimit = None
        """The limit where none is told, as when it talks to a SOCKS proxy."""

    # What asyncio tells us

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._transport = transport  # type: ignore[assignment]  # of a stream protocol it is a Transport

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > READ_AHEAD and not self._held and self._transport is not None:
            self._held = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The other side has said all it will say."""
        self._ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._ended, self._transport, self._lost = True, None, exc
        self._wake()

    def pause_writing(self) -> None:
        """The other side reads slower than we write."""
        self._choked = True

    def resume_writing(self) -> None:
        """The other side has caught up."""
        self._choked = False
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, limit: TimeLimit) -> None:
        limit = self.opening if limit is None else limit
        left = limit if limit is None or isinstance(limit, (int, float)) else limit.left()
        lateness = limit.lateness if isinstance(limit, CallDeadline) else Lateness()
        waiter = self._waiter = self._loop.create_future()
        alarm = None if left is None else LoopTimer(left, partial(_expire, waiter), lateness)
        try:
            await waiter
        finally:
            self._waiter = None
            if alarm is not None:
                alarm.cancel()

    # What httpcore asks of us

    async def read(self, max_bytes: int, timeout: TimeLimit = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        """Some bytes, b"" at the end. Raises httpcore.ReadError when what came before a reset has been read."""
        while not self._pieces and not self._ended:
            await self._wait(timeout)
        if self._lost is not None and not self._pieces:
            raise httpcore.ReadError(str(self._lost)) from self._lost
        data = b"".join(self._pieces) if len(self._pieces) != 1 else self._pieces[0]
        self._pieces, self._size = [], 0
        if self._held and self._transport is not None:
            self._held = False
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: TimeLimit = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        """All the bytes, as fast as they are taken."""
        if not buffer:
            return
        if self._transport is None or self._transport.is_closing():
            raise httpcore.WriteError("the connection is closed")
        _note(timeout)
        self._transport.write(buffer)
        while self._choked and not self._ended:
            await self._wait(timeout)

    async def aclose(self) -> None:
        """Close the socket at once."""
        if self._transport is not None:
            self._transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
        timeout: TimeLimit = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        """The same socket, encrypted."""
        if self._transport is None:
            raise httpcore.ConnectError("the connection was closed before it was encrypted")
        with _told_as_connect_errors():
            async with asyncio.timeout(_to_connect(timeout)):
                self._transport = await self._loop.start_tls(
                    self._transport, self, ssl_context, server_hostname=server_hostname
                )
        return self

    def get_extra_info(self, info: str) -> Any:
        """As httpcore asks: ssl_object, socket, is_readable (an idle one that is has been closed)."""
        if info == "is_readable":
            return self._ended or bool(self._pieces) or self._transport is None or self._transport.is_closing()
        return None if self._transport is None else self._transport.get_extra_info(info)


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(httpcore.ReadTimeout("no time left"))


class _told_as_connect_errors:  # noqa: N801 - reads as a clause after `with`
    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TimeoutError):
            raise httpcore.ConnectTimeout("no time left") from None
        if isinstance(error, OSError):  # ssl.SSLError is one
            raise httpcore.ConnectError(str(error)) from error


class AsyncSockets(httpcore.AsyncNetworkBackend):
    """Opens asyncio sockets."""

    async def connect_tcp(
        self, host: str, port: int, timeout: TimeLimit = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None, socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        """A connected socket. A host's addresses share the time."""
        local = (local_address, 0) if local_address else None
        loop, failed = asyncio.get_running_loop(), OSError("it has no address")
        with _told_as_connect_errors():
            async with asyncio.timeout(_to_connect(timeout)):
                for address, share in _turns(await _resolved_aside(host, port), timeout):
                    try:
                        async with asyncio.timeout(share):
                            _, stream = await loop.create_connection(AsyncSocket, address, port, local_addr=local)
                        stream.opening = timeout
                        return stream
                    except OSError as error:  # a TimeoutError is one
                        failed = error
                raise failed
