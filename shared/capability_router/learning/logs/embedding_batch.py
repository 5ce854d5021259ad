"""Texts of logs on their way to an embedder, many at once; none is kept."""

from __future__ import annotations

from contextvars import ContextVar

import numpy as np

from capability_router.errors import ConfigError
from capability_router.learning.embedder import Embedder
from capability_router.learning.embedding_cache import embedded
from capability_router.learning.quality.embedding import MEANING, Meaning, Origin

_TEXTS = 64


class EmbeddingBatch:
    """Gives room for each text's embedding, which is filled when there are 64, or by `flush`."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._waiting: list[tuple[str, Meaning]] = []
        self._size = 0

    def take(self, text: str) -> Meaning:
        """Where the embedding of this text will be. Raises ConfigError where the embedder fails."""
        room = np.zeros(MEANING, np.int8)
        self._waiting.append((text, room))
        if len(self._waiting) >= _TEXTS:
            self.flush()
        return room

    def flush(self) -> None:
        """Fill all that was given out. Raises ConfigError."""
        if not self._waiting:
            return
        found, size = embedded(self._embedder, [text for text, _ in self._waiting])
        if self._size not in (0, size):
            raise ConfigError(
                f"the embedder {self._embedder.name} gave vectors of {self._size} numbers before and of {size} now; "
                "texts can be compared only by vectors of one size: give one model alone"
            )
        self._size = size
        for (_, room), meaning in zip(self._waiting, found, strict=True):
            room[:] = meaning
        self._waiting.clear()

    @property
    def origin(self) -> Origin:
        """Of the embeddings. Raises ConfigError where no log had a text."""
        if not self._size:
            raise ConfigError("an embedder needs texts, and these logs hold none: leave --embedder out")
        return Origin(self._embedder.name, self._size)


BATCH: ContextVar[EmbeddingBatch | None] = ContextVar("texts of logs to embed", default=None)
"""Where the texts of what is read now go as well."""
