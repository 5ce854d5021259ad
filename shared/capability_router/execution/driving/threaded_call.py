"""A blocking call of a model, made in a thread of the router's while its caller awaits it.

A hanging call can't be stopped. In an event loop's default executor, which has few threads and also looks up host
names, a few such calls would block the calls of all other models. Here each call gets one of the router's own threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from capability_router.concurrency.thread_pool import THREADS
from capability_router.execution.driving.effect_runner import without_router_frames
from capability_router.sdks.readers import READERS

T = TypeVar("T")


def in_own_thread(call: Callable[[], T]) -> asyncio.Future[T]:
    """The result of the call, which runs in the caller's context. If the caller is cancelled, the call runs on.

    Not a coroutine: its frame would be part of a reference cycle with an exception (effect_runner.py,
    `without_router_frames`).
    """
    given: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    THREADS.begin("router attempt", partial(_work, given, partial(copy_context().run, call)))
    return given


def _work(given: asyncio.Future[Any], call: Callable[[], Any]) -> bool:
    """Make the call in this thread; returns whether its caller is still there."""
    try:
        with READERS.at_work():
            told = partial(given.set_result, call())
    except StopIteration:  # a future can't hold a StopIteration
        told = partial(given.set_exception, RuntimeError("the model's call raised StopIteration"))
    except BaseException as error:  # noqa: BLE001 - raised again where the call is awaited
        error.__traceback__ = without_router_frames(error.__traceback__)
        told = partial(given.set_exception, error)
    _tell(given, told)
    kept = not given.cancelled()
    del given, call, told  # an exception's frames refer to this one: no reference cycle
    return kept


def _tell(given: asyncio.Future[Any], told: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop was closed meanwhile, so no task waits
        given.get_loop().call_soon_threadsafe(_told, given, told)


def _told(given: asyncio.Future[Any], told: Callable[[], None]) -> None:
    if not given.done():
        told()
