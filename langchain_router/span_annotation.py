"""Writes the decision on the router's span of callback handlers that are not LangChain tracers: Langfuse's, MLflow's.

They keep a span for each run, and read a run's metadata only at its beginning. They are recognised by the modules of
their classes; nothing is imported. If a later version keeps its spans elsewhere, nothing is written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

log = logging.getLogger("langchain_router")


def observe(handlers: Iterable[object], run_id: UUID, facts: Mapping[str, Any]) -> None:
    """Write these facts on the run's open span in each of the handlers."""
    for handler in handlers:
        kind: Any = type(handler)
        note = _note_of(kind)
        if note is not None:
            _noted(note, handler, run_id, facts)


def observed(handlers: Iterable[object]) -> bool:
    """Whether any of them keeps such a span."""
    kinds: Any = map(type, handlers)
    return any(map(_note_of, kinds))


@lru_cache(maxsize=256)
def _note_of(kind: type) -> Callable[[Any, UUID, dict[str, Any]], None] | None:
    """The function that writes on the spans of handlers of this class; None = it keeps none."""
    return _NOTES.get(kind.__module__.partition(".")[0])


def _noted(note: Any, handler: object, run_id: UUID, facts: Mapping[str, Any]) -> None:
    try:
        note(handler, run_id, dict(facts))
    except Exception as error:  # noqa: BLE001 - what becomes of a trace is no business of the call
        log.warning("the decision could not be noted by %s: %s", type(handler).__name__, type(error).__name__)


def _by_langfuse(handler: Any, run_id: UUID, facts: dict[str, Any]) -> None:
    observation = getattr(handler, "_runs", {}).get(run_id)
    if observation is not None:
        observation.update(metadata=facts)


def _by_mlflow(handler: Any, run_id: UUID, facts: dict[str, Any]) -> None:
    kept = getattr(handler, "_run_span_mapping", {}).get(str(run_id))
    if kept is not None:
        kept.span.set_attributes(facts)


_NOTES = {"langfuse": _by_langfuse, "mlflow": _by_mlflow}
