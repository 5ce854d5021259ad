"""Callback handlers by which an attempt hears what goes on below it: the messages, and what others were shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import LLMResult

from langchain_router.messages.replies import carries_content

_STREAMING = {"_StreamingCallbackHandler", "_V2StreamingCallbackHandler"}
"""The marks, by name, of handlers for which langchain-core makes an `invoke` stream."""


def shown_live(handlers: Iterable[BaseCallbackHandler]) -> bool:
    """Whether any of them hands tokens on as they come, even of an `invoke`."""
    return any(kind.__name__ in _STREAMING for handler in handlers for kind in type(handler).__mro__)


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
    """What of an answer has reached others through callbacks while it was still being made.

    `streamed`: the model has gathered it from a stream. `tokens` with content were handed out, under
    the message id `message_id`.
    """

    run_inline = True

    def __init__(self) -> None:
        self.streamed = False
        self.tokens = 0
        self.message_id = ""

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: Any = None, **_: Any) -> None:
        """A chunk has been handed out."""
        message = getattr(chunk, "message", None)
        self._note(carries_content(message) if isinstance(message, AIMessage) else bool(token))
        self.message_id = getattr(message, "id", None) or f"lc_run--{run_id}"

    def on_stream_event(self, event: Mapping[str, Any], *, run_id: Any = None, **_: Any) -> None:
        """An event of the v3 protocol has been handed out."""
        self._note(event.get("event") == "content-block-delta")
        self.message_id = self.message_id or str(event.get("id") or f"lc_run--{run_id}")

    def _note(self, content: bool) -> None:
        self.streamed = True
        self.tokens += content
