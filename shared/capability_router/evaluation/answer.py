"""An answer as an evaluator gets it, and how it is kept while it goes to the caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from capability_router.execution.effects import Launch
from capability_router.execution.endpoint import Attempt, Endpoint
from capability_router.execution.run import Run
from capability_router.faults.kinds import Fault
from capability_router.request import Outcome, Reply

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model gave. `text`: all of it in words; tool calls and parsed answers without words as JSON.

    `value`: the framework's own message or response, or the object that the answer was parsed to; None if it came in
    parts that make no whole. `tool_calls`: how many. `finish`: why the model stopped ("stop", "tool_calls", ...).
    """

    text: str = field(repr=False)
    model: str
    provider: str
    finish: str | None
    tool_calls: int = 0
    value: Any = field(default=None, repr=False)


class RecordingEndpoint(Generic[C]):
    """Wraps an endpoint and keeps the chunks of its attempts."""

    def __init__(self, inner: Endpoint[C]) -> None:
        self._inner = inner
        self._chunks: dict[int, list[C]] = {}

    def start(self, launch: Launch) -> RecordingAttempt[C]:
        """As the endpoint's own."""
        return RecordingAttempt(self._inner.start(launch), self._chunks.setdefault(launch.attempt, []))

    def fault(self, error: BaseException) -> Fault | None:
        """As the endpoint's own."""
        return self._inner.fault(error)

    def answer(self, run: Run[Any], outcome: Outcome) -> Answer:
        """The answer that the run ended with."""
        reply, whole = run.reply, outcome.resumed == 0
        chunks: Sequence[C] = self._chunks.get(run.attempt or 0, ()) if whole else ()
        told = getattr(self._inner, "told", None)  # of an endpoint that can say what its chunks come to
        value, text = told(chunks) if told is not None and chunks else (None, "")
        said = run.begun[1] + reply.text
        return Answer(
            text or said, outcome.model or "", outcome.provider, outcome.finish, reply.tool_calls, value,
        )  # fmt: skip


class RecordingAttempt(Generic[C]):
    """Wraps an attempt and keeps its chunks."""

    __slots__ = ("_chunks", "_inner")

    def __init__(self, inner: Attempt[C], chunks: list[C]) -> None:
        self._inner, self._chunks = inner, chunks

    @property
    def keeps_time(self) -> bool:
        """As the attempt's own."""
        return self._inner.keeps_time

    def chunks(self) -> Iterator[C]:
        """As the attempt's own."""
        return self._inner.chunks()

    def achunks(self) -> AsyncIterator[C]:
        """As the attempt's own."""
        return self._inner.achunks()

    def commits(self, chunk: C) -> bool:
        """As the attempt's own."""
        self._chunks.append(chunk)
        return self._inner.commits(chunk)

    def abort(self) -> None:
        """As the attempt's own."""
        self._inner.abort()

    def reply(self) -> Reply:
        """As the attempt's own."""
        return self._inner.reply()
