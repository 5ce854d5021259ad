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
    """One call in flight. Only one of `chunks` and `achunks` is used, and once.

    `keeps_time`: whether `chunks` by itself ends in time when one of the launch's clocks runs out.
    """

    @property
    def keeps_time(self) -> bool: ...

    def chunks(self) -> Iterator[ChunkT]:
        """Make the call and give its chunks as they come, untouched."""
        ...

    def achunks(self) -> AsyncIterator[ChunkT]:
        """The same, asynchronously."""
        ...

    def commits(self, chunk: ChunkT) -> bool:
        """Whether this chunk carries text, reasoning or a tool call.

        Called once per chunk, in order, so that the attempt can take usage and the terminal reason from it on the way.
        """
        ...

    def abort(self) -> None:
        """Abandon the attempt. Its chunks are closed if possible; a blocking one may go on in its thread."""
        ...

    def reply(self) -> Reply:
        """What has been seen of the reply so far; whole once the chunks have ended."""
        ...


class Endpoint(Protocol[ChunkT]):
    """Makes calls on behalf of one request."""

    def start(self, launch: Launch) -> Attempt[ChunkT]:
        """An attempt on the launch's candidate; nothing is sent before its chunks are asked for."""
        ...

    def fault(self, error: BaseException) -> Fault | None:
        """What the error means; None = no provider's fault, let it pass to the caller."""
        ...


def closable(chunks: Iterator[ChunkT]) -> Generator[ChunkT, None, None]:
    """The chunks as a generator, which can be closed."""
    if type(chunks) is GeneratorType or isinstance(chunks, Generator):  # the class of most is quickly asked for
        return chunks
    return (chunk for chunk in chunks)


def aclosable(chunks: AsyncIterator[ChunkT]) -> AsyncGenerator[ChunkT, None]:
    """The same, asynchronously."""
    if type(chunks) is AsyncGeneratorType or isinstance(chunks, AsyncGenerator):
        return chunks
    return (chunk async for chunk in chunks)
