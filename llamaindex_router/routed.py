"""One call on its way through the router, in the four ways in which LlamaIndex may ask for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import Any, Generic

from llama_index.core.base.llms.types import ChatResponse

from capability_router.concurrency.async_generators import END
from capability_router.execution.run import Run
from llamaindex_router.annotation import Annotator
from llamaindex_router.attempts.continuation import PrefixRestorer
from llamaindex_router.call import LLMCall, R
from llamaindex_router.messages.handover import Origins
from llamaindex_router.objects import aobjects, objects
from llamaindex_router.tracing import RouterCall


class RoutedLLMCall(Generic[R]):
    """A planned run; exactly one of its four methods is used, once."""

    __slots__ = ("_annotator", "_call", "_carrier", "_origins", "_run")

    def __init__(self, call: LLMCall[R], run: Run[Any], annotator: Annotator, origins: Origins) -> None:
        self._call, self._run, self._annotator, self._origins = call, run, annotator, origins
        self._carrier = PrefixRestorer(run)

    @property
    def _prompt(self) -> Any:
        return self._call.args[0] if self._call.method == "complete" else list(self._call.messages)

    def call(self) -> R:
        """The answer."""
        answer: R = RouterCall(self._answer).call(self._prompt)
        return answer

    async def acall(self) -> R:
        """The answer."""
        answer: R = await RouterCall(self._aanswer).acall(self._prompt)
        return answer

    def stream(self) -> Generator[R, None, None]:
        """A generator whose first chunk is there already; errors before it have been raised."""
        opened: Generator[R, None, None] = RouterCall(self._open).stream(self._prompt)
        return opened

    async def astream(self) -> AsyncGenerator[R, None]:
        """An async generator whose first chunk is there already."""
        opened: AsyncGenerator[R, None] = await RouterCall(self._aopen).astream(self._prompt)
        return opened

    def _chunks(self) -> Generator[Any, None, None]:
        return objects(self._run) if self._call.structured else iter(self._run)

    def _achunks(self) -> AsyncGenerator[Any, None]:
        return aobjects(self._run) if self._call.structured else aiter(self._run)

    def _answer(self) -> Any:
        answer = None
        for answer in self._chunks():  # noqa: B007 - a call is a stream of one; its end must be reached
            pass
        return self._whole(answer)

    async def _aanswer(self) -> Any:
        answer = None
        async with aclosing(self._achunks()) as chunks:
            async for answer in chunks:  # noqa: B007 - as above
                pass
        return self._whole(answer)

    def _open(self) -> Generator[Any, None, None]:
        chunks = self._chunks()
        return self._relay(next(chunks, END), chunks)

    async def _aopen(self) -> AsyncGenerator[Any, None]:
        chunks = self._achunks()
        return self._arelay(await anext(chunks, END), chunks)

    def _relay(self, chunk: Any, chunks: Generator[Any, None, None]) -> Generator[Any, None, None]:
        with closing(chunks):
            last = None
            while chunk is not END:
                last = self._carrier.whole(chunk)
                yield from self._annotator.take(last)
                chunk = next(chunks, END)
            self._note(last)
            yield from self._annotator.end()

    async def _arelay(self, chunk: Any, chunks: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
        async with aclosing(chunks):
            last = None
            while chunk is not END:
                last = self._carrier.whole(chunk)
                for ready in self._annotator.take(last):
                    yield ready
                chunk = await anext(chunks, END)
            self._note(last)
            for ready in self._annotator.end():
                yield ready

    def _whole(self, answer: Any) -> Any:
        self._note(answer)
        return self._annotator.whole(answer)

    def _note(self, answer: Any) -> None:
        """Remember who made this turn, so that another candidate gets it in the common form."""
        chosen = self._run.candidate
        if chosen is not None and isinstance(answer, ChatResponse):
            self._origins.note(chosen.id, answer.message)
