"""The SDK's own stream below a framework's generator: closed when the generator is, and what it said last.

An integration reads `for chunk in client.create(stream=True)` and never closes what it reads. The SDK's stream
refers to itself, so that of a stream that is left early the connection goes back only when the garbage
collector comes by: perhaps in the middle of the same connection pool's work, under its lock, where giving the
connection back waits for that lock for ever.

Nor does an integration hand on all that it reads. A generator that is suspended still holds the SDK's chunk of
which it made its own.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
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
    """The chunk, a plain dict with that key, from which a suspended generator made what it gave last; None = unseen."""
    below = _below(generator, _MOST_FOR_CHUNKS)
    return next((held for held in below if type(held) is dict and key in held), None)


def frames_below(generator: Any) -> list[FrameType]:
    """The frames of a suspended generator and of those that it reads. Who holds one sees its variables at its end."""
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
    """What the generator holds, and those that it reads."""
    todo, seen = [generator], 0
    while todo and seen < most:
        for held in gc.get_referents(todo.pop()):
            seen += 1
            if isinstance(held, (GeneratorType, AsyncGeneratorType)):
                todo.append(held)
            else:
                yield held


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
    """The same, asynchronously. No generator itself: the event loop would close that at its end, beside its user."""

    __slots__ = ("_generator",)

    def __init__(self, generator: AsyncGenerator[Any, None]) -> None:
        self._generator = generator

    async def __aenter__(self) -> None:
        """Nothing is to be done yet."""

    async def __aexit__(self, *_: object) -> None:
        below = sdk_streams(self._generator)
        await self._generator.aclose()
        for stream in below:
            await stream.close()
