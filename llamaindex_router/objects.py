"""The objects of a structured call; where there is none, its error is also the ValueError that a parser raises."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

from capability_router.concurrency.async_generators import END, first_step
from capability_router.errors import AllCandidatesFailed
from capability_router.execution.run import Run
from llamaindex_router.errors import widen


def objects(run: Run[Any]) -> Generator[Any, None, None]:
    """The run's chunks."""
    try:
        yield from iter(run)
    except AllCandidatesFailed as error:
        widen(error)
        raise


async def aobjects(run: Run[Any]) -> AsyncGenerator[Any, None]:
    """The same, asynchronously."""
    chunks = aiter(run)
    step = first_step(chunks)
    try:
        while (chunk := await step) is not END:
            yield chunk
            step = anext(chunks, END)
    except AllCandidatesFailed as error:
        widen(error)
        raise
    finally:
        await chunks.aclose()
