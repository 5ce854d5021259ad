"""A LangChain chat model as the core's Endpoint: one attempt = one ordinary call of the chosen model.

The model's own public method is called, as a child of the router's run, so that its cache, rate
limiter, callbacks, tracing names and streaming behave as if nobody stood before it.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import aclosing, closing
from contextvars import Context
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import ModelError
from langchain_core.globals import get_llm_cache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import LLMResult
from langchain_core.prompt_values import ChatPromptValue
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import set_config_context
from langchain_core.runnables.utils import coro_with_context

from capability_router.execution.effects import Launch
from capability_router.faults.kinds import Fault
from capability_router.request import Outcome, Reply
from langchain_router.bindings import Structured
from langchain_router.children import Fleet
from langchain_router.fault_notes import FaultNotes, tracers_of
from langchain_router.faults import fault_of
from langchain_router.handover import handed_over
from langchain_router.limits import LIMITS
from langchain_router.replies import EventReader, Reader, finish_of
from langchain_router.tracing import ChainRun, attempt_config
from langchain_router.translate import Call

_TIMED = ("BaseChatOpenAI", "ChatAnthropic", "ChatGroq")
"""Classes, by name, that take `timeout` in seconds as a call keyword; in sync nothing else can stop a read."""


_ALWAYS_STREAMED = "ChatOllama"
"""A class whose `invoke` reads a stream, and takes one that was cut off for a whole answer."""


class CutShort(ConnectionError):
    """A model's stream ended without a terminal reason, before anybody had seen any of it."""


class Unparsed:
    """Stands for the answer of a structured call that could not be parsed; `error` is what the parser raised."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class ModelEndpoint:
    """Makes the attempts of one routed call."""

    __slots__ = ("_call", "_config", "_fleet", "_notes", "_run", "_shown", "_tracers")

    def __init__(
        self, fleet: Fleet, call: Call, run: ChainRun, config: RunnableConfig, *, on_partial: str = "fallback"
    ) -> None:
        self._fleet, self._call, self._run, self._config = fleet, call, run, config
        self._tracers, self._notes = tracers_of(run.handlers), dict[int, FaultNotes]()
        self._shown = Shown() if on_partial == "raise" and call.mode == "invoke" else None

    def start(self, launch: Launch) -> ModelAttempt:
        """An attempt on the launch's candidate."""
        self._judged(launch.attempt - 1, launch.after)
        config = attempt_config(self._run, self._config, launch)
        if self._shown is not None:
            config["callbacks"].add_handler(self._shown, inherit=True)  # type: ignore[union-attr]  # a child manager
        kind = StructuredAttempt if isinstance(self._call.bound, Structured) else ModelAttempt
        attempt = kind(self._fleet[launch.candidate.id], self._call, config, launch)
        if self._tracers:
            self._notes[launch.attempt] = notes = FaultNotes(self._tracers, lambda error: self._kind(attempt, error))
            notes.watch(config["callbacks"])  # type: ignore[arg-type]  # a child manager
        return attempt

    def note_faults(self, outcome: Outcome) -> None:
        """The request is over, and so is its last attempt."""
        for record in outcome.attempts[-1:]:
            self._judged(record.index, record.fault or "")

    def _judged(self, attempt: int, fault: str) -> None:
        if attempt in self._notes:
            self._notes[attempt].judged(fault)

    def _kind(self, attempt: ModelAttempt, error: BaseException) -> str | None:
        if not isinstance(error, Exception):
            return None
        if attempt.by_parser(error):
            return "unparsable"
        fault = self.fault(error)
        return fault.kind if fault is not None else None

    def fault(self, error: BaseException) -> Fault | None:
        """What the error means; None = it is no provider's and passes to the caller."""
        if self._shown is not None and self._shown.tokens:
            return None  # on_partial="raise": its text has been shown, so no other model may answer
        return Fault("truncated", str(error)) if isinstance(error, CutShort) else fault_of(error)


