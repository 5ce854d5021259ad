"""Which model a conversation is with: tool loops stay where they began.

A tool call's id, a thinking signature and a warm prompt cache belong to one model, so the answer to a
tool call goes back to the model that made it, as long as that model is eligible and usable.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import RLock

KEPT = 10_000


class Affinity:
    """The newest 10,000 tool call ids -> model id; thread-safe."""

    def __init__(self, keep: int = KEPT) -> None:
        self._models: OrderedDict[str, str] = OrderedDict()
        self._keep = keep
        self._lock = RLock()  # the garbage collector may end a request in the middle of another's

    def note(self, keys: Sequence[str], model: str) -> None:
        """These tool calls were made by this model."""
        if not keys:
            return
        with self._lock:
            for key in keys:
                self._models[key] = model
                self._models.move_to_end(key)
            while len(self._models) > self._keep:
                self._models.popitem(last=False)

    def model(self, keys: Sequence[str]) -> str | None:
        """The model that made the latest of these calls, if it is remembered."""
        if not keys:
            return None
        with self._lock:
            found = [self._models.get(key) for key in reversed(keys)]
        return next((model for model in found if model is not None), None)
