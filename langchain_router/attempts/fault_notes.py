"""Writes the kind of fault on the model's run of each failed attempt, so that traces can be searched for it.

A model's run ends before the router has judged the attempt. An exception is classified at once, by a handler that is
called before the tracers, so before they send the run. Whether an answer is a fault (it may be empty or unparsable),
and whether an interruption was a timeout or a cancellation, is known a moment later; until then LangSmith's tracer is
kept from sending the end of the run. Sending it twice does not work: LangSmith's client may mix up the two, and an
OpenTelemetry span can't be changed after its end. A run that LangChain leaves open, as for a cancelled `ainvoke`, is
ended here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import lru_cache
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.base import AsyncBaseTracer, BaseTracer
from langchain_core.tracers.schemas import Run

from langchain_router.attempts.listeners import StreamProgressHandler
from langchain_router.attempts.stop_handler import StopHandler

FAULT = "router_fault"
"""The metadata key: one of the names in `capability_router.faults.kinds.KINDS`, or "cancelled"."""

_WITHHELD = "__disabled"
"""The key in `Run.extra` that makes LangChainTracer not send a run."""

Tracer = BaseTracer | AsyncBaseTracer
log = logging.getLogger("langchain_router")


def tracers_of(handlers: Sequence[BaseCallbackHandler]) -> list[Tracer]:
    """The handlers that keep runs."""
    kinds: Any = list(map(type, handlers))
    if not any(map(_keeps_runs, kinds)):  # as with most handlers that are no tracers: no frame for each
        return []
    return [handler for handler, kind in zip(handlers, kinds, strict=True) if _keeps_runs(kind)]  # type: ignore[misc]  # those do


@lru_cache(maxsize=256)
def _keeps_runs(kind: type) -> bool:  # abstract classes are slow to ask
    return issubclass(kind, Tracer)


def add_metadata(run: Run, facts: Mapping[str, Any]) -> None:
    """Write facts on a run. Its metadata is replaced, not changed: a manager may hold the same dict."""
    extra = run.extra or {}
    run.extra = {**extra, "metadata": {**(extra.get("metadata") or {}), **facts}}


class FaultNotes(StopHandler):
    """Watches the runs of one attempt. `kind_of`: from an exception to its kind of fault; None = it is none.

    `shown`: records what callbacks show. It is called from here, because another handler would cost time per event.
    """

    def __init__(
        self,
        tracers: Sequence[Tracer],
        kind_of: Callable[[BaseException], str | None],
        shown: StreamProgressHandler | None = None,
    ) -> None:
        super().__init__()
        self._tracers, self._kind_of, self._shown = tracers, kind_of, shown
        self._open: dict[UUID, None] = {}
        self._unjudged: list[tuple[Run, bool]] = []  # models' runs that have ended, and whether they are withheld
        self._cut: dict[UUID, list[tuple[Tracer, Run]]] = {}  # runs that were ended here, before their own thread does

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **_: Any) -> None:
        """A model's run has begun."""
        self._check()
        self._open[run_id] = None

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID | None = None, **_: Any) -> None:
        """A chunk is about to be handed out."""
        self._check()
        if self._shown is not None:
            self._shown.on_llm_new_token(token, chunk=chunk, run_id=run_id)

    def on_stream_event(self, event: Any, *, run_id: Any = None, **_: Any) -> None:
        """An event of the v3 protocol is about to be handed out."""
        self._check()
        if self._shown is not None:
            self._shown.on_stream_event(event, run_id=run_id)

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **_: Any) -> None:
        """A run around a model, or after it, has begun."""
        self._open[run_id] = None

    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """A model's run is about to succeed; its answer may still be judged a fault."""
        if self._tracers:
            self._ends_late(run_id)
        self._model_ends(run_id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A model's run is about to end with an exception."""
        self._ends_late(run_id)
        if not self._named(run_id, error):
            self._model_ends(run_id)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """A run around a model is about to succeed."""
        self._ends_late(run_id)
        self._open.pop(run_id, None)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A run around a model, or after it, is about to end with an exception."""
        self._ends_late(run_id)
        self._named(run_id, error)

    def judged(self, fault: str) -> None:
        """The attempt has ended with this kind of fault ("" = none): write it on its models' runs and send them."""
        left, self._open = list(self._open), {}
        for run_id in reversed(left):
            self._cut[run_id] = self._traced(run_id)
            for tracer, run in self._cut[run_id]:
                add_metadata(run, {FAULT: fault or "cancelled"})
                _sending(_ended, tracer, run)
        ended, self._unjudged = self._unjudged, []
        for run, withheld in ended:
            if fault and FAULT not in run.metadata:
                add_metadata(run, {FAULT: fault})
            if withheld:
                run.extra = {key: value for key, value in run.extra.items() if key != _WITHHELD}
                _sending(run.patch)

    def _ends_late(self, run_id: UUID) -> None:
        """Give tracers that have ended the run a copy, which is not sent: they warn about unknown runs."""
        for tracer, run in self._cut.pop(run_id, ()):
            late = copy(run)
            late.extra = {**(run.extra or {}), _WITHHELD: True}
            tracer.run_map.setdefault(str(run_id), late)

    def _named(self, run_id: UUID, error: BaseException) -> bool:
        """Whether the error is a fault; if so, write it on the run, unless a nested router has."""
        self._open.pop(run_id, None)
        kind = self._kind_of(error)
        if kind is None:
            return False
        for _, run in self._traced(run_id):
            if FAULT not in run.metadata:
                add_metadata(run, {FAULT: kind})
        return True

    def _model_ends(self, run_id: UUID) -> None:
        self._open.pop(run_id, None)
        for tracer, run in self._traced(run_id) if self._tracers else ():
            withheld = _sends(tracer) and _WITHHELD not in run.extra
            if withheld:
                run.extra = {**run.extra, _WITHHELD: True}
            self._unjudged.append((run, withheld))

    def _traced(self, run_id: UUID) -> list[tuple[Tracer, Run]]:
        found = ((tracer, tracer.run_map.get(str(run_id))) for tracer in self._tracers)
        return [(tracer, run) for tracer, run in found if run is not None]


def _sends(tracer: Tracer) -> bool:
    from langchain_core.tracers.langchain import LangChainTracer  # here, because it loads LangSmith's client

    return isinstance(tracer, LangChainTracer)


def _ended(tracer: Tracer, run: Run) -> None:
    if isinstance(tracer, BaseTracer):
        over = tracer.on_llm_error if run.run_type == "llm" else tracer.on_chain_error
        over(asyncio.CancelledError(), run_id=run.id)


def _sending(send: Callable[..., None], *what: Any) -> None:
    try:
        send(*what)
    except Exception as error:  # noqa: BLE001 - what becomes of a trace is no business of the call
        log.warning("the end of a model's run could not be traced: %s", type(error).__name__)
