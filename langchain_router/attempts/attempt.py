"""One call of one LangChain model: an ordinary call of its own public method, as a child of the router's run.

So its cache, rate limiter, callbacks, tracing names and streaming behave as without a router.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncGenerator, Awaitable, Generator, Iterator, Mapping, Sequence
from contextvars import Context
from functools import partial
from itertools import filterfalse
from typing import Any

from langchain_core.globals import get_llm_cache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.prompt_values import ChatPromptValue, PromptValue
from langchain_core.runnables import Runnable, RunnableConfig

from capability_router.concurrency.async_generators import END, first_step
from capability_router.concurrency.longest_wait import at_most
from capability_router.endpoints.chain_usage import under
from capability_router.execution.effects import GRACE_S, Launch, Timeouts
from capability_router.execution.endpoint import aclosable, closable
from capability_router.execution.events import NEVER_ASKED
from capability_router.execution.outer_limits import set_outer_limits
from capability_router.frozen_value import altered
from capability_router.request import Reply
from capability_router.sdks.call_timeout import call_timeout
from capability_router.sdks.closed_loops import LoopTracker
from capability_router.sdks.stale_connections import retried_past_stale, stale
from capability_router.sdks.streams import aclosing_all, closing_all, sdk_chunk
from langchain_router.attempts.continuation_joiner import ContinuationJoiner
from langchain_router.attempts.fast_path import takes_fast_path, unbound
from langchain_router.attempts.in_threads import in_threads
from langchain_router.attempts.listeners import StreamProgressHandler, UsageHandler
from langchain_router.attempts.own_context import inside
from langchain_router.attempts.skipped_errors import SkippedErrors, check, check_candidate
from langchain_router.attempts.stop_handler import StopHandler
from langchain_router.attempts.with_handlers import CallWithHandlers
from langchain_router.attempts.without_handlers import aask, ask, has_no_handlers
from langchain_router.call import ChatCall
from langchain_router.fleet.copies import own_tools, with_keywords
from langchain_router.generations import keep
from langchain_router.messages.handover import continued, converted_history
from langchain_router.messages.provider_tools import portable
from langchain_router.messages.raw_calls import RawCall, reread, unrepaired, without_piece_ids
from langchain_router.messages.replies import EventReader, ReplyReader, finish_of
from langchain_router.partners.dialects import dialect_of, gives_reason
from langchain_router.refusals import RefusalRestorer, with_refusal
from langchain_router.runs import detach_runs_handler
from langchain_router.timeouts import EXCHANGES, TIMEOUTS
from langchain_router.tracing import attempt_context

VOIDED = "router_voided"
"""The custom event for a message whose tokens were shown before another model answers in its place."""


class CutShort(ConnectionError):
    """A model's stream ended without a terminal reason, before its caller had seen any of it."""


class MalformedToolCall(ValueError):
    """A model's stream ended with a tool call whose arguments are no JSON, and langchain-core repaired them."""


