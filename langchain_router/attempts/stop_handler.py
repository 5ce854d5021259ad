"""A callback handler that stops an attempt in a thread once the router has given it up.

A thread can't be cancelled. Without this handler, langchain-core would go on showing the tokens of an attempt that is
out of time to all other handlers, mixed with those of the model that answers in its place.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager


class AttemptStopped(BaseException):
    """Raised inside an abandoned attempt. It is no Exception, so that no package retries it or takes it for a fault."""


class StopHandler(BaseCallbackHandler):
    """Called before tracers and all other handlers; raises once the attempt is closed."""

    run_inline = True

    def __init__(self) -> None:
        self._closed = False

    def watch(self, manager: BaseCallbackManager) -> None:
        """Put itself first among the handlers of the attempt."""
        manager.handlers.insert(0, self)
        manager.inheritable_handlers.insert(0, self)

    def close(self) -> None:
        """Close the attempt: starting a run or showing a token raises AttemptStopped from now on.

        Its runs may still end.
        """
        self._closed = True

    def __hash__(self) -> int:
        """0, so that it stays first where LangChain merges handlers by way of sets."""
        return 0

    def __eq__(self, other: object) -> bool:
        return self is other

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **_: Any) -> None:
        """A model's run is about to begin."""
        self._check()

    def on_llm_new_token(self, token: Any, **_: Any) -> None:
        """A chunk is about to be handed out."""
        self._check()

    def on_stream_event(self, event: Any, **_: Any) -> None:
        """An event of the v3 protocol is about to be handed out."""
        self._check()

    def _check(self) -> None:
        if self._closed:
            raise AttemptStopped
