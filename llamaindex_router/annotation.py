"""Adds the router's annotation to replies: `additional_kwargs["router"]`, in copies, never in messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse

from capability_router.execution.run import Run
from llamaindex_router.attempts.endpoint import LlamaEndpoint
from llamaindex_router.messages.plain_chunk import is_plain_chunk
from llamaindex_router.messages.usage import finish_of

KEY = "router"
_RESPONSES = (ChatResponse, CompletionResponse)


def annotated(response: Any, facts: Mapping[str, Any]) -> Any:
    """A shallow copy of the response with the facts; any other object unchanged."""
    if not isinstance(response, _RESPONSES):
        return response
    told = {**(response.additional_kwargs or {}), KEY: facts}
    if type(response) in _RESPONSES:
        return _copied(response, told)
    return response.model_copy(update={"additional_kwargs": told})


def _copied(response: ChatResponse | CompletionResponse, told: dict[str, Any]) -> Any:
    """The same of LlamaIndex's own classes, in less than half the time: each chunk of a stream comes by here."""
    kind: Any = type(response)
    copy, put = kind.__new__(kind), object.__setattr__
    put(copy, "__dict__", {**response.__dict__, "additional_kwargs": told})
    put(copy, "__pydantic_extra__", response.__pydantic_extra__)
    put(copy, "__pydantic_fields_set__", {*response.__pydantic_fields_set__, "additional_kwargs"})
    put(copy, "__pydantic_private__", None)  # these classes have none
    return copy


def _ends(chunk: ChatResponse | CompletionResponse) -> bool:
    """Whether it gives a terminal reason."""
    told = chunk.additional_kwargs or {}
    return (bool(told) or not is_plain_chunk(chunk.raw)) and finish_of(chunk.raw, told) is not None


def producer_of(response: ChatResponse) -> str:
    """The id of the candidate that gave this response; '' when it isn't said."""
    facts = (response.additional_kwargs or {}).get(KEY)
    return str(facts.get("model") or "") if isinstance(facts, Mapping) else ""


class Annotator:
    """Writes on a stream's chunks what is known when they pass, and on the last one the rest.

    Which chunk is the last shows only when the stream ends. A chunk without text that gives a
    terminal reason, or comes after one, is held until the next; should the last chunk have been
    passed on already, the rest is written into the mapping that it carries.
    """

    def __init__(self, run: Run[Any], endpoint: LlamaEndpoint) -> None:
        self._run, self._endpoint = run, endpoint
        self._facts: dict[str, Any] = {}
        self._told: dict[str, Any] = {}  # what was known when this attempt began to give chunks
        self._of: int | None = None
        self._held: tuple[Any, ...] = ()
        self._ending = False

    def take(self, chunk: Any) -> tuple[Any, ...]:
        """The chunks to pass on now that this one has come, annotated."""
        if not isinstance(chunk, _RESPONSES):
            return (chunk,)
        before, self._held = self._held, ()
        if self._run.attempt != self._of:
            self._told, self._of = self._known(), self._run.attempt
        self._facts = self._told.copy()
        self._ending = self._ending or _ends(chunk)
        marked = annotated(chunk, self._facts)
        if self._ending and not chunk.delta:
            self._held = (marked,)
            return before
        return (*before, marked)

    def end(self) -> tuple[Any, ...]:
        """The chunk still held, with all the facts."""
        if self._run.outcome is not None:
            self._facts.update(self._run.outcome.annotation())
        return self._held

    def whole(self, response: Any) -> Any:
        """The one response of a call, with all the facts."""
        outcome = self._run.outcome
        return annotated(response, outcome.annotation() if outcome is not None else self._known())

    def _known(self) -> dict[str, Any]:
        chosen, launched = self._run.candidate, self._endpoint.launched
        resumed, _ = self._run.begun
        flag = {"resumed": resumed} if resumed else {}
        return {
            "request_id": self._run.request.id,
            "model": chosen.id if chosen else None,
            "provider": chosen.provider if chosen else "",
            "attempts": len(launched),
            "fallback": chosen is not None and launched[:1] != [chosen.id],
            **flag,
        }


class NullAnnotator(Annotator):
    """Passes everything on as it came."""

    def take(self, chunk: Any) -> tuple[Any, ...]:
        """The chunk itself."""
        return (chunk,)

    def end(self) -> tuple[Any, ...]:
        """Nothing."""
        return ()

    def whole(self, response: Any) -> Any:
        """The response itself."""
        return response
