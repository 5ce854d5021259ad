"""The core's Endpoint for one call of a RouterLLM: it makes the attempts, each on one LLM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.callbacks import CallbackManager

from capability_router.execution.effects import Launch
from capability_router.faults.kinds import Fault
from llamaindex_router.attempts.attempt import LlamaAttempt
from llamaindex_router.attempts.continuation import ContinuationTrimmer, going_on
from llamaindex_router.attempts.evaluated_answer import told
from llamaindex_router.attempts.faults import fault_of, note_terms, stumbled
from llamaindex_router.attempts.stream_usage import ASKED, needs_usage_option
from llamaindex_router.call import LLMCall, with_extras
from llamaindex_router.fleet.description import home_of
from llamaindex_router.fleet.llm_fleet import LLMFleet
from llamaindex_router.messages.handover import Origins
from llamaindex_router.system_prompt import extend


class LlamaEndpoint:
    """Makes the attempts of one call. `launched` are the candidates tried, in order."""

    __slots__ = ("_call", "_children", "_manager", "_origins", "launched")

    def __init__(self, call: LLMCall[Any], children: LLMFleet, manager: CallbackManager, origins: Origins) -> None:
        self._call, self._children, self._manager, self._origins = call, children, manager, origins
        self.launched: list[str] = []

    def start(self, launch: Launch) -> LlamaAttempt:
        """An attempt on the launch's candidate. Nothing is sent before its chunks are iterated."""
        candidate = launch.candidate.id
        self.launched.append(candidate)
        llm, call, prefix = self._children.ready(candidate, self._manager), self._call, launch.prefix
        call = going_on(call, llm, prefix, launch.candidate.provider) if prefix else call
        args, kwargs = call.arguments(self._origins.rewrite(candidate, home_of(llm)))
        if call.extended:
            extend(llm, call, args, kwargs)
        kwargs = with_extras(call, kwargs, self._children.extras(candidate))
        asks = call.stream and needs_usage_option(llm, kwargs, kwargs.get("llm_kwargs"))
        kwargs = with_extras(call, kwargs, ASKED) if asks else kwargs
        seam = ContinuationTrimmer(prefix, self._call) if prefix else None
        return LlamaAttempt(llm, call, args, kwargs, launch, self._children.loops, seam, asks=asks)

    def told(self, chunks: Sequence[Any]) -> tuple[Any, str]:
        """An answer for an evaluator: the last chunk, which contains all, and its text."""
        return told(chunks)

    def fault(self, error: BaseException) -> Fault | None:
        """The error as a fault of the provider; None = it is none."""
        fault = fault_of(error, structured=self._call.structured)
        if fault is None and len(self._children) > 1:  # with a single model its own errors reach the caller unchanged
            fault = stumbled(error, self._call.kwargs)
        if fault is None:
            note_terms(error, self._call.kwargs)
        return fault
