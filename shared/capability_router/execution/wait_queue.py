"""The queue for models that are full: bounded, interactive before batch, first come first served.

A request joins it when nothing else is left to try, and waits for all models that are full or rate limited for it. A
request that comes later, or with a lower priority, may not overtake it at these models. If the queue is full, or the
turn can't come in time, a request is refused at once; but one of higher priority replaces the last of the lowest
priority.

When a call ends, the first request that waits for its model is woken; when a model is open again, all are. A request
also looks by itself now and then, because places become free in other ways too.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import count
from typing import NamedTuple

from capability_router.concurrency.latch import ReentrantLatch
from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.concurrency.wakeup import Wakeup
from capability_router.health.condition import EventKind, HealthEvent
from capability_router.health.permit import NOBODY, RequestsAhead
from capability_router.routing import PRIORITIES

_OPENED: tuple[EventKind, ...] = (
    "breaker_closed", "credential_enabled", "model_enabled", "rate_limit_over", "reset",
)  # fmt: skip
_LATE_S = 2.0  # a request that is this late for its next check has gone away


class QueuePosition(NamedTuple):
    """A place in the queue: by priority, then by arrival."""

    rank: int
    number: int


class _QueuedRequest(NamedTuple):
    """A request in the queue: the models it waits for, when it looks again, its tokens of input."""

    models: tuple[str, ...]
    until: float
    tokens: int
    wakeup: Wakeup


class WaitQueue(ProcessHooks):
    """Which requests wait for which models. Shared by all requests of a router; thread-safe. Times in seconds."""

    def __init__(self, most: int = 1_000) -> None:
        self._most = most
        self._numbers = count()
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self._order: list[QueuePosition] = []
        self._waiting: defaultdict[str, list[QueuePosition]] = defaultdict(list)  # by model, in order
        self._standing: dict[QueuePosition, _QueuedRequest] = {}
        self._gone_at = float("inf")  # before this time no request can have gone away
        self._lock = ReentrantLatch()  # the garbage collector may end a request in the middle of another's

    def after_fork(self) -> None:
        """The waiting requests belong to the parent, and one of its threads may have held the lock."""
        self._begin()

    def __len__(self) -> int:
        return len(self._standing)

    def place(self, priority: str) -> QueuePosition:
        """A new place, for `stand`."""
        return QueuePosition(PRIORITIES.index(priority), next(self._numbers))

    def stand(self, place: QueuePosition, models: Iterable[str], until: float, tokens: int = 0) -> Wakeup | None:
        """Wait for these models with so many tokens of input; None when the queue is full.

        The request promises to look again at `until`, or when the wakeup is set. In a full queue it replaces the last
        of a lower priority, which is woken.
        """
        here = _QueuedRequest(tuple(models), until, tokens, Wakeup())
        with self._lock:
            before = self._standing.get(place)
            if before is None and not self._has_room(place):
                return None
            self._gone_at = min(self._gone_at, until + _LATE_S)
            if before is not None and before.models == here.models:  # the usual case: it looks again
                self._standing[place] = here
                return here.wakeup
            self._quit(place)
            self._standing[place] = here
            insort(self._order, place)
            for model in here.models:
                insort(self._waiting[model], place)
        return here.wakeup

    def _has_room(self, place: QueuePosition) -> bool:
        """Whether the queue is not full, or the last in it could be replaced."""
        if len(self._order) < self._most:
            return True
        if not self._order or self._order[-1].rank <= place.rank:
            return False
        last = self._order[-1]
        wakeup = self._standing[last].wakeup
        self._quit(last)
        wakeup.tell()
        return True

    def freed(self, model: str) -> None:
        """A call of this model has ended: wake the first waiting request that was not woken yet."""
        if waiting := self._waiting.get(model):
            with self._lock:
                standing = map(self._standing.get, waiting)
                first = next((here for here in standing if here is not None and not here.wakeup.told), None)
                if first is not None:
                    first.wakeup.tell()

    def heard(self, event: HealthEvent) -> None:
        """A model is open before its time, or again: all look, because some waited until that time."""
        if event.kind in _OPENED:
            with self._lock:
                for here in self._standing.copy().values():
                    here.wakeup.tell()

    def leave(self, place: QueuePosition) -> None:
        """Leave the queue."""
        with self._lock:
            self._quit(place)

    def ahead(self, model: str, place: QueuePosition | None, priority: str, now: float) -> int:
        """How many requests wait for this model before that place, or before a newcomer of that priority."""
        if not self._waiting.get(model):
            return 0
        mine = place or QueuePosition(PRIORITIES.index(priority), 1 << 62)
        if now > self._gone_at:
            with self._lock:
                self._forget(mine, now)
        return bisect_left(self._waiting[model], mine)  # atomic: one step of the interpreter

    def before(self, model: str, place: QueuePosition | None, priority: str, now: float) -> RequestsAhead:
        """The same requests with their tokens."""
        if not self._waiting.get(model) or not (calls := self.ahead(model, place, priority, now)):
            return NOBODY
        places = self._waiting[model][:calls]
        return RequestsAhead(len(places), partial(_sum, self._standing, places))

    def ahead_of_newcomer(self, model: str, priority: str, now: float) -> int:
        """How many requests wait for this model before one that comes now."""
        return self.ahead(model, None, priority, now)

    def _forget(self, mine: QueuePosition, now: float) -> None:
        """Drop requests that did not look when they promised to, except `mine`, which is looking now."""
        for place, here in self._standing.copy().items():
            if here.until + _LATE_S < now and place != mine:
                self._quit(place)
        looks = [here.until for here in self._standing.copy().values()]
        self._gone_at = max(now, min(looks, default=float("inf")) + _LATE_S)

    def _quit(self, place: QueuePosition) -> None:
        """Each step leaves the queue in order: the garbage collector may end another request between two of them."""
        if (here := self._standing.get(place)) is not None:
            for places in (self._order, *map(self._waiting.__getitem__, here.models)):
                if place in places:
                    places.remove(place)
            self._standing.pop(place, None)

    def __repr__(self) -> str:
        return f"<WaitQueue {len(self)} of {self._most} places taken>"


def _sum(standing: Mapping[QueuePosition, _QueuedRequest], places: Iterable[QueuePosition]) -> int:
    """The tokens of these places; of those who have left meanwhile none."""
    return sum(here.tokens for here in map(standing.get, places) if here is not None)
