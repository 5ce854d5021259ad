"""One call of one LlamaIndex LLM: an ordinary call of its own public method, read chunk by chunk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from llama_index.core.llms.llm import LLM

from capability_router.concurrency.async_generators import END
from capability_router.concurrency.longest_wait import at_most
from capability_router.execution.effects import GRACE_S, Launch
from capability_router.execution.events import NEVER_ASKED
from capability_router.money.bill import billed
from capability_router.request import Finish, Reply
from capability_router.sdks.call_timeout import call_timeout
from capability_router.sdks.closed_loops import LoopTracker
from capability_router.sdks.stale_connections import retried_past_stale
from capability_router.sdks.streams import close_streams, sdk_streams
from llamaindex_router.attempts.context import AttemptContext
from llamaindex_router.attempts.continuation import ContinuationTrimmer
from llamaindex_router.attempts.dropped_ends import StreamEndProbe
from llamaindex_router.attempts.faults import is_schema_mismatch
from llamaindex_router.attempts.in_threads import in_threads
from llamaindex_router.attempts.stream_usage import is_usage_chunk
from llamaindex_router.attempts.transcript import ObjectTranscript, Transcript
from llamaindex_router.call import LLMCall, fresh, with_extras
from llamaindex_router.endpoint import EndpointLLM
from llamaindex_router.errors import AnswerWithheld
from llamaindex_router.fleet.description import gives_reason, home_of, keeps_end
from llamaindex_router.messages.plain_chunk import is_plain_chunk
from llamaindex_router.messages.refusals import refusal_in
from llamaindex_router.messages.toolset import offered_tool_names
from llamaindex_router.messages.usage import error_event
from llamaindex_router.side_channel import SideChannel

_BOUNDABLE = ("openai", "openai_like", "anthropic", "openrouter", "groq", "deepseek")


class LlamaAttempt:
    """One call on one LLM."""

    __slots__ = (
        "_args", "_asks", "_call", "_channel", "_kept", "_kwargs", "_launch", "_llm", "_loops", "_seam", "_seen",
        "_underway",
    )  # fmt: skip

    def __init__(
        self, llm: LLM, call: LLMCall[Any], args: list[Any], kwargs: dict[str, Any], launch: Launch, loops: LoopTracker,
        seam: ContinuationTrimmer | None = None, *, asks: bool = False,
    ) -> None:  # fmt: skip
        self._llm, self._call, self._args, self._kwargs, self._launch = llm, call, args, kwargs, launch
        self._channel, self._loops, self._seam = SideChannel(launch.timeouts, elsewhere=launch.elsewhere), loops, seam
        self._asks = asks
        self._kept = StreamEndProbe() if call.stream and keeps_end(llm) else None
        self._seen: Transcript | ObjectTranscript = (
            ObjectTranscript(call.args[0])
            if call.structured
            else Transcript(offered_tool_names(llm, call.tools, call.kwargs))
        )
        sink = self._seen.tapped if isinstance(self._seen, ObjectTranscript) else None
        self._underway = AttemptContext(launch, self._channel, sink)

    @property
    def keeps_time(self) -> bool:
        """Whether the LLM itself enforces all timeouts of a blocking call. A `timeout` for each read is not enough."""
        return isinstance(self._llm, EndpointLLM)

    def chunks(self) -> Generator[Any, None, None]:
        """Make the call; a call without a stream is a stream of one."""
        self._bound(self._limit)
        answer = self._stepped(self._method(is_async=False))
        if not self._call.stream:
            self._check_failed(answer)
            self._complete()
            yield answer
            return
        steps = iter(answer)
        try:
            while (chunk := self._stepped(partial(next, steps, END))) is not END:
                self._watch(answer)
                if not self._for_us(chunk):
                    yield self._joined(chunk)
            self._over()
        finally:
            _close(answer)

    async def achunks(self) -> AsyncGenerator[Any, None]:
        """The same, asynchronously."""
        self._llm = in_threads(self._llm)
        self._bound(None)
        self._loops.enter()
        if not self._call.stream:
            method = self._method(is_async=True)
            answer = await self._astepped(lambda: retried_past_stale(method))
            self._check_failed(answer)
            self._complete()
            yield answer
            return
        answer, chunk = await retried_past_stale(self._opened)
        try:
            while chunk is not END:
                self._watch(answer)
                if not self._for_us(chunk):
                    yield self._joined(chunk)
                chunk = await self._astepped(partial(anext, answer, END))
            self._over()
        finally:
            await _aclose(answer)

    def _watch(self, answer: Any) -> None:
        if self._kept is not None:
            self._kept.watch(answer)

    def _over(self) -> None:
        """After the last chunk. Raises AnswerWithheld."""
        self._complete()
        if self._kept is not None:
            self._kept.note(self._channel)
        self._check_withheld()

    def _complete(self) -> None:
        if isinstance(self._seen, Transcript):  # an object is judged by its JSON
            self._seen.complete = True

    def _check_withheld(self, error: Exception | None = None) -> None:
        """Raise AnswerWithheld if a model refused or was filtered before there was an object.

        `error`: a parser's error, which such an answer causes.
        """
        end = self._seen.withheld if isinstance(self._seen, ObjectTranscript) else None
        if end is not None and (error is None or is_schema_mismatch(error)):
            raise AnswerWithheld(filtered=end is Finish.CONTENT_FILTER) from error

    def _check_failed(self, answer: Any) -> None:
        """Raise ErrorEvent for a unary reply of OpenAI's Responses API that contains an error; its tokens are read.

        Raises Refused for a refusal that was handed on as an answer.
        """
        raw = getattr(answer, "raw", None)
        if (refused := refusal_in(raw)) is not None:
            raise refused
        error = error_event(raw)
        if error is not None and error.code:
            self._seen.take(answer)
            raise error

    def _joined(self, chunk: Any) -> Any:
        return chunk if self._seam is None else self._seam.joined(chunk)

    def _for_us(self, chunk: Any) -> bool:
        """Whether the chunk has only the token counts that the router requested; they are read, and it is not yielded.

        Raises ErrorEvent for a chunk that contains an error, and Refused for one that is a refusal.
        """
        raw = getattr(chunk, "raw", None)
        if is_plain_chunk(raw):
            return False
        if (refused := refusal_in(raw)) is not None:
            raise refused
        error = error_event(raw)
        if error is not None:
            raise error
        alone = self._asks and is_usage_chunk(chunk)
        if alone:
            self._seen.take(chunk)
        return alone

    def abort(self) -> None:
        """Send nothing from now on. The driver closes the chunks, which closes the stream."""
        if self._channel.exchange is not None:
            self._channel.exchange.abort()

    async def _opened(self) -> tuple[Any, Any]:
        """A stream and its first chunk. Some integrations send the request only when the first chunk is read."""
        async with AsyncExitStack() as broken:
            answer = await self._astepped(self._method(is_async=True))
            broken.push_async_callback(_aclose, answer)
            opened = answer, await self._astepped(partial(anext, answer, END))
            broken.pop_all()
            return opened

    def commits(self, chunk: Any) -> bool:
        """Whether the chunk carries anything that a caller sees."""
        return self._seen.take(chunk)

    def reply(self) -> Reply:
        """The reply as received so far."""
        exchange = self._channel.exchange
        if self.keeps_time and exchange is not None and not exchange.sent:  # not one that another model asks beside
            return NEVER_ASKED
        if self._channel.overheard:
            self._seen.ended(self._channel.end)
        reply, headers = self._muted(self._seen.reply()), self._channel.headers
        reply = reply if self._kept is None else replace(reply, mute=self._kept.unseen)
        if not headers:
            return reply
        bill = billed({}, headers, stream=self._call.stream)
        return replace(reply, headers=headers, cost_usd=reply.cost_usd if bill is None else bill)

    def _muted(self, reply: Reply) -> Reply:
        """The reply, marked `mute` if an unknown integration may have dropped the finish reason of a unary reply."""
        if self._call.stream or reply.finish is not None:
            return reply
        return reply if gives_reason(self._llm) else replace(reply, mute=True)

    def _method(self, *, is_async: bool) -> Callable[[], Any]:
        method = getattr(self._llm, self._call.name(is_async=is_async))
        if not is_async:  # called once, so the history is not copied; keywords may be shared with other calls
            return partial(method, *self._args, **fresh(self._kwargs))
        return lambda: method(*fresh(self._args), **fresh(self._kwargs))  # it may be called again

    def _stepped(self, step: Callable[[], Any]) -> Any:
        try:
            with self._underway:
                return step()
        except Exception as error:
            self._check_withheld(error)
            raise

    async def _astepped(self, step: Callable[[], Awaitable[Any]]) -> Any:
        try:
            with self._underway:
                return await step()
        except Exception as error:
            self._check_withheld(error)
            raise

    def _bound(self, limit: float | None) -> None:
        """Set the SDK's timeout, if the LLM takes one per call. It ends the thread of an abandoned blocking call.

        `limit`: seconds, None = whoever waits for the call ends it.
        """
        connect = self._launch.timeouts.connect
        if (limit is not None or connect is not None) and home_of(self._llm) in _BOUNDABLE:
            most = None if limit is None else at_most(limit + GRACE_S)
            told = {"timeout": call_timeout(self._llm, most, connect)}
            self._kwargs = with_extras(self._call, self._kwargs, told)

    @property
    def _limit(self) -> float | None:
        clocks = self._launch.timeouts
        return (clocks.first_token or clocks.total) if self._call.stream else clocks.total


def _close(stream: Any) -> None:
    below = sdk_streams(stream)
    if callable(getattr(stream, "close", None)):
        stream.close()
    for read in below:
        read.close()


async def _aclose(stream: Any) -> None:
    below = sdk_streams(stream)
    if callable(getattr(stream, "aclose", None)):
        await stream.aclose()
    await close_streams(below)
