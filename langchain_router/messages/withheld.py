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

    def __init__(self, told: str, raw_message: BaseMessage) -> None:
        super().__init__(told)
        self.raw_message = raw_message


class _Ends:
    """Collects the terminal reason from the messages of one answer. The last message with one goes into the error."""

    def __init__(self) -> None:
        self._told = ""
        self._message: BaseMessage | None = None

    def see(self, message: BaseMessage) -> None:
        told = _told(message)
        if told:
            self._told, self._message = told, message

    def check(self) -> None:
        if self._message is not None:
            raise AnswerWithheld(self._told, self._message)


def _told(message: BaseMessage) -> str:
    if not isinstance(message, AIMessage):
        return ""
    finish = finish_of(message.response_metadata)
    if finish is Finish.CONTENT_FILTER:
        return "no structured answer: a content filter stopped the model"
    refuses = finish is Finish.REFUSAL or message.additional_kwargs.get("refusal")
    return "no structured answer: the model refused" if refuses else ""


class Checked(Runnable[Any, Any]):
    """Passes each message on, and raises AnswerWithheld at the end of a refused or filtered answer. Not in traces."""

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """The message itself."""
        ends = _Ends()
        ends.see(input)
        ends.check()
        return input

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """The message itself; there is nothing to wait for."""
        return self.invoke(input)

    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:  # fmt: skip
        """The messages themselves."""
        ends = _Ends()
        for message in input:
            ends.see(message)
            yield message
        ends.check()

    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """The messages themselves."""
        ends = _Ends()
        async for message in input:
            ends.see(message)
            yield message
        ends.check()
