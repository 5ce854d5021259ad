"""Bounds the effect of tenants' scores on each other.

There are two bounds. First, what one tenant sees of a model stays within `BOUND` of what cards, prices, the look of the
request and its own scores say. This holds against the scores of all other tenants together, however many there are.
Second, a tenant with more scores than all others together counts only as much as they do in what all share. With a
single tenant, neither applies. Names are kept as hashes.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from threading import Lock

BOUND = 0.3  # quality points
FADE = 0.995  # of a tenant's own scores of a model, per such score
_SHARED_FADE = 0.999  # of the weight of everybody's scores, per score of anybody
_GRANTED = 20.0  # scores that others are worth at first, as a card is
KEPT = 1_000

Sums = tuple[float, float]
"""Of scores: the faded sum and count."""


@dataclass(slots=True)
class TenantScores:
    """One tenant's scores: `levels` model -> faded sum and count; `mass` of all of them, as of score number `at`."""

    levels: dict[str, Sums] = field(default_factory=dict)
    mass: float = 0.0
    at: int = 0


class TenantBounds:
    """The 1,000 tenants that scored last; thread-safe. The name "" is a tenant like any other."""

    def __init__(self) -> None:
        self.known: OrderedDict[str, TenantScores] = OrderedDict()
        self._scores = 0
        self._total = 0.0
        self._lock = Lock()

    def note(self, tenant: str, model: str, score: float) -> float:
        """Add a tenant's score of a model; returns its weight, above 0 and at most 1, in the shared model."""
        return self.told(hashed(tenant), model, score)

    def told(self, name: str, model: str, score: float) -> float:
        """The same by the hash of its name."""
        with self._lock:
            own = self._own(name)
            self._scores, self._total = self._scores + 1, _SHARED_FADE * self._total + 1.0
            own.mass = own.mass * _SHARED_FADE ** (self._scores - own.at) + 1.0
            own.at = self._scores
            total, count = own.levels.get(model, (0.0, 0.0))
            own.levels[model] = (FADE * total + score, FADE * count + 1.0)
            return self._weight(own.mass)

    def corrected(self, name: str, model: str, by: float, among: int) -> float:
        """One of its `among` remembered scores is replaced, by one that is so much higher; the weight of a score."""
        with self._lock:
            own = self.known.get(name)
            if own is None:
                return 1.0
            if model in own.levels:
                own.levels[model] = replaced(own.levels[model], by, among, 0.0, 1.0)
            return self._weight(own.mass * _SHARED_FADE ** (self._scores - own.at))

    def _weight(self, mass: float) -> float:
        """Of a score of a tenant whose scores count so much."""
        if len(self.known) < 2:
            return 1.0
        return min(1.0, (max(self._total - mass, 0.0) + _GRANTED) / mass)

    def leads(self, name: str) -> bool:
        """Whether at least half of all that counts is this tenant's, by the hash of its name, or it is unknown."""
        own = self.known.get(name)
        return own is None or 2.0 * own.mass >= self._total

    def bind(self, tenant: str) -> bool:
        """Whether any other tenant has scored."""
        known = self.known
        return bool(known) and not (len(known) == 1 and hashed(tenant) in known)

    def bounded(self, tenant: str, model: str, quality: float, before: float, worth: float) -> float:
        """`quality`, limited to the bound around what the tenant has reason to believe without the others.

        `before` is believed of the model before any score, and counts as `worth` scores.
        """
        if not self.bind(tenant):
            return quality
        own = self.known.get(hashed(tenant))
        total, count = (0.0, 0.0) if own is None else own.levels.get(model, (0.0, 0.0))
        anchor = (worth * before + total) / (worth + count)
        return min(max(quality, anchor - BOUND), anchor + BOUND)

    def kept(self) -> list[tuple[str, float, dict[str, tuple[float, float]]]]:
        """A copy to store: hashed name, mass and levels, the newest last."""
        with self._lock:
            return [(name, own.mass, dict(own.levels)) for name, own in self.known.items()]

    def put(self, name: str, own: TenantScores) -> None:
        """Restore a tenant by its hashed name. An existing tenant is not changed."""
        with self._lock:
            if name in self.known:
                return
            own.at = self._scores
            self.known[name] = own
            self._total += own.mass

    def forked(self) -> None:
        """In a forked child: a thread of the parent may have held the lock."""
        self._lock = Lock()

    def _own(self, name: str) -> TenantScores:
        own = self.known.setdefault(name, TenantScores(at=self._scores))
        self.known.move_to_end(name)
        if len(self.known) > KEPT:
            self.known.popitem(last=False)
        return own


def replaced(sums: Sums, by: float, among: int, least: float, most: float) -> Sums:
    """After one of `among` remembered scores has moved so far; scores lie between `least` and `most`.

    Of those that have faded, each moves the mean alike.
    """
    total, count = sums
    moved = total + by * min(1.0, count / max(among, 1))
    return min(max(moved, least * count), most * count), count


@lru_cache(maxsize=4096)  # a plan asks for it once per model
def hashed(tenant: str) -> str:
    """The stored form of a name."""
    return blake2b(tenant.encode("utf-8", "replace"), digest_size=8).hexdigest()
