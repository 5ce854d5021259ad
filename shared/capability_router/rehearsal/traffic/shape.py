"""What one request of a rehearsal looks like: its size, needs and origin, and never a word of its text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from capability_router.request import Need, Request
from capability_router.routing import Routing

_MEDIA = {"image": Need.IMAGE_INPUTS, "pdf": Need.PDF_INPUTS, "audio": Need.AUDIO_INPUTS, "video": Need.VIDEO_INPUTS}
_WORDS = {
    Need.TOOL_CALLING: "tools", Need.STRUCTURED_OUTPUT: "structured output", Need.JSON_MODE: "JSON mode",
    Need.IMAGE_INPUTS: "vision", Need.PDF_INPUTS: "PDF", Need.AUDIO_INPUTS: "audio", Need.VIDEO_INPUTS: "video",
    Need.REASONING_OUTPUT: "reasoning",
}  # fmt: skip


class RequestShape(NamedTuple):
    """A request that arrives at `at` (seconds of the run). `out`: tokens of a whole answer to it.

    `deny`: models that its terms forbade, if a log shows it.
    """

    at: float
    input_tokens: int
    out: int
    needs: Need = Need.NONE
    media: tuple[str, ...] = ()
    max_tokens: int | None = None
    stream: bool = False
    tenant: str = ""
    task: str = ""
    tags: tuple[str, ...] = ()
    chain: str = ""
    session: str = ""
    turns: int = 1
    in_tool_loop: bool = False
    answers: int | None = None
    service: str = ""
    deny: tuple[str, ...] = ()

    def request(self, id: str) -> Request:
        """As the router is asked."""
        terms = Routing(
            tenant=self.tenant, task=self.task, tags=self.tags, chain=self.chain, session=self.session, deny=self.deny
        )
        return Request(
            ("",), needs=self.needs, media=self.media, max_tokens=self.max_tokens, stream=self.stream, turns=self.turns,
            in_tool_loop=self.in_tool_loop, input_tokens=self.input_tokens, routing=terms, id=id, service=self.service,
            answers=self.answers, resumable=self.stream and not self.needs,
        )  # fmt: skip


def needs_text(needs: Need) -> str:
    """In words; '' = nothing special."""
    return " and ".join(word for need, word in _WORDS.items() if need in needs)


def needs_of(names: Iterable[object]) -> Need:
    """The needs of these names, as plans write them; names of no need are left out."""
    found = Need.NONE
    for name in names:
        found |= Need.__members__.get(name.upper(), Need.NONE) if isinstance(name, str) else Need.NONE
    return found


def media_needs(kinds: Iterable[str]) -> Need:
    """What attached parts ask of a model."""
    found = Need.NONE
    for kind in kinds:
        found |= _MEDIA.get(kind, Need.NONE)
    return found
