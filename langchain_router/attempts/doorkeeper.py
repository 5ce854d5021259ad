"""The listener that stands before all others of an attempt, and ends one that has been given up.

A thread can't be cancelled. Of an attempt in one that is out of time, langchain-core would go on to show
the tokens to every handler, beside those of the model that answers in its place.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager


class GivenUp(BaseException):
    """Raised into an attempt that nobody waits for. No Exception: no package takes it for a fault, and none retries."""


class Doorkeeper(BaseCallbackHandler):
    """Hears of each event before the tracers and the handlers that show tokens do."""

    run_inline = True

    def __init__(self) -> None:
        self._closed = False

    def watch(self, manager: BaseCallbackManager) -> None:
        """Stand before the others among the handlers of the attempt."""
        manager.handlers.insert(0, self)
        manager.inheritable_handlers.insert(0, self)

    def close(self) -> None:
        """The attempt is over: what it would still show or begin raises GivenUp there. Its runs may still end."""
        self._closed = True

    def __hash__(self) -> int:
        """0: LangChain merges managers by way of sets, and the first one in takes the first place there, too."""
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
            raise GivenUp
