"""Connections of a parent process, which its forked child has, too: the child lets go of them.

Both hold the same sockets. Were both to send over one, each might read the other's answer, or wait for ever for one
that the other has read. So in the child every pool below a model is empty, with locks that nobody holds. The old
connections are kept, unused: to close what belongs to a loop of the parent's would take its sockets out of the
selector that both share.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from threading import Lock
from typing import Any

from capability_router.connections.divided import Divided, another, listed
from capability_router.connections.pools import pools

_log = logging.getLogger(__name__)
_parents: list[Any] = []


def let_go(models: Iterable[object]) -> int:
    """Empty the pools below these models; how many there were. To be called in the child, before it does anything."""
    count = 0
    for model in models:
        try:
            count += sum(map(_emptied, [held.pool for held in pools(model)]))
        except Exception as error:  # noqa: BLE001 - an SDK of another shape, which is left as it is
            _log.debug("the pools of %s can't be emptied (%s)", type(model).__name__, type(error).__name__)
    return count


def _emptied(pool: Any) -> bool:
    if isinstance(pool, Divided):
        return sum(map(_emptied, pool.begin_anew(Lock()))) > 0
    if listed(pool) is None:
        return False
    _parents.append(dict(vars(pool)))
    vars(pool).update(vars(another(pool)))
    return True
