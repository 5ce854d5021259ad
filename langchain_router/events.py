"""The v3 event stream of a routed call: one stream object, fed with the chosen model's own events.

Nothing runs before the first read. The core commits at the first event with content, so if a model fails before it,
another one answers and the consumer does not notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from langchain_core.language_models.chat_model_stream import AsyncChatModelStream, ChatModelStream

from langchain_router.bindings import BOUND, StructuredBinding
from langchain_router.routed import RoutedCall


def check_messages(kwargs: Mapping[str, Any]) -> None:
    """Said before any model is chosen, as a chain with a parser says it: parsed values have no such events."""
    if isinstance(kwargs.get(BOUND), StructuredBinding):
        raise NotImplementedError("version='v3' streams messages; stream() gives the values of with_structured_output")


def routed_stream(call: RoutedCall) -> ChatModelStream:
    """A stream that reads one event of the routed call at a time."""
    stream = ChatModelStream()
    events = call.chunks()

    def pump() -> bool:
        try:
            stream.dispatch(next(events))
        except StopIteration:
            if not stream.done:
                stream.fail(ValueError("No generation chunks were returned"))
            return False
        except BaseException as error:  # noqa: BLE001 - the stream raises it where it is read
            stream.fail(error)
            return False
        if stream.done:
            events.close()
        return True

    stream.set_start(lambda: None)
    stream.bind_pump(pump)
    return stream


async def arouted_stream(call: RoutedCall) -> AsyncChatModelStream:
    """A stream fed by its own task, which starts at the first read."""
    stream = AsyncChatModelStream()

    async def produce() -> None:
        events = call.achunks()
        try:
            async for event in events:
                stream.dispatch(event)
            if not stream.done:
                stream.fail(ValueError("No generation chunks were returned"))
        except asyncio.CancelledError as error:
            stream.fail(error)
            raise
        except BaseException as error:  # noqa: BLE001 - the stream raises it where it is awaited
            stream.fail(error)
        finally:
            await events.aclose()

    async def start() -> None:
        if stream._producer_task is None:
            stream._producer_task = asyncio.get_running_loop().create_task(produce())

    stream.set_start(start)
    return stream
