"""What a simulated provider says of an answer: whole, or cut."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router.clock import SystemClock
from capability_router.simulator.http.delivery import Delivery, GenerationSpeed
from capability_router.simulator.http.reply_sender import ReplySender
from capability_router.simulator.http.wire import Piece


class Connection:
    """A transport as far as a stage asks it."""

    def __init__(self, closing: bool) -> None:
        self._closing = closing

    def is_closing(self) -> bool:
        return self._closing


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("cut", [False, True])
async def test_an_answer_that_is_ready_when_its_connection_is_cut_is_not_complete(cut: bool, streamed: bool) -> None:
    """An outage closes connections; a timer that is due in the same turn of the loop is still run."""
    told: list[tuple[int, bool]] = []

    async def send(_: Any) -> None:
        """As a server does on a closed connection: without a word."""

    stage = ReplySender({"type": "http", "state": {"transport": Connection(closing=cut)}}, send)
    delivery = Delivery(stage, GenerationSpeed(0.0, 0.0), SystemClock(), None, {}, lambda *said: told.append(said))
    if streamed:
        await delivery.stream([Piece(b"data: a", 3, "content")])
    else:
        await delivery.whole({"choices": []}, 3)
    assert told == [(3, not cut)]
