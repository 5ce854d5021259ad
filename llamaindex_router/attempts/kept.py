"""The end of a stream that an integration reads and keeps to itself, because there is no text in it.

Perplexity, AzureAICompletionsModel, VllmServer and, in async, HuggingFaceInferenceAPI pass over the chunk with the
terminal reason. What they read last still stands in their generator's variables when that has ended, if its frame was
held until then. Texts and bytes there are those of HTTP clients below.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType
from typing import Any

from capability_router.connections.sdk_streams import frames_below
from llamaindex_router.errors import ErrorEvent
from llamaindex_router.messages.fields import field
from llamaindex_router.messages.usage import finish_of
from llamaindex_router.passage import Passage

_READ = ("data", "chunk")
"""What such an integration calls the chunk that it is reading."""


class KeptEnd:
    """Watches one stream. `unseen`: whether it can't be told how it ended."""

    __slots__ = ("_frames", "unseen")

    def __init__(self) -> None:
        self._frames: list[FrameType] = []
        self.unseen = True

    def watch(self, stream: Any) -> None:
        """Hold the frames, once the first chunk has come: the inner ones begin with that."""
        self._frames = self._frames or frames_below(stream)

    def note(self, passage: Passage) -> None:
        """Tell the passage, after the last chunk, with what the stream ended; None = nothing that tells.

        Raises ErrorEvent if that was an error, which they pass over as a chunk without a choice.
        """
        chunks = list(self._last_read())
        self._frames = []
        _check_errors(chunks)
        end = next((chunk for chunk in chunks if finish_of(chunk) is not None), None)
        counts = [chunk for chunk in chunks if not field(chunk, "choices")]  # these follow the reason
        self.unseen = not chunks or (end is None and bool(counts))
        passage.overheard, passage.end = bool(chunks), end or next(iter(counts), None)

    def _last_read(self) -> Iterator[Any]:
        for frame in self._frames:
            read = (frame.f_locals.get(name) for name in _READ)
            yield from (held for held in read if not isinstance(held, (str, bytes, type(None))))


def _check_errors(chunks: list[Any]) -> None:
    for chunk in chunks:
        error = field(chunk, "error")
        if error and not field(chunk, "choices"):
            raise ErrorEvent(next((str(word) for name in ("code", "type") if (word := field(error, name))), ""))
