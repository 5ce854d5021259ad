"""Makes an API key that a plain function gives awaitable, as the async client of OpenAI's SDK wants it.

langchain-openai calls such a function in a thread of the event loop's executor. Before Python 3.12 a StopIteration that
the function raises (`next` on an exhausted iterator of keys) is lost on the way back: the call would wait for ever.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any


def key_from_thread(model: Any) -> Callable[[], Awaitable[str]] | None:
    """A function that gives, awaited, the key of a LangChain chat model with a plain function for it; else None.

    It raises what the plain function raises, but RuntimeError instead of StopIteration.
    """
    given = getattr(model, "openai_api_key", None)
    if not callable(given) or hasattr(given, "get_secret_value") or inspect.iscoroutinefunction(given):
        return None
    return partial(_aside, given)


async def _aside(given: Callable[[], str]) -> str:
    return await asyncio.get_running_loop().run_in_executor(None, _asked, given)


def _asked(given: Callable[[], str]) -> str:
    try:
        return given()
    except StopIteration as error:
        raise RuntimeError("the function that gives the key raised StopIteration") from error
