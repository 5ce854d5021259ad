"""What belongs to an attempt holds while its candidate works, and not a step longer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from llama_index_instrumentation.dispatcher import active_instrument_tags, instrument_tags

from llamaindex_router.attempts.context import AttemptContext
from llamaindex_router.messages.structured_replies import CapturedResponses
from llamaindex_router.side_channel import SideChannel, current_channel
from llamaindex_router.tracing import _tapped


def _launch(after: str = "") -> Any:
    return SimpleNamespace(attempt=2, after=after, candidate=SimpleNamespace(id="m"))


@pytest.mark.parametrize("sink", [None, CapturedResponses()])
def test_each_step_has_it_and_nothing_stays(sink: CapturedResponses | None) -> None:
    channel = SideChannel()
    underway = AttemptContext(_launch(after="timeout"), channel, sink)
    with instrument_tags({"mine": 1}):
        for _ in range(2):
            tags, *seen = _seen_within(underway)
            assert tags == {"mine": 1, "router.attempt": 2, "router.candidate": "m", "router.reason": "after timeout"}
            assert seen == [channel, sink]
            with pytest.raises(ConnectionError):
                _failing_within(underway)
            assert active_instrument_tags.get() == {"mine": 1}
            assert current_channel() is not channel
            assert _tapped.get() is None


def _seen_within(underway: AttemptContext) -> Any:
    with underway:
        return active_instrument_tags.get(), current_channel(), _tapped.get()


def _failing_within(underway: AttemptContext) -> None:
    with underway:
        raise ConnectionError
