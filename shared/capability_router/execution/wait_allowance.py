"""How long one request may still wait for a target."""

from __future__ import annotations

ANSWERED_S = 1.0  # with an answer in hand it waits no longer


class WaitAllowance:
    """The waits of one request, while no attempt is in flight. `max_wait_s` bounds their sum.

    With a poor answer in hand the request waits for ANSWERED_S more at most: its caller would have that answer already.
    """

    __slots__ = ("_answered_s", "_idle_since", "_max_s", "_waited_s")

    def __init__(self, max_wait_s: float) -> None:
        self._max_s = max_wait_s
        self._answered_s: float | None = None  # what it may wait in all with an answer in hand
        self._idle_since = self._waited_s = 0.0

    def idle(self, at: float) -> None:
        """From now on no attempt is in flight, or one less."""
        self._idle_since = at

    def over(self, at: float) -> None:
        """A target was found for the next attempt."""
        self._waited_s += at - self._idle_since

    def latest(self, *, answered: bool) -> float:
        """The time after which no target is waited for. `answered`: a poor answer is in hand."""
        most = self._max_s
        if answered:
            if self._answered_s is None:
                self._answered_s = min(most, self._waited_s + ANSWERED_S)
            most = self._answered_s
        return self._idle_since + most - self._waited_s
