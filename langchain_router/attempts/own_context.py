"""Runs a coroutine in its own context, but in the task that awaits it.

langchain-core creates a task for that. It costs a turn of the event loop for each call and for each chunk of a stream,
and fails if a package opens something in one chunk's task and closes it in another's (a cancel scope of anyio).
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextvars import Context
from types import coroutine
from typing import Any, TypeVar

from capability_router.execution.driving.effect_runner import without_router_frames

T = TypeVar("T")


@coroutine
def inside(context: Context, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await `work`, with each of its steps inside `context`; a cancellation reaches it where it waits.

    An exception that is thrown in is not kept here, and this frame is removed from its traceback: no reference cycle.
    """
    resume: Any = work.send
    sent: Any = None
    while True:
        try:
            awaited = context.run(resume, sent)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what a coroutine's StopIteration carries
        finally:
            sent = None
        try:
            sent = yield awaited
            resume = work.send
        except BaseException as error:  # noqa: BLE001 - thrown into the work, which raises it again or not
            error.__traceback__ = without_router_frames(error.__traceback__)
            resume, sent = work.throw, error
