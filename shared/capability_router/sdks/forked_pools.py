"""Drops the connections that a forked child has inherited from its parent.

Parent and child hold the same sockets. If both sent over one, each might read the other's answer, or wait for ever for
an answer that the other has read. So in the child every pool below a model is emptied and gets new locks. The old
connections are kept, unused: closing a connection of the parent's loop would remove its socket from the selector that
both share.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from threading import Lock
from typing import Any

from capability_router.sdks.pool_per_loop import PoolPerLoop, another, listed
from capability_router.sdks.pools import pools

_log = logging.getLogger(__name__)
_parents: list[Any] = []


def drop_inherited(models: Iterable[object]) -> int:
    """Empty the pools below these models; returns their number. Call it in the child, before anything else."""
    count = 0
    for model in models:
        try:
            count += sum(map(_emptied, [held.pool for held in pools(model)]))
        except Exception as error:  # noqa: BLE001 - an SDK of another shape, which is left as it is
            _log.debug("the pools of %s can't be emptied (%s)", type(model).__name__, type(error).__name__)
    return count


def _emptied(pool: Any) -> bool:
    if isinstance(pool, PoolPerLoop):
        return sum(map(_emptied, pool.begin_anew(Lock()))) > 0
    if listed(pool) is None:
        return False
    _parents.append(dict(vars(pool)))
    vars(pool).update(vars(another(pool)))
    return True
