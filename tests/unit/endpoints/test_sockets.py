"""A blocking socket whose reader was busy when the time was over."""

from __future__ import annotations

from typing import Any

import httpcore
import pytest

from capability_router.clock import ManualClock
from capability_router.endpoints.sockets import TimedStream
from capability_router.endpoints.timeouts import CallDeadline, ClientTimeouts


class Socket(httpcore.MockStream):
    """Gives what has come; without anything, the time it is given passes."""

    def __init__(self, clock: ManualClock, *came: bytes) -> None:
        super().__init__(list(came))
        self.clock, self.limits = clock, list[float | None]()

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        self.limits.append(timeout)
        if not self._buffer:
            self.clock.sleep(timeout)
            raise httpcore.ReadTimeout
        return super().read(max_bytes, timeout)


def timed(clock: ManualClock, *came: bytes, by: str = "timeouts.total") -> tuple[Socket, TimedStream, CallDeadline]:
    socket = Socket(clock, *came)
    return socket, TimedStream(socket), CallDeadline(ClientTimeouts(total=1.0), stream=True, now=clock.now, total_by=by)


@pytest.mark.parametrize("by", ["timeouts.total", "deadline_s"])
def test_what_had_come_is_read_and_no_more_is_waited_for(by: str) -> None:
    clock = ManualClock()
    socket, stream, patience = timed(clock, b"one", b"two", b"three", by=by)
    assert stream.read(9, patience) == b"one"
    clock.sleep(3.0)  # the program is busy
    assert (stream.read(9, patience), stream.read(9, patience)) == (b"two", b"three")
    with pytest.raises(httpcore.ReadTimeout):
        stream.read(9, patience)
    assert clock.now() == pytest.approx(3.02)
    assert socket.limits == [1.0, 0.02, 0.02, 0.02]


def test_who_sends_on_and_on_is_not_read_for_ever() -> None:
    clock = ManualClock()
    socket, stream, patience = timed(clock, *[b"more"] * 100)
    clock.sleep(3.0)
    assert _read(stream, patience, clock) < 15
    assert len(socket.limits) < 15


def _read(stream: TimedStream, patience: CallDeadline, clock: ManualClock) -> int:
    """How often until its time is over."""
    for number in range(100):
        try:
            stream.read(9, patience)
        except httpcore.ReadTimeout:
            return number
        clock.sleep(0.01)
    return 100


def test_one_that_is_hardly_late_is_told_so() -> None:
    clock = ManualClock()
    socket, stream, patience = timed(clock, b"one")
    clock.sleep(1.01)
    with pytest.raises(httpcore.ReadTimeout, match="no time left"):
        stream.read(9, patience)
    assert socket.limits == []


def test_nothing_is_sent_when_the_time_is_over() -> None:
    clock = ManualClock()
    _, stream, patience = timed(clock)
    clock.sleep(3.0)
    with pytest.raises(httpcore.ReadTimeout, match="no time left"):
        stream.write(b"question", patience)
