"""The SDK's own stream below a framework's generator, closed when the generator is.

An integration reads `for chunk in client.create(stream=True)` and never closes what it reads. The SDK's stream
refers to itself, so that of a stream that is left early the connection goes back only when the garbage
collector comes by: perhaps in the middle of the same connection pool's work, under its lock, where giving the
connection back waits for that lock for ever.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import AsyncGeneratorType, GeneratorType
from typing import Any

_KINDS = ("Stream", "AsyncStream")  # openai's and anthropic's
_MOST = 64  # objects looked at: a generator within a generator, a few deep


def sdk_streams(generator: Any) -> list[Any]:
    """The streams that a suspended generator, or one that it reads, is reading."""
    found: list[Any] = []
    todo, seen = [generator], 0
    while todo and seen < _MOST:
        for held in gc.get_referents(todo.pop()):
            seen += 1
            if isinstance(held, (GeneratorType, AsyncGeneratorType)):
                todo.append(held)
            elif type(held).__name__ in _KINDS and callable(getattr(held, "close", None)):
                found.append(held)
    return found


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


@asynccontextmanager
async def aclosing_all(generator: AsyncGenerator[Any, None]) -> AsyncIterator[None]:
    """The same, asynchronously."""
    try:
        yield
    finally:
        below = sdk_streams(generator)
        await generator.aclose()
        for stream in below:
            await stream.close()
