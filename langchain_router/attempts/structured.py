"""An attempt bound to a schema: its chunks are parsed values, and a parser may find that there is none."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from json import JSONDecodeError
from typing import Any

from langchain_core import exceptions
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel

from capability_router.concurrency.async_generators import END, first_step
from capability_router.endpoints.usage import usage_from
from capability_router.execution.effects import Launch
from capability_router.execution.events import NEVER_ASKED
from capability_router.frozen_value import altered
from capability_router.request import Finish, Reply, Usage
from capability_router.sdks.closed_loops import LoopTracker
from langchain_router.attempts.attempt import CutShort, MalformedToolCall, ModelAttempt
from langchain_router.attempts.faults import by_handler
from langchain_router.attempts.listeners import MessageCaptureHandler
from langchain_router.call import ChatCall
from langchain_router.messages.broken_json import parser_repairs
from langchain_router.messages.replies import ReplyReader

_REFUSED: tuple[type[Exception], ...] = tuple(filter(None, (getattr(exceptions, "ModelRefusalError", None),)))
"""The class that a parser raises for a refusal, in langchain-core 1.7.5 and later."""


class ParseFailure:
    """Stands for the answer of a structured call that could not be parsed. `error`: the parser's exception."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class StructuredAttempt(ModelAttempt):
    """A call of a model bound to a schema: its chunks are parsed values. The messages come from callbacks."""

    __slots__ = ("_heard", "_parse_error", "_parsed", "_refusing", "_told")

    def __init__(
        self, model: BaseChatModel, call: ChatCall, config: RunnableConfig, launch: Launch, loops: LoopTracker
    ) -> None:
        super().__init__(model, call, config, launch, loops)
        self._heard = MessageCaptureHandler(self._dialect.counting)
        config["callbacks"].add_handler(self._heard, inherit=True)  # type: ignore[union-attr]  # a child manager
        self._parse_error = ""
        self._parsed = False
        self._told: Usage | None = None
        self._refusing: AIMessage | None = None  # a refusal for which ChatOpenAI has ended its stream

    def chunks(self) -> Iterator[Any]:
        """The chunks; a parser's exception becomes a last chunk, an ParseFailure."""
        try:
            yield from super().chunks()
        except Exception as error:  # noqa: BLE001 - what no parser raised is raised again
            yield self._stand_in(error)

    async def achunks(self) -> AsyncGenerator[Any, None]:
        """The same, asynchronously."""
        try:
            async with aclosing(super().achunks()) as chunks:
                if (chunk := await first_step(chunks)) is not END:
                    yield chunk
                    async for chunk in chunks:
                        yield chunk
        except Exception as error:  # noqa: BLE001 - what no parser raised is raised again
            yield self._stand_in(error)

    def _stand_in(self, error: Exception) -> ParseFailure:
        if not self.by_parser(error):
            self._told = _usage_of(error)
            raise error
        self._refusing = None if self._heard.messages else _refusing(error)
        self._check_gathered(self._heard.messages)  # an incomplete answer is the provider's fault, not the parser's
        return ParseFailure(error)

    def by_parser(self, error: Exception) -> bool:
        """Whether it was raised after the model's run succeeded, or during it because of the answer's content."""
        ours = not isinstance(error, exceptions.ModelError) or isinstance(error, _REFUSED)
        return (
            ours
            and (bool(self._heard.messages) or _refusing(error) is not None)
            and not isinstance(error, (CutShort, MalformedToolCall))
            and not by_handler(error)
        )

    def _whole(self, answer: Any) -> Any:
        self._check_gathered(self._heard.messages)
        if self._broken():
            raise MalformedToolCall("a tool call whose arguments are no JSON")
        return answer

    def commits(self, chunk: Any) -> bool:
        """Whether a value was parsed. Until then another model may still answer."""
        if isinstance(chunk, ParseFailure):
            self._parse_error = type(chunk.error).__name__
            return False
        value = chunk
        if self._call.include_raw and isinstance(chunk, Mapping):
            value = chunk.get("parsed")
            failed = chunk.get("parsing_error")
            self._parse_error = type(failed).__name__ if failed is not None else self._parse_error
        self._parsed = self._parsed or value is not None
        return value is not None

    def reply(self) -> Reply:
        """The reply, read from the final messages of the model's own run."""
        if self._unsent:
            return NEVER_ASKED
        reader = ReplyReader()
        reader.ended = True
        messages = [self._refusing] if self._refusing is not None else self._heard.messages
        for message in messages:
            reader.see(message)
        # A parsed value is enough: a stream's caller has it already, and then gets the parser's own error.
        error = self._mended() if self._parsed else self._parse_error or "no structured answer"
        told = reader.reply(error if messages else "")
        reply = altered(told, mismatch_streamed=False)  # the caller of a stream has objects of it, and no calls
        if not messages:
            return replace(reply, usage=self._told)
        # A refusal is useless where a structure is wanted, so it counts as an answer that doesn't fit.
        return replace(reply, finish=Finish.STOP) if error and reply.finish is Finish.REFUSAL else self._muted(reply)

    def _mended(self) -> str:
        """What is wrong with an object that a parser has made from JSON that breaks off; "" = it was complete."""
        return JSONDecodeError.__name__ if any(map(parser_repairs, self._heard.messages[-1:])) else ""


def _refusing(error: Exception) -> AIMessage | None:
    """The message of a refused or filtered answer, from the error that it caused; None = it is another error."""
    told = getattr(error, "raw_message", None) if isinstance(error, _REFUSED) else None
    return told if isinstance(told, AIMessage) else None


def _usage_of(error: Exception) -> Usage | None:
    """The tokens of an answer for which OpenAI's SDK raised LengthFinishReasonError, from that error."""
    usage = getattr(getattr(error, "completion", None), "usage", None)
    told = usage.model_dump() if isinstance(usage, BaseModel) else None
    return usage_from(told) if told else None
