"""The interface through which the drivers make calls. Each framework adapter implements it once.

A unary call is a stream of one chunk, so that one pair of drivers serves every entry point.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from types import AsyncGeneratorType, GeneratorType
from typing import Protocol, TypeVar

from capability_router.execution.effects import Launch
from capability_router.faults.kinds import Fault
from capability_router.request import Reply

ChunkT = TypeVar("ChunkT")


class Attempt(Protocol[ChunkT]):
    """One call in flight. Only one of `chunks` and `achunks` is called, once.

    `keeps_time`: whether `chunks` enforces the launch's timeouts itself.
    """

    @property
    def keeps_time(self) -> bool: ...

    def chunks(self) -> Iterator[ChunkT]:
        """Make the call and yield its chunks unchanged as they come."""
        ...

    def achunks(self) -> AsyncIterator[ChunkT]:
        """The same, asynchronously."""
        ...

    def commits(self, chunk: ChunkT) -> bool:
        """Whether this chunk carries text, reasoning or a tool call.

        Called once per chunk, in order, so that the attempt can also read usage and terminal reason from it.
        """
        ...

    def abort(self) -> None:
        """Abandon the attempt. Its chunks are closed if possible; a blocking one may go on in its thread."""
        ...

    def reply(self) -> Reply:
        """The reply as received so far; complete once the chunks have ended."""
        ...


class Endpoint(Protocol[ChunkT]):
    """Makes calls on behalf of one request."""

    def start(self, launch: Launch) -> Attempt[ChunkT]:
        """An attempt on the launch's candidate. Nothing is sent before its chunks are iterated."""
        ...

    def fault(self, error: BaseException) -> Fault | None:
        """The error as a fault of the provider; None = it is none, and is raised to the caller."""
        ...


def closable(chunks: Iterator[ChunkT]) -> Generator[ChunkT, None, None]:
    """The chunks as a generator, which can be closed."""
    if type(chunks) is GeneratorType or isinstance(chunks, Generator):  # the first test is the faster one
        return chunks
    return (chunk for chunk in chunks)


def aclosable(chunks: AsyncIterator[ChunkT]) -> AsyncGenerator[ChunkT, None]:
    """The same, asynchronously."""
    if type(chunks) is AsyncGeneratorType or isinstance(chunks, AsyncGenerator):
        return chunks
    return (chunk async for chunk in chunks)
