"""What a driver gives: four ways to ask. Whatever is raised counts as a failed request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple, Protocol

TOOL = {
    "type": "function",
    "function": {
        "name": "lookup",
        "description": "Looks a city up.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


class PeerAnswer(NamedTuple):
    """What the user gets. `arguments`: those of the tool call, as the peer parsed them."""

    text: str
    arguments: dict[str, Any] | None = None


class PeerCaller(Protocol):
    """A peer, set up for one job."""

    def ask(self, prompt: str) -> PeerAnswer: ...
    async def aask(self, prompt: str) -> PeerAnswer: ...
    def read(self, prompt: str) -> Iterator[str]: ...
    def aread(self, prompt: str) -> AsyncIterator[str]: ...
