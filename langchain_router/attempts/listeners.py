"""Callback handlers of an attempt: they collect its model's messages, and what other handlers were shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, ToolCallChunk
from langchain_core.outputs import LLMResult

from capability_router.endpoints.chain_usage import Counting, StreamUsage, counted, states
from capability_router.request import Usage
from langchain_router.messages.raw_calls import RawCalls
from langchain_router.messages.replies import carries_content
from langchain_router.messages.transcript import usage_metadata

_STREAMING = {"_StreamingCallbackHandler", "_V2StreamingCallbackHandler"}
"""The names of the marker classes of handlers for which langchain-core streams an `invoke`."""


def shown_live(handlers: Iterable[BaseCallbackHandler]) -> bool:
    """Whether any of them gets tokens as they come, even in an `invoke`."""
    return any(map(_streaming, map(type, handlers)))


@lru_cache(maxsize=256)
def _streaming(kind: type) -> bool:
    return any(base.__name__ in _STREAMING for base in kind.__mro__)


class UsageHandler(BaseCallbackHandler):
    """Reads the token counts of an answer's chunks, if the attempt sees only the merged answer.

    LangChain adds up the counts of all chunks, even if later ones repeat them.
    """

    run_inline = True
    ignore_chat_model = True  # else core would format the messages as text, which is not needed

    def __init__(self, counting: Counting = "") -> None:
        self._counting = counting
        self._tallies: dict[UUID | None, StreamUsage] = {}

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID | None = None, **_: Any) -> None:
        """A chunk has been handed out."""
        told = getattr(getattr(chunk, "message", None), "usage_metadata", None)
        if told and states(now := counted(told)):
            self._tallies.setdefault(run_id, StreamUsage(self._counting)).take(now)

    def corrected_usage(self, run_id: UUID | None = None) -> Usage | None:
        """The counts of a run (None: of the last one), if LangChain's sum is wrong."""
        last = next(reversed(self._tallies), None) if run_id is None else run_id
        tally = self._tallies.get(last)
        return tally.usage if tally is not None and tally.again else None


class MessageCaptureHandler(UsageHandler):
    """Keeps the final messages of the model's runs, for their usage and terminal reason."""

    def __init__(self, counting: Counting = "") -> None:
        super().__init__(counting)
        self.messages: list[AIMessage] = []

    def on_llm_end(self, response: LLMResult, *, run_id: UUID | None = None, **_: Any) -> None:
        """A model's run has succeeded."""
        for generations in response.generations:
            message = getattr(generations[0], "message", None) if generations else None
            if isinstance(message, AIMessage):
                usage = self.corrected_usage(run_id)
                told = {"usage_metadata": usage_metadata(usage)} if usage is not None else {}
                self.messages.append(message.model_copy(update=told) if told else message)


class StreamProgressHandler(UsageHandler):
    """What callbacks have shown of an answer before it was complete.

    `streamed`: the model has gathered it from a stream. `tokens`: how many tokens with content were shown, under the
    message id `message_id`. `calls`: the original tool calls of the latest run.
    """

    def __init__(self, counting: Counting = "") -> None:
        super().__init__(counting)
        self.streamed = False
        self.tokens = 0
        self.message_id = ""
        self.calls, self._run = RawCalls(), None

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID | None = None, **_: Any) -> None:
        """A chunk has been handed out."""
        super().on_llm_new_token(token, chunk=chunk, run_id=run_id)
        message = getattr(chunk, "message", None)
        self._note(carries_content(message) if isinstance(message, AIMessage) else bool(token))
        if pieces := getattr(message, "tool_call_chunks", None):
            self._hear(pieces, run_id)
        self.message_id = getattr(message, "id", None) or f"lc_run--{run_id}"

    def on_stream_event(self, event: Mapping[str, Any], *, run_id: Any = None, **_: Any) -> None:
        """An event of the v3 protocol has been handed out."""
        self._note(event.get("event") == "content-block-delta")
        self.message_id = self.message_id or str(event.get("id") or f"lc_run--{run_id}")

    def _hear(self, pieces: Iterable[ToolCallChunk], run: Any) -> None:
        """Collect pieces of tool calls. In a nested router the latest run is the one that answers."""
        if run != self._run:
            self.calls, self._run = RawCalls(), run
        self.calls.take(pieces)

    def _note(self, content: bool) -> None:
        self.streamed = True
        self.tokens += content
