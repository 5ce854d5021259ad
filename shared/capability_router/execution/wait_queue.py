"""The queue for models that are full: bounded, interactive before batch, first come first served.

A request joins it when nothing else is left to try, and waits for all models that are full or rate limited for it. A
request that comes later, or with a lower priority, may not overtake it at these models. If the queue is full, or the
turn can't come in time, a request is refused at once; but one of higher priority replaces the last of the lowest
priority.

When a call ends, the first request that waits for its model is woken. A request also looks by itself now and then,
because places become free in other ways too.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import count, repeat
from typing import NamedTuple

from capability_router.concurrency.latch import InnerLatch
from capability_router.concurrency.lifetime import Lasting, watch
from capability_router.concurrency.wakeup import Wakeup
from capability_router.health.permit import NOBODY, Ahead
from capability_router.routing import PRIORITIES

_LATE_S = 2.0  # a request that is this late for its next check has gone away


class Place(NamedTuple):
    """A place in the queue: by priority, then by arrival."""

    rank: int
    number: int


class WaitQueue(Lasting):
    """Which requests wait for which models. Shared by all requests of a router; thread-safe. Times in seconds."""

    def __init__(self, most: int = 1_000) -> None:
        self._most = most
        self._numbers = count()
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._waiting: dict[str, list[Place]] = {}
        self._tokens: dict[Place, int] = {}
        self._looks: dict[Place, float] = {}
        self._stands: dict[Place, tuple[str, ...]] = {}
        self._wakeups: dict[Place, Wakeup] = {}  # of all that are in `_waiting`
        self._gone_at = float("inf")  # before this time no request can have gone away
        self._lock = InnerLatch()  # the garbage collector may end a request in the middle of another's

    def after_fork(self) -> None:
        """The waiting requests belong to the parent, and one of its threads may have held the lock."""
        self._begin()

    def __len__(self) -> int:
        return len(self._stands)

    def place(self, priority: str) -> Place | None:
        """A new place, for `stand`; None when the queue is full and no lower priority can be replaced."""
        rank = PRIORITIES.index(priority)
        with self._lock:
            if len(self._stands) >= self._most:
                last = max(self._stands, default=None)
                if last is None or last.rank <= rank:
                    return None
                self._quit(last)
            return Place(rank, next(self._numbers))

    def keeps(self, place: Place) -> bool:
        """Whether the request may keep its place: one of higher priority may have replaced it in a full queue."""
        return place in self._stands or len(self._stands) < self._most

    def stand(self, place: Place, models: Iterable[str], until: float, tokens: int = 0) -> Wakeup:
        """Wait for these models with so many tokens of input.

        The request promises to look again at `until`, or when the wakeup is set.
        """
        with self._lock:
            self._quit(place)
            names = self._stands[place] = tuple(models)
            self._looks[place] = until
            self._gone_at = min(self._gone_at, until + _LATE_S)
            wakeup = self._wakeups[place] = Wakeup()
            self._tokens[place] = tokens
            for model in names:
                insort(self._waiting.setdefault(model, []), place)
        return wakeup

    def freed(self, model: str) -> None:
        """A call of this model has ended: wake the first waiting request that was not woken yet."""
        if model in self._waiting:
            with self._lock:
                standing = (self._wakeups[place] for place in self._waiting.get(model, ()))
                first = next((wakeup for wakeup in standing if not wakeup.told), None)
                if first is not None:
                    first.tell()

    def leave(self, place: Place) -> None:
        """Leave the queue."""
        with self._lock:
            self._quit(place)

    def ahead(self, model: str, place: Place | None, priority: str, now: float) -> int:
        """How many requests wait for this model before that place, or before a newcomer of that priority."""
        if model not in self._waiting:
            return 0
        mine = place or Place(PRIORITIES.index(priority), 1 << 62)
        if now > self._gone_at:
            with self._lock:
                self._forget(mine, now)
        return bisect_left(self._waiting.get(model, ()), mine)  # atomic: one step of the interpreter

    def before(self, model: str, place: Place | None, priority: str, now: float) -> Ahead:
        """The same requests with their tokens."""
        if model not in self._waiting or not (calls := self.ahead(model, place, priority, now)):
            return NOBODY
        places = self._waiting.get(model, [])[:calls]
        return Ahead(len(places), partial(_sum, self._tokens, places))

    def ahead_of_newcomer(self, model: str, priority: str, now: float) -> int:
        """How many requests wait for this model before one that comes now."""
        return self.ahead(model, None, priority, now)

    def _forget(self, mine: Place, now: float) -> None:
        """Drop requests that did not look when they promised to, except `mine`, which is looking now."""
        for gone in [place for place, look in self._looks.items() if look + _LATE_S < now and place != mine]:
            self._quit(gone)
        self._gone_at = max(now, min(self._looks.values(), default=float("inf")) + _LATE_S)

    def _quit(self, place: Place) -> None:
        self._looks.pop(place, None)
        for model in self._stands.pop(place, ()):
            waiting = self._waiting.get(model, [])
            if place in waiting:
                waiting.remove(place)
            if not waiting:
                self._waiting.pop(model, None)
        self._wakeups.pop(place, None)
        self._tokens.pop(place, None)

    def __repr__(self) -> str:
        return f"<WaitQueue {len(self)} of {self._most} places taken>"


def _sum(tokens: Mapping[Place, int], places: Iterable[Place]) -> int:
    """The tokens of these places; of those who have left meanwhile none."""
    return sum(map(tokens.get, places, repeat(0)))
