"""The SDK's own stream below a framework's generator: closing it with the generator, and reading its last chunk.

An integration reads `for chunk in client.create(stream=True)` and never closes the stream. The SDK's stream is part of
a reference cycle, so the connection of an abandoned stream is returned only by the garbage collector. That may run
inside the same connection pool, which holds its lock, and returning the connection would wait for that lock for ever.

Nor does an integration pass on everything that it reads. A suspended generator still holds the SDK's chunk from which
it made its own.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from inspect import isawaitable
from types import AsyncGeneratorType, FrameType, GeneratorType
from typing import Any

_KINDS = ("Stream", "AsyncStream")  # openai's and anthropic's
_MOST = 64  # objects looked at: a generator within a generator, a few deep
_MOST_FOR_CHUNKS = 512  # bound tools and configs are generators, too


def sdk_streams(generator: Any) -> list[Any]:
    """The streams that a suspended generator, or one that it reads, is reading."""
    below = _below(generator, _MOST)
    return [held for held in below if type(held).__name__ in _KINDS and callable(getattr(held, "close", None))]


def sdk_chunk(generator: Any, key: str) -> dict[Any, Any] | None:
    """The chunk, a plain dict with that key, from which a suspended generator made its last one; None = not found."""
    below = _below(generator, _MOST_FOR_CHUNKS)
    return next((held for held in below if type(held) is dict and key in held), None)


def frames_below(generator: Any) -> list[FrameType]:
    """The frames of a suspended generator and of those that it reads.

    Their variables stay readable after the generator has ended.
    """
    found: list[FrameType] = []
    todo = [generator]
    while todo and len(found) < _MOST:
        one = todo.pop()
        frame = getattr(one, "gi_frame", None) or getattr(one, "ag_frame", None)
        if frame is not None:
            found.append(frame)
        todo += [held for held in gc.get_referents(one) if isinstance(held, (GeneratorType, AsyncGeneratorType))]
    return found


def _below(generator: Any, most: int) -> Iterator[Any]:
    """What the generator holds, and what the generators below it hold."""
    todo, seen = [generator], 0
    while todo and seen < most:
        for held in gc.get_referents(todo.pop()):
            seen += 1
            if isinstance(held, (GeneratorType, AsyncGeneratorType)):
                todo.append(held)
            else:
                yield held


async def close_streams(streams: list[Any]) -> None:
    """Close an SDK's streams, of which those below a blocking generator close without being awaited."""
    for stream in streams:
        closed = stream.close()
        if isawaitable(closed):
            await closed


@contextmanager
def closing_all(generator: Generator[Any, None, None]) -> Iterator[None]:
    """Close the generator at the end of the block, and the streams that it was reading."""
    try:
        yield
    finally:
        below = sdk_streams(generator)
        generator.close()
        for stream in below:
            stream.close()


class aclosing_all:  # noqa: N801 - as `contextlib.aclosing`
    """The async form. A class, because a loop that ends would close an async generator that is still in use."""

    __slots__ = ("_generator",)

    def __init__(self, generator: AsyncGenerator[Any, None]) -> None:
        self._generator = generator

    async def __aenter__(self) -> None:
        """Nothing to do."""

    async def __aexit__(self, *_: object) -> None:
        below = sdk_streams(self._generator)
        await self._generator.aclose()
        await close_streams(below)
