"""The thread in whose loop answers are evaluated, as the process ends."""

from __future__ import annotations

import asyncio

from capability_router.evaluation.loop_thread import _LoopReader


def test_a_loop_that_has_just_been_closed_needs_no_halt() -> None:
    """A loop may end while the process does; an error here would keep the readers after it from being halted."""
    loop = asyncio.new_event_loop()
    resident = _LoopReader(loop)
    loop.close()
    resident.halt()
    assert resident.halted