class ModelAttempt:
    """One call of one model. Its chunks are the model's own: a message, message chunks or v3 events."""

    __slots__ = (
        "__weakref__", "_call", "_config", "_copied", "_counted", "_dialect", "_exchanges", "_given_prompt", "_kwargs",
        "_launch", "_loops", "_messages", "_model", "_passed_over", "_reader", "_seam", "_shown", "_void", "heirs",
        "stop_handler", "unheard",
    )  # fmt: skip

    def __init__(
        self, model: BaseChatModel, call: ChatCall, config: RunnableConfig, launch: Launch, loops: LoopTracker
    ) -> None:
        self._model, self._kwargs = with_keywords(model, call.kwargs)
        self._dialect = dialect_of(model)
        self._call, self._config, self._launch, self._loops = call, config, launch, loops
        self._reader = self._read(model)
        self._exchanges: list[Any] = []
        self._passed_over = SkippedErrors() if self._dialect.skips_error_events else None
        self._counted: UsageHandler | None = None
        self._copied = self._model is not model
        self.stop_handler: StopHandler | None = None
        self.unheard = False  # whether the router's run has no callback handlers
        self.heirs = False  # whether all handlers of the router's run are also handlers of its attempts
        self._seam = ContinuationJoiner(launch.prefix) if launch.prefix else None
        self._shown: StreamProgressHandler | None = None
        self._void: StreamProgressHandler | None = None
        self._messages, self._given_prompt = call.messages, call.prompt
        if call.mode == "events":
            self._counted = UsageHandler(self._dialect.counting)
            config["callbacks"].add_handler(self._counted, inherit=True)  # type: ignore[union-attr]  # a child manager
            self._keep_refusals()
        self._hand_over(launch.candidate.provider)

    def _read(self, model: BaseChatModel) -> ReplyReader | EventReader:
        call = self._call
        tools = call.offered if call.tools and not own_tools(model) else None
        return EventReader(tools) if call.mode == "events" else ReplyReader(self._dialect.counting, tools=tools)

    def _hand_over(self, provider: str) -> None:
        """Remove message parts and tools that only other providers understand, and note it on the attempt's run."""
        call, left_out = self._call, []
        messages, dropped = converted_history(call.messages, provider, self._model)
        if dropped:
            self._messages, self._given_prompt = messages, None
            left_out.append(f"{dropped} blocks that only their own provider understands")
        prefix = self._launch.prefix
        if prefix:
            self._messages, self._given_prompt = [*messages, continued(prefix, provider)], None
        if tools := self._without(provider):
            left_out.append(f"tools that its provider does not have: {', '.join(tools)}")
        if left_out:
            self._config["metadata"]["router_left_out"] = "; ".join(left_out)

    def _without(self, provider: str) -> tuple[str, ...]:
        """The names of the tools that this provider does not have; they are removed from the keywords."""
        call, given = self._call, self._call.tools
        if not given:
            return ()
        kept, options, tools = portable(given, self._kwargs, provider)
        if tools and call.bound is None:
            self._kwargs = {**options, "tools": kept} if kept else {k: v for k, v in options.items() if k != "tools"}
        return tools

    def watch(self, shown: StreamProgressHandler, before: StreamProgressHandler) -> None:
        """`shown`: records what callbacks show of this answer. `before`: what they showed of the previous one."""
        self._shown = self._counted = shown
        self._void = before if before.tokens else None
        self._keep_refusals()

    def _keep_refusals(self) -> None:
        if self._dialect.drops_refusals:
            self._config["callbacks"].add_handler(RefusalRestorer(), inherit=True)  # type: ignore[union-attr]  # a child manager

    @property
    def keeps_time(self) -> bool:
        """Whether the model itself enforces all timeouts of a blocking call; a `timeout` per read is not enough."""
        return self._dialect.keeps_time

    def chunks(self) -> Iterator[Any]:
        """Make the call in this thread."""
        if self._void is not None:
            manager: Any = self._config["callbacks"]
            manager.on_custom_event(VOIDED, self._voided(self._void), run_id=manager.parent_run_id)
        runnable, kwargs = self._bound(), self._timed(self._launch.timeouts.total)
        with attempt_context(self._config) as context:
            context.run(self._settle_in)
            if self._call.mode == "invoke":
                yield self._whole(context.run(self._asked, runnable, kwargs))
                return
            pieces = context.run(self._pieces, runnable, kwargs)
            with closing_all(pieces):
                for piece in self._once(_steps(pieces, context)):
                    yield self._given(piece, pieces)
                self._over()

    async def achunks(self) -> AsyncGenerator[Any, None]:
        """Make the call in this task."""
        if self._void is not None:
            manager: Any = self._config["callbacks"]
            await manager.on_custom_event(VOIDED, self._voided(self._void), run_id=manager.parent_run_id)
        threaded = in_threads(self._model)
        self._model, self._copied = threaded, self._copied or threaded is not self._model
        runnable, kwargs = self._bound(), self._timed(None)  # the driver keeps the others
        self._loops.enter()
        if self._dialect.fields_only:  # a dropped copy may be about to close the client that it shared
            await asyncio.sleep(0)
        with attempt_context(self._config) as context:
            context.run(detach_runs_handler)
            context.run(self._bound_inside)
            context.run(TIMEOUTS.set, Timeouts(connect=self._launch.timeouts.connect))
            if self._call.mode == "invoke":
                ask = partial(self._aasked, runnable, kwargs, context)
                told: Any = END
                try:  # without `retried_past_stale`, which few need: every nested coroutine costs time at each wait
                    told = await ask()
                except Exception as error:
                    if not stale(error):
                        raise
                yield self._whole(told if told is not END else await retried_past_stale(ask))
                return
            pieces, piece = await retried_past_stale(lambda: self._opened(runnable, kwargs, context))
            async with aclosing_all(pieces):
                while piece is not END:
                    yield self._given(piece, pieces)
                    piece = await inside(context, anext(pieces, END))
                self._over()

    def _settle_in(self) -> None:
        """Set the context variables of a call in a thread."""
        TIMEOUTS.set(self._launch.timeouts)
        detach_runs_handler()
        self._bound_inside()

    def _bound_inside(self) -> None:
        """Set the limits for nested routers. Not undone, because the context belongs to this attempt."""
        set_outer_limits(self._launch.timeouts, elsewhere=self._launch.elsewhere)
        if self._dialect.keeps_time:
            EXCHANGES.set(self._exchanges)

    async def _opened(self, runnable: Runnable[Any, Any], kwargs: Mapping[str, Any], context: Context) -> Any:
        """A stream and its first piece. Nothing is sent before the first piece is requested."""
        pieces = context.run(self._apieces, runnable, kwargs)
        try:
            return pieces, await inside(context, first_step(pieces))
        except BaseException:  # also for a cancellation: close what was opened, then raise
            async with aclosing_all(pieces):
                raise

    def _given(self, piece: Any, pieces: Any) -> Any:
        """What to yield of a piece from `pieces`."""
        drops = self._dialect.drops_refusals
        if self._passed_over is not None:
            self._passed_over.watch(pieces)
        if drops and self._call.mode == "stream" and isinstance(piece, AIMessageChunk) and piece.usage_metadata:
            self._note_tier(piece, pieces)
        if self._dialect.invents_ids and isinstance(piece, AIMessageChunk):
            piece = without_piece_ids(piece)
        if self._seam is not None:
            return self._seam.joined(piece)
        if drops and not self._reader.carried:
            return with_refusal(piece, pieces)
        return piece

    def _over(self) -> None:
        """After the last piece. Raises ErrorEvent if the package passed over one."""
        if isinstance(self._reader, ReplyReader):  # an event says of a call that it is whole
            self._reader.ended = True
        if self._passed_over is not None:
            self._passed_over.check()

    def _once(self, steps: Iterator[Any]) -> Iterator[Any]:
        """The steps without pieces of tool calls that the last chunk repeats complete under another id."""
        return filterfalse(_is_piece_of_a_call, steps) if self._dialect.repeats_tool_calls else steps

    def _note_tier(self, piece: AIMessageChunk, pieces: Any) -> None:
        """Read the service tier of the chunk with the counts, of which ChatOpenAI passes on only two tiers."""
        if not piece.content:
            told = sdk_chunk(pieces, "service_tier")
            if told is not None and isinstance(self._reader, ReplyReader):
                self._reader.served(told["service_tier"])

    def abort(self) -> None:
        """Stop its callbacks, and send nothing from now on. An attempt in a thread runs on until its next token."""
        if self.stop_handler is not None:
            self.stop_handler.close()
        for exchange in self._exchanges:
            exchange.abort()

    def commits(self, chunk: Any) -> bool:
        """Whether the chunk carries content; usage and terminal reason are read too."""
        return self._reader.see(chunk)

    def reply(self) -> Reply:
        """The reply as received so far. A stream without content is hollow; core raises for one without chunks."""
        if self._unsent:
            return NEVER_ASKED
        reply = self._reader.reply()
        if (
            self._counted is not None
            and reply.usage is not None
            and (told := self._counted.corrected_usage()) is not None
        ):
            reply = altered(reply, usage=under(told, reply.usage.service_tier))
        nothing = self._call.mode != "invoke" and reply.empty and reply.finish is None and not self._reader.carried
        return altered(reply, hollow=True) if nothing else self._muted(reply)

    @property
    def _unsent(self) -> bool:
        """Whether the built-in client has begun the call, but sent nothing yet."""
        return bool(self._exchanges) and not any(exchange.sent for exchange in self._exchanges)

    def _muted(self, reply: Reply) -> Reply:
        """The reply, marked `mute` for packages (langchain-perplexity) that give no reason for a unary reply."""
        silent = self._call.mode == "invoke" and reply.finish is None and (self._dialect.mute or not self._gives_reason)
        return altered(reply, mute=True) if silent else reply

    def _voided(self, void: StreamProgressHandler) -> dict[str, Any]:
        """The event's data for code that shows tokens as they come: the void message, and the model that answers."""
        launch = self._launch
        return {
            "message_id": void.message_id, "tokens": void.tokens, "after": launch.after,
            "attempt": launch.attempt, "candidate": launch.candidate.id,
        }  # fmt: skip

    def by_parser(self, error: Exception) -> bool:
        """Whether a parser raised the error, after the model's run had succeeded."""
        return False

    def _whole(self, answer: Any) -> Any:
        """The answer. Raises if the model gathered it from a stream that broke off."""
        if type(answer) is ChatResult or isinstance(answer, ChatResult):  # from a call without callback handlers
            keep(answer)
            answer = answer.generations[0].message
        if not isinstance(answer, AIMessage):
            return answer
        if self._dialect.skips_error_events and not answer.content and not answer.tool_calls:
            check(answer.response_metadata)
        self._check_gathered((answer,))
        if self._dialect.hides_errors:
            check_candidate(answer)
        broken = self._broken()
        answer = unrepaired(answer, broken) if broken else answer
        return reread(answer) if answer.invalid_tool_calls else answer

    def _broken(self) -> list[RawCall]:
        """The broken tool calls in the stream from which the model gathered its answer."""
        return self._shown.calls.broken() if self._shown is not None and self._shown.streamed else []

    def _check_gathered(self, messages: Sequence[AIMessage]) -> None:
        if self._gathers() and any(finish_of(message.response_metadata) is None for message in messages):
            raise CutShort("the model's stream ended without a terminal reason")

    @property
    def _gives_reason(self) -> bool:
        return gives_reason(self._model)

    def _gathers(self) -> bool:
        streamed = self._shown is not None and self._shown.streamed
        return self._dialect.invoke_streams or (streamed and self._gives_reason)

    def _bound(self) -> Runnable[Any, Any]:
        bound = self._call.bound
        if bound is None:
            return self._model
        replay = bound.replay if self._copied else bound.on  # a copy is for this call only: not cached
        return replay(self._model, self._launch.candidate.provider)

    @property
    def _prompt(self) -> PromptValue:
        """The prompt as given, or made from the messages if a method of the model needs one."""
        return self._given_prompt or ChatPromptValue.model_construct(messages=self._messages)

    def _asked(self, runnable: Any, kwargs: Mapping[str, Any]) -> Any:
        model, given = self._straight(runnable, kwargs)
        if model is None:
            return runnable.invoke(self._prompt, self._spoken, **kwargs)
        messages = self._plain_messages()
        if self.unheard and has_no_handlers(model, self._config, messages):
            return ask(model, self._config, messages, given)
        return self._aloud(model, messages, given).ask()

    def _aasked(self, runnable: Any, kwargs: Mapping[str, Any], context: Context) -> Awaitable[Any]:
        """The call, to be awaited once. Not a coroutine itself, for the same reason as above (`retried_past_stale`)."""
        model, given = self._straight(runnable, kwargs)
        if model is None:
            return inside(context, self._ainvoked(runnable, kwargs))
        messages = self._plain_messages()
        if self.unheard and has_no_handlers(model, self._config, messages):
            return inside(context, aask(model, self._config, messages, given))
        return inside(context, self._aloud(model, messages, given).aask())

    async def _ainvoked(self, runnable: Any, kwargs: Mapping[str, Any]) -> Any:
        return await runnable.ainvoke(self._prompt, self._spoken, **kwargs)

    def _straight(self, runnable: Any, kwargs: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
        """The model to call without core's `invoke`, and its keywords; None: call it through core."""
        model, bound = unbound(runnable)
        given = {**bound, **kwargs} if bound else kwargs
        return (model, given) if takes_fast_path(model, given) else (None, kwargs)

    def _plain_messages(self) -> list[BaseMessage]:
        return list(self._messages) if self._given_prompt is None else self._given_prompt.to_messages()

    def _aloud(self, model: BaseChatModel, messages: list[BaseMessage], kwargs: Mapping[str, Any]) -> CallWithHandlers:
        stop = kwargs.get("stop")
        beside = {name: value for name, value in kwargs.items() if name != "stop"} if kwargs else kwargs
        return CallWithHandlers(model, self._config, messages, stop, beside, self.heirs)

    @property
    def _spoken(self) -> RunnableConfig | None:
        """The config for the call; None for core's own method, which reads the same one from the context."""
        return None if self._call.bound is None and _core_invokes(type(self._model)) else self._config

    @property
    def _quietly(self) -> Mapping[str, Any]:
        """The call's keywords, and those that switch off an SDK's retries."""
        quiet = self._dialect.quiet
        return {**quiet, **self._kwargs} if quiet else self._kwargs

    def _timed(self, left: float | None) -> Mapping[str, Any]:
        """The call's keywords with, if the model takes one, a timeout that ends the thread of an abandoned call.

        `left`: seconds for the whole call, None = whoever waits for it ends it.
        """
        connect, kwargs = self._launch.timeouts.connect, self._quietly
        if (left is None and connect is None) or not self._dialect.takes_timeout:
            return kwargs
        if self._model.cache or get_llm_cache() is not None:  # a keyword would change the cache's key
            return kwargs
        limit = None if left is None else at_most(left + GRACE_S)
        return {"timeout": call_timeout(self._model, limit, connect), **kwargs}

    def _pieces(self, runnable: Runnable[Any, Any], kwargs: Mapping[str, Any]) -> Generator[Any, None, None]:
        if self._call.mode == "stream":  # not wrapped: a generator around it costs each chunk
            return closable(runnable.stream(self._prompt, self._config, **kwargs))
        with warnings.catch_warnings(action="ignore"):  # the caller has had the beta warning from the router
            stream: Any = runnable.stream_events(self._prompt, self._config, version="v3", **kwargs)
        return closable(iter(stream))

    def _apieces(self, runnable: Runnable[Any, Any], kwargs: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        if self._call.mode == "stream":
            return aclosable(runnable.astream(self._prompt, self._config, **kwargs))
        return self._aevents(runnable, kwargs)

    async def _aevents(self, runnable: Runnable[Any, Any], kwargs: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        with warnings.catch_warnings(action="ignore"):
            waited: Any = runnable.astream_events(self._prompt, self._config, version="v3", **kwargs)
            stream = await waited
        async with stream:
            async for event in stream:
                yield event


_INVOKE, _AINVOKE = BaseChatModel.invoke, BaseChatModel.ainvoke
_WRAPPED = any(hasattr(method, "__wrapped__") for method in (_INVOKE, _AINVOKE))
"""Whether another package has wrapped one of them; then each call must go through the wrapper."""


def _core_invokes(kind: Any) -> bool:
    invoke = getattr(kind, "invoke", None)
    return invoke is _INVOKE and kind.ainvoke is _AINVOKE and not _WRAPPED


def _is_piece_of_a_call(piece: Any) -> bool:
    return isinstance(piece, AIMessageChunk) and bool(piece.tool_call_chunks) and not piece.response_metadata


def _steps(pieces: Iterator[Any], context: Context) -> Iterator[Any]:
    """Each step of an iterator, taken inside the attempt's context."""
    while (piece := context.run(next, pieces, END)) is not END:
        yield piece
