"""Finds the terminal reason of a stream whose integration drops the last chunk, because it has no text.

Perplexity, AzureAICompletionsModel, VllmServer and, in async, HuggingFaceInferenceAPI do so. The chunk that they read
last is still in a local variable of their generator when it has ended, if a reference to its frame was kept. Texts and
bytes there are those of HTTP clients below.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType
from typing import Any

from capability_router.faults.error_event import ErrorEvent
from capability_router.sdks.streams import frames_below
from llamaindex_router.messages.fields import field
from llamaindex_router.messages.usage import finish_of
from llamaindex_router.side_channel import SideChannel

_READ = ("data", "chunk")
"""The names of that variable."""


class StreamEndProbe:
    """Watches one stream. `unseen`: its end was not found, so its terminal reason is unknown."""

    __slots__ = ("_frames", "unseen")

    def __init__(self) -> None:
        self._frames: list[FrameType] = []
        self.unseen = True

    def watch(self, stream: Any) -> None:
        """Keep references to the frames. Called after the first chunk, because the inner generators start then."""
        self._frames = self._frames or frames_below(stream)

    def note(self, channel: SideChannel) -> None:
        """After the last chunk: give the chunk with the stream's end to the channel; None = it is not known.

        Raises ErrorEvent if it was an error, which these integrations skip as a chunk without a choice.
        """
        chunks = list(self._last_read())
        self._frames = []
        _check_errors(chunks)
        end = next((chunk for chunk in chunks if finish_of(chunk) is not None), None)
        counts = [chunk for chunk in chunks if not field(chunk, "choices")]  # these follow the reason
        self.unseen = not chunks or (end is None and bool(counts))
        channel.overheard, channel.end = bool(chunks), end or next(iter(counts), None)

    def _last_read(self) -> Iterator[Any]:
        for frame in self._frames:
            read = (frame.f_locals.get(name) for name in _READ)
            yield from (held for held in read if not isinstance(held, (str, bytes, type(None))))


def _check_errors(chunks: list[Any]) -> None:
    for chunk in chunks:
        error = field(chunk, "error")
        if error and not field(chunk, "choices"):
            code = next((str(word) for name in ("code", "type") if (word := field(error, name))), "")
            raise ErrorEvent(code, field(error, "message"))
