"""The error for a refused or filtered answer to a structured call.

Without it a parser would report invalid JSON, or return None.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core import exceptions
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig

from capability_router.request import Finish
from langchain_router.messages.replies import finish_of

_Refusal: Any = getattr(exceptions, "ModelRefusalError", exceptions.OutputParserException)  # core 1.7.5 and later


class AnswerWithheld(_Refusal):  # type: ignore[misc]  # a class that depends on the version of langchain-core
    """There is no structured answer. `raw_message`: the message that came instead, with the refusal's text."""

    def __init__(self, reason: str, raw_message: BaseMessage) -> None:
        super().__init__(reason)
        self.raw_message = raw_message


def _reason(message: BaseMessage) -> str:
    """Why there is no structured answer; "" = the message ends no refused or filtered one."""
    if not isinstance(message, AIMessage):
        return ""
    finish = finish_of(message.response_metadata)
    if finish is Finish.CONTENT_FILTER:
        return "no structured answer: a content filter stopped the model"
    refuses = finish is Finish.REFUSAL or message.additional_kwargs.get("refusal")
    return "no structured answer: the model refused" if refuses else ""


class RefusalGuard(Runnable[Any, Any]):
    """Passes each message on, and raises AnswerWithheld at the end of a refused or filtered answer. Not in traces."""

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """The message itself."""
        if reason := _reason(input):
            raise AnswerWithheld(reason, input)
        return input

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """The message itself; there is nothing to wait for."""
        return self.invoke(input)

    def transform(self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:
        """The messages themselves, without those that hold the refusal: the parser's error would quote it."""
        last = None
        for message in input:
            if _reason(message):
                last = message
            else:
                yield message
        if last is not None:
            raise AnswerWithheld(_reason(last), last)

    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """As `transform`."""
        last = None
        async for message in input:
            if _reason(message):
                last = message
            else:
                yield message
        if last is not None:
            raise AnswerWithheld(_reason(last), last)
