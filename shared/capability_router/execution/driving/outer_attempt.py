"""The attempt in whose thread a request is made, as when a router is a model of another one.

A thread can't be cancelled. So an attempt that is given up wakes the requests made in it, which wait for their own
models: they end, and give back their permits and reservations.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

Wake = Callable[[], object]


class OuterAttemptAbandoned(Exception):
    """Ends a request whose answer is not wanted any more."""

    def __init__(self) -> None:
        super().__init__("the attempt of another router in which this request was made was given up")


class OuterAttempt:
    """One attempt in a thread, for the requests made in it. Thread-safe: its thread adds, its driver gives up."""

    __slots__ = ("_given_up", "_wakes")

    def __init__(self) -> None:
        self._given_up = False
        self._wakes: list[Wake] = []

    def enter(self, wake: Wake) -> None:
        """A request begins to wait; `wake` is called, from any thread, when the attempt is given up, or now."""
        if self is NOBODY:
            return
        self._wakes.append(wake)
        if self._given_up:  # read after the `append`, because `give_up` may be under way
            wake()

    def leave(self, wake: Wake) -> None:
        """The request has ended."""
        if self is not NOBODY:
            self._wakes.remove(wake)

    def give_up(self) -> None:
        """Wake all requests that wait, and those to come."""
        self._given_up = True
        for wake in tuple(self._wakes):
            wake()


NOBODY = OuterAttempt()
ENCLOSING: ContextVar[OuterAttempt] = ContextVar("capability_router_enclosing", default=NOBODY)
