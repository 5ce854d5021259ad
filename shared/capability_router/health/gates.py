"""When a rate limit lets the next call pass: a time before which a model isn't called.

A 429 says nothing about a model's health, only that this account sent too much. So it never counts
against the breaker; it closes the gate of (base_url, credential, model) until the time the provider
named, or, when it named none, for 1 s, 2 s, 4 s ... 60 s.

A burst of calls in flight is refused all at once. Only a call that was sent after the gate was last
closed says something new: the others never lengthen the guess.
"""

from __future__ import annotations

_FIRST_S, _LONGEST_GUESS_S, _LONGEST_S = 1.0, 60.0, 3600.0


class Gate:
    """One account's gate for one model. Pure; `now` and `until` are monotonic seconds.

    `until` 0.0 = open. A provider's hint is obeyed up to an hour, then looked at again.
    """

    __slots__ = ("_closed_at", "_guesses", "until")

    def __init__(self) -> None:
        self.open()

    def __repr__(self) -> str:
        return f"Gate(until={self.until:g})"

    def open(self) -> None:
        """As new."""
        self.until = 0.0
        self._closed_at = float("-inf")
        self._guesses = 0

    def refused(self, now: float, taken_at: float, retry_after_s: float | None) -> None:
        """A call sent at `taken_at` met the rate limit; `retry_after_s` is the provider's hint."""
        if retry_after_s is not None and retry_after_s > 0:
            self.close(now, retry_after_s)
        elif taken_at >= self._closed_at:
            self.close(now, min(_FIRST_S * 2.0**self._guesses, _LONGEST_GUESS_S))
            self._guesses = min(self._guesses + 1, 10)

    def close(self, now: float, seconds: float) -> None:
        """Not before `seconds` from now; never opens earlier than said before."""
        self.until = max(self.until, now + min(seconds, _LONGEST_S))
        self._closed_at = now

    def passed(self, taken_at: float) -> None:
        """A call sent at `taken_at` was answered; one sent since the gate closed proves it open."""
        if self.until and taken_at >= self._closed_at:
            self.open()
