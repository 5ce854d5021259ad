"""The runs that are under way and the names of their outermost ones: under which chain a call is booked.

LangChain tells the name of a run to callback handlers and to nothing else: a step knows its parent's id, not its name.
So one handler hears of every chain and tool from the import of this package on, and of nothing else. It is no tracer:
it keeps a name for each run, until that ends.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.tracers.context import register_configure_hook

ManagerT = TypeVar("ManagerT", bound=BaseCallbackManager)
_MOST = 10_000
"""Runs kept. Some never end, such as a stream that is not read to its end."""


class Runs(BaseCallbackHandler):
    """Hears of chains and tools. Thread-safe without a lock, which a forked child might find held."""

    run_inline = True  # else each of its calls would be a task
    ignore_llm = ignore_chat_model = ignore_retriever = ignore_retry = ignore_custom_event = True

    def __init__(self, most: int = _MOST) -> None:
        self._outermost: dict[UUID, str] = {}
        self._most = most

    def __len__(self) -> int:
        return len(self._outermost)

    def __bool__(self) -> bool:
        return True  # core asks whether there is a handler, by its truth

    def __reduce__(self) -> str:
        return "RUNS"  # of a configuration that is copied or sent elsewhere: there is one in each process

    def outermost(self, run_id: UUID | None) -> str:
        """The name of the outermost run above this one, itself included, that has one; "" if none is known."""
        return self._outermost.get(run_id, "") if run_id is not None else ""

    def _begun(self, run_id: UUID, parent_run_id: UUID | None, name: str | None) -> None:
        if len(self._outermost) >= self._most:  # what other threads write meanwhile may be lost, and is then unnamed
            self._outermost = dict(list(self._outermost.items())[self._most // 2 :])
        self._outermost[run_id] = self.outermost(parent_run_id) or given(name)

    def _over(self, run_id: UUID) -> None:
        self._outermost.pop(run_id, None)

    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None,
        name: str | None = None, **_: Any,
    ) -> None:  # fmt: skip
        """A chain, a graph or one of its nodes begins."""
        self._begun(run_id, parent_run_id, name)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """It has ended."""
        self._over(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """It has ended with an error."""
        self._over(run_id)

    def on_tool_start(
        self, serialized: Any, input_str: str, *, run_id: UUID, parent_run_id: UUID | None = None,
        name: str | None = None, **_: Any,
    ) -> None:  # fmt: skip
        """A tool begins; what it calls is below the chain that calls it."""
        self._begun(run_id, parent_run_id, name)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """It has ended."""
        self._over(run_id)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """It has ended with an error."""
        self._over(run_id)


RUNS = Runs()
_HEARD: ContextVar[Runs | None] = ContextVar("capability_router_runs", default=RUNS)
register_configure_hook(_HEARD, inheritable=True)


def given(name: str | None) -> str:
    """The name that the user gave to a run; "" if it is only LangChain's default name."""
    return "" if name is None or name == "LangGraph" or name.startswith("Runnable") else name


def without_runs(configure: Callable[[], ManagerT], *, inherits: bool) -> ManagerT:
    """A manager, as `configure` makes it, without the handler that hears of chains.

    A routed call's own run and its attempts are none of these: nobody is told who wouldn't be anyhow. `inherits`:
    whether there is a manager above, which may have the handler.
    """
    token = _HEARD.set(None)  # a handler that is not added needs not be taken out
    try:
        manager = configure()
    finally:
        _HEARD.reset(token)
    if inherits:
        manager.remove_handler(RUNS)
    return manager


def stop_hearing() -> None:
    """Of what is begun in this context from now on; for the models' own calls, token by token."""
    _HEARD.set(None)
