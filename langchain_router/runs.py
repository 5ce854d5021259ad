"""The names of the outermost runs under way, by which a call's chain is booked.

LangChain gives the name of a run only to callback handlers: a step knows its parent's id, not its name. So one handler
receives the events of all chains and tools, and no others, once this package is imported. It is not a tracer: it keeps
only a name for each run, until the run ends.
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


class OutermostRuns(BaseCallbackHandler):
    """The callback handler for chains and tools. Thread-safe without a lock, which could be held during a fork."""

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

    def _begun(
        self, *_: Any, run_id: UUID, parent_run_id: UUID | None = None, name: str | None = None, **__: Any
    ) -> None:  # fmt: skip
        if len(self._outermost) >= self._most:  # what other threads write meanwhile may be lost, and is then unnamed
            self._outermost = dict(list(self._outermost.items())[self._most // 2 :])
        self._outermost[run_id] = self.outermost(parent_run_id) or given(name)

    def _over(self, *_: Any, run_id: UUID, **__: Any) -> None:
        self._outermost.pop(run_id, None)

    on_chain_start = on_tool_start = _begun  # a graph and its nodes are chains; what a tool calls is below its chain
    on_chain_end = on_chain_error = on_tool_end = on_tool_error = _over


RUNS = OutermostRuns()
_HEARD: ContextVar[OutermostRuns | None] = ContextVar("capability_router_runs", default=RUNS)
register_configure_hook(_HEARD, inheritable=True)


def given(name: str | None) -> str:
    """The name that the user gave to a run; "" if it is only LangChain's default name."""
    return "" if name is None or name == "LangGraph" or name.startswith("Runnable") else name


def without_runs(configure: Callable[[], ManagerT], *, inherits: bool) -> ManagerT:
    """The manager made by `configure`, without the handler of this module.

    A routed call's own run and its attempts need no names. `inherits`: whether there is a parent manager, which may
    have the handler.
    """
    token = _HEARD.set(None)  # a handler that is not added needs not be taken out
    try:
        manager = configure()
    finally:
        _HEARD.reset(token)
    if inherits:
        manager.remove_handler(RUNS)
    return manager


def detach_runs_handler() -> None:
    """Switch the handler off for runs that begin in this context, such as the models' own calls."""
    _HEARD.set(None)
