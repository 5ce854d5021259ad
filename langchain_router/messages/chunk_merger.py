"""One run of chunks out of the attempts that go on with each other.

Users add chunks up, and LangChain joins the texts in their metadata: the sum of two models' chunks would have both
names in one. So a part leaves out what the parts before it have said of themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessageChunk

_PROVIDER = "model_provider"


class ChunkMerger:
    """Takes the chunks of all parts in order."""

    __slots__ = ("_before", "_blocks", "_part", "_providers", "_said")

    def __init__(self) -> None:
        self._part = 0
        self._blocks = False  # whether any content came in blocks
        self._providers: list[str] = []  # those that the sum of the chunks names
        self._before: dict[str, Any] = {}  # the metadata of the parts before this one
        self._said: dict[str, Any] = {}  # and with this one's

    def take(self, chunk: Any, part: int) -> tuple[Any, ...]:
        """The chunk to hand on for this one, which is of that part, counted from 0."""
        if not isinstance(chunk, AIMessageChunk):
            return (chunk,)
        if part != self._part:
            self._part, self._before = part, self._said
        self._blocks = self._blocks or bool(chunk.content and not isinstance(chunk.content, str))
        told = chunk.response_metadata
        if not told:
            return (chunk,)
        kept = _unsaid(told, self._before)
        if not self._names(told.get(_PROVIDER)):
            kept.pop(_PROVIDER, None)
        self._said = _joined(self._said, told)
        return (chunk if kept == told else chunk.model_copy(update={"response_metadata": kept}),)

    def _names(self, provider: Any) -> bool:
        """Whether a chunk names this provider, as most classes' chunks do. LangChain adds up different names only.

        The sum names the first one. Only with blocks it names each: else one's own blocks would be taken for
        another's. By an unknown name LangChain reads each block for what it is.
        """
        if not isinstance(provider, str) or self._providers == [provider]:
            return True
        if self._providers and (provider in self._providers or not self._blocks):
            return False
        self._providers.append(provider)
        return True


def _joined(said: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """All that was said. What came first counts."""
    whole = dict(said)
    for name, value in told.items():
        known = whole.get(name)
        if known is None:
            whole[name] = value
        elif isinstance(known, Mapping) and isinstance(value, Mapping):
            whole[name] = _joined(known, value)
    return whole


def _unsaid(told: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """What adds to what was said: other facts, and the items of lists, such as tokens' probabilities."""
    kept: dict[str, Any] = {}
    for name, value in told.items():
        known = said.get(name)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            kept[name] = _unsaid(value, known)
        elif known is None or name == _PROVIDER or type(value) is type(known) is list:
            kept[name] = value
    return kept
