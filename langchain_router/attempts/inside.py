"""A coroutine run inside a context of its own, in the task that awaits it.

langchain-core makes a task for it. That costs a turn of the event loop for each call and for each chunk of a stream,
and what a package opens in one chunk's task and closes in another's (a cancel scope of anyio's) complains.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextvars import Context
from functools import partial
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


@coroutine
def inside(context: Context, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await `work`, each of its steps inside `context`; a cancellation reaches it where it waits."""
    step = partial(work.send, None)
    while True:
        try:
            awaited = context.run(step)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what a coroutine's StopIteration carries
        try:
            step = partial(work.send, (yield awaited))
        except BaseException as error:  # noqa: BLE001 - thrown into the work, which raises it again or not
            step = partial(work.throw, error)