class ModelAttempt:
    """One call of one model. Its chunks are the model's own: a message, message chunks or v3 events."""

    __slots__ = ("_call", "_config", "_launch", "_model", "_prompt", "_reader")

    def __init__(self, model: BaseChatModel, call: Call, config: RunnableConfig, launch: Launch) -> None:
        self._model, self._call, self._config, self._launch = model, call, config, launch
        self._reader: Reader | EventReader = EventReader() if call.mode == "events" else Reader()
        self._prompt = call.prompt
        messages, dropped = handed_over(call.messages, launch.candidate.provider)
        if dropped:
            self._prompt = ChatPromptValue(messages=messages)
            config["metadata"]["router_left_out"] = f"{dropped} blocks that only their own provider understands"

    def chunks(self) -> Iterator[Any]:
        """Make the call in this thread."""
        runnable, kwargs = self._bound(), self._keywords()
        with set_config_context(self._config) as context:
            context.run(LIMITS.set, self._launch.timeouts)
            if self._call.mode == "invoke":
                yield self._whole(context.run(runnable.invoke, self._prompt, self._config, **kwargs))
                return
            pieces = context.run(self._pieces, runnable, kwargs)
            with closing(pieces):
                yield from _steps(pieces, context)
            self._check_end()

    async def achunks(self) -> AsyncGenerator[Any, None]:
        """Make the call in this task."""
        runnable, kwargs = self._bound(), self._call.kwargs
        with set_config_context(self._config) as context:
            if self._call.mode == "invoke":
                call = runnable.ainvoke(self._prompt, self._config, **kwargs)
                yield self._whole(await coro_with_context(call, context, create_task=True))
                return
            pieces = self._apieces(runnable, kwargs)
            async with aclosing(pieces):
                while True:
                    step = coro_with_context(anext(pieces, _END), context, create_task=True)
                    if (piece := await step) is _END:
                        self._check_end()
                        return
                    yield piece

    def commits(self, chunk: Any) -> bool:
        """Whether it carries content; usage and terminal reason are read on the way."""
        return self._reader.see(chunk)

    def reply(self) -> Reply:
        """What has been seen so far."""
        return self._reader.reply()

    def by_parser(self, error: Exception) -> bool:
        """Whether a parser raised it, after the model's run had ended well."""
        return False

    def _whole(self, answer: Any) -> Any:
        """The answer, unless its model gathered it from a stream that did not come to its end."""
        if isinstance(answer, AIMessage) and finish_of(answer.response_metadata) is None and self._gathers():
            raise CutShort("the model's stream ended without a terminal reason")
        return answer

    def _gathers(self) -> bool:
        return any(kind.__name__ == _ALWAYS_STREAMED for kind in type(self._model).__mro__)

    def _check_end(self) -> None:
        """A stream of nothing, not even a terminal reason, was cut off; core itself raises for one without chunks."""
        reply = self._reader.reply()
        if reply.empty and reply.finish is None and not self._reader.carried:
            raise CutShort("the stream ended before any content and without a terminal reason")

    def _bound(self) -> Runnable[Any, Any]:
        return self._model if self._call.bound is None else self._call.bound.on(self._model)

    def _keywords(self) -> Mapping[str, Any]:
        """The call's keywords, and the time left where the model takes it. In async the core keeps the time."""
        left, kwargs = self._launch.timeouts.total, self._call.kwargs
        if left is None or self._model.cache or get_llm_cache() is not None:  # a keyword is part of the cache's key
            return kwargs
        timed = any(kind.__name__ in _TIMED for kind in type(self._model).__mro__)
        return {"timeout": left, **kwargs} if timed else kwargs

    def _pieces(self, runnable: Runnable[Any, Any], kwargs: Mapping[str, Any]) -> Generator[Any, None, None]:
        if self._call.mode == "stream":
            yield from runnable.stream(self._prompt, self._config, **kwargs)
            return
        with warnings.catch_warnings(action="ignore"):  # the caller has had the beta warning from the router
            stream: Any = runnable.stream_events(self._prompt, self._config, version="v3", **kwargs)
        yield from stream

    async def _apieces(self, runnable: Runnable[Any, Any], kwargs: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        if self._call.mode == "stream":
            source: Any = runnable.astream(self._prompt, self._config, **kwargs)
            async with aclosing(source):
                async for piece in source:
                    yield piece
            return
        with warnings.catch_warnings(action="ignore"):
            waited: Any = runnable.astream_events(self._prompt, self._config, version="v3", **kwargs)
            stream = await waited
        async with stream:
            async for event in stream:
                yield event


class StructuredAttempt(ModelAttempt):
    """A call of a model bound to a schema: its chunks are parsed values. The messages are overheard."""

    __slots__ = ("_heard", "_parse_error", "_parsed")

    def __init__(self, model: BaseChatModel, call: Call, config: RunnableConfig, launch: Launch) -> None:
        super().__init__(model, call, config, launch)
        self._heard = Overheard()
        config["callbacks"].add_handler(self._heard, inherit=True)  # type: ignore[union-attr]  # a child manager
        self._parse_error = ""
        self._parsed = False

    def chunks(self) -> Iterator[Any]:
        """As any attempt's; a parser's exception becomes a last chunk that stands for it."""
        try:
            yield from super().chunks()
        except Exception as error:
            if not self.by_parser(error):
                raise
            yield Unparsed(error)

    async def achunks(self) -> AsyncGenerator[Any, None]:
        """The same, asynchronously."""
        try:
            async with aclosing(super().achunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
        except Exception as error:
            if not self.by_parser(error):
                raise
            yield Unparsed(error)

    def _check_end(self) -> None:
        """The parser judges it."""

    def by_parser(self, error: Exception) -> bool:
        """The model's run has ended well and something raised after it."""
        return bool(self._heard.messages) and not isinstance(error, ModelError)

    def commits(self, chunk: Any) -> bool:
        """Whether something was parsed: until then another model may still answer."""
        if isinstance(chunk, Unparsed):
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
        """From the messages that the model's own run ended with."""
        reader = Reader()
        for message in self._heard.messages:
            reader.see(message)
        error = self._parse_error or ("" if self._parsed else "no structured answer")
        return reader.reply(error if self._heard.messages else "")


class Overheard(BaseCallbackHandler):
    """Keeps the messages with which the model's runs end, for their usage and terminal reason."""

    run_inline = True

    def __init__(self) -> None:
        self.messages: list[AIMessage] = []

    def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        """A model's run has ended well."""
        for generations in response.generations:
            message = getattr(generations[0], "message", None) if generations else None
            if isinstance(message, AIMessage):
                self.messages.append(message)


class Shown(BaseCallbackHandler):
    """Whether tokens of a call that is no stream have reached somebody through callbacks."""

    run_inline = True

    def __init__(self) -> None:
        self.tokens = 0

    def on_llm_new_token(self, token: Any, **_: Any) -> None:
        """A token has been shown."""
        self.tokens += 1


_END: Any = object()


def _steps(pieces: Iterator[Any], context: Context) -> Iterator[Any]:
    """Each step of an iterator, taken inside the attempt's context."""
    while (piece := context.run(next, pieces, _END)) is not _END:
        yield piece
