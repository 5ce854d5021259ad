"""The core's Endpoint for one routed call: it makes the attempts on the router's models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import ref

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig

from capability_router.execution.effects import Launch
from capability_router.faults.kinds import KINDS, Fault
from capability_router.frozen_value import altered
from capability_router.request import Outcome
from langchain_router.attempts.attempt import CutShort, MalformedToolCall, ModelAttempt
from langchain_router.attempts.evaluated_answer import told
from langchain_router.attempts.fault_notes import FaultNotes, tracers_of
from langchain_router.attempts.faults import fault_of, unsupported
from langchain_router.attempts.listeners import StreamProgressHandler
from langchain_router.attempts.plain_call import streams
from langchain_router.attempts.structured import StructuredAttempt
from langchain_router.bindings import StructuredBinding
from langchain_router.call import ChatCall
from langchain_router.fleet.model_fleet import ModelFleet
from langchain_router.partners.dialects import dialect_of
from langchain_router.tracing import ChainRun, attempt_config

_UNSEEN = StreamProgressHandler()
"""For an attempt without callback handlers: nothing is ever noted there."""


class LangChainEndpoint:
    """Makes the attempts one after the other, or two at once for a hedge.

    `unheard`: the router's run has no callback handlers, by core's `configure`.
    """

    __slots__ = (
        "_call", "_config", "_fleet", "_heirs", "_notes", "_one_answer", "_run", "_shown", "_tracers", "_unheard",
    )  # fmt: skip

    def __init__(
        self, fleet: ModelFleet, call: ChatCall, run: ChainRun, config: RunnableConfig, *, on_partial: str = "fallback",
        unheard: bool = False,
    ) -> None:  # fmt: skip
        self._fleet, self._call, self._run, self._config = fleet, call, run, config
        self._one_answer = on_partial == "raise"
        self._shown, self._unheard = _UNSEEN, unheard
        self._tracers = tracers_of(run.handlers) if run.handlers else ()
        self._heirs = run.handlers == run.inheritable_handlers
        self._notes: dict[int, FaultNotes] = {}

    def start(self, launch: Launch) -> ModelAttempt:
        """An attempt on the launch's candidate."""
        if launch.after in KINDS:  # else it is a hedge beside an attempt that has not ended
            self._over(launch.after)
        config = attempt_config(self._run, self._config, launch)
        id, call = launch.candidate.id, self._call
        model, structured, said = self._fleet[id], isinstance(call.bound, StructuredBinding), self._fleet.said(id)
        if said:
            call = replace(call, kwargs={**said, **call.kwargs})
        may_show = self._may_show(model)
        void, self._shown = self._shown, StreamProgressHandler(dialect_of(model).counting) if may_show else _UNSEEN
        attempt = (StructuredAttempt if structured else ModelAttempt)(model, call, config, launch, self._fleet.loops)
        attempt.unheard, attempt.heirs = self._unheard and not may_show, self._heirs
        if may_show:
            self._watch(launch.attempt, attempt, config, void if structured or self._call.mode == "invoke" else None)
        return attempt

    def _watch(
        self, index: int, attempt: ModelAttempt, config: RunnableConfig, void: StreamProgressHandler | None
    ) -> None:
        """Add the attempt's handlers. `void`: what was shown of the previous attempt, if tokens may be shown."""
        kind_of = partial(self._kind, ref(attempt))  # a weak reference: the attempt's config contains the notes
        self._notes[index] = notes = FaultNotes(self._tracers, kind_of, self._shown if void is not None else None)
        notes.watch(config["callbacks"])  # type: ignore[arg-type]  # a child manager
        attempt.stop_handler = notes
        if void is not None:
            attempt.watch(self._shown, void)

    def _over(self, fault: str) -> None:
        """No attempt is in flight; the last one that ended had this fault."""
        self._close()
        if len(self._notes) == 1:
            self._judged(next(iter(self._notes)), fault)

    def _may_show(self, model: BaseChatModel) -> bool:
        """Whether callbacks may show the answer while it is made, or the model gathers it from a stream."""
        return bool(self._run.handlers or self._one_answer or model.callbacks or streams(model))

    def told(self, chunks: Sequence[Any]) -> tuple[Any, str]:
        """An answer for an evaluator, from its chunks: the caller's own object, and its text."""
        return told(self._call, chunks)

    def end(self, outcome: Outcome) -> None:
        """The request is over, and so are its attempts."""
        if not self._notes:
            return
        self._close()
        for record in outcome.attempts:
            self._judged(record.index, record.fault or "")

    def _close(self) -> None:
        for notes in self._notes.values():
            notes.close()

    def _judged(self, attempt: int, fault: str) -> None:
        notes = self._notes.pop(attempt, None)
        if notes is not None:
            notes.judged(fault)

    def _kind(self, asked: ref[ModelAttempt], error: BaseException) -> str | None:
        if not isinstance(error, Exception):
            return None
        attempt = asked()
        if attempt is not None and attempt.by_parser(error):
            return "unparsable"
        fault = self.fault(error)
        return fault.kind if fault is not None else None

    def fault(self, error: BaseException) -> Fault | None:
        """The error as a fault of the provider; None = it is none, and is raised to the caller."""
        if self._one_answer and self._shown.tokens:
            return None  # its text has been shown, so no other model may answer
        if isinstance(error, CutShort):
            return Fault("truncated", str(error))
        if isinstance(error, MalformedToolCall):
            return Fault("malformed_tool_call", str(error))
        fault = fault_of(error, self._call.keywords)
        if fault is None or fault.kind != "unparsable":
            return fault
        if not self._call.wants_schema:
            return unsupported(fault, error, self._call.keywords)  # a package's own check of one: nothing was asked
        return altered(fault, answered=fault.status is None)  # an SDK's own parser is as good as langchain-core's
