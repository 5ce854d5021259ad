"""Which requests are looked at where a log has too many: those whose ids have the lowest hashes.

So the order of files and lines does not change the sample. Of a request, all lines are taken or none. A request that is
not in the sample costs no more than its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from hashlib import blake2b
from typing import Any

ALL = 1 << 64
AGAIN = "\x1f"
"""In an id: requests that differ only in what follows it are in the sample together, or not at all."""
_ROOM = 1.25  # times as many are held as are wanted, before the highest hashes go


class HashSample:
    """At most `most` ids."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._below = ALL

    def takes(self, id: str) -> bool:
        """Whether this request is looked at, as far as is known by now."""
        return self._below == ALL or _place(id) < self._below

    def thin(self, held: MutableMapping[str, Any]) -> None:
        """Drop what is out of the sample, once there is much more than is wanted."""
        if len(held) > _ROOM * self.most:
            self._narrow(held)
            for id in [id for id in held if _place(id) >= self._below]:
                del held[id]

    def chosen(self, ids: Iterable[str]) -> tuple[set[str], int]:
        """Of all that were held in the end: those in the sample, and how many requests are not in it."""
        known = {id for id in ids if self.takes(id)}
        seen = round(len(known) * (ALL / self._below))
        if len(known) > self.most:
            self._narrow(known)
            known = {id for id in known if _place(id) < self._below}
        return known, seen - len(known)

    def _narrow(self, ids: Iterable[str]) -> None:
        self._below = min(sorted(map(_place, ids))[self.most], self._below)


def _place(id: str) -> int:
    digest = blake2b(id.partition(AGAIN)[0].encode("utf-8", "replace"), digest_size=8, person=b"log sample")
    return int.from_bytes(digest.digest(), "big")
