"""Which store a URL means."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from capability_router.clock import Clock
from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.stores.base import Store
from capability_router.stores.memory import MemoryStore

log = logging.getLogger("capability_router")
SCHEMES = ("memory", "sqlite", "redis", "rediss", "unix")


def open_store(url: str, clock: Clock, *, mend: bool = False) -> Store:
    """The store at this URL. Redis has a clock of its own, and is not asked yet.

    A damaged file raises CorruptStore, or with `mend` is moved aside, and a new one begun.
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in SCHEMES:
        raise ConfigError(f"store: unknown kind {scheme!r}{nearest(scheme, SCHEMES)}")
    if scheme == "memory":
        return MemoryStore(clock.unix)
    if scheme == "sqlite":
        return _sqlite(rest, clock.unix, mend)
    from capability_router.stores.redis import RedisStore  # here, because it loads the client

    return RedisStore(url, clock.now)


def _sqlite(rest: str, unix: Callable[[], float], mend: bool) -> Store:
    from capability_router.stores.database import CorruptStore  # here, because it loads sqlite3
    from capability_router.stores.sqlite import SqliteStore

    if not rest.startswith("/") or not rest[1:].strip("/"):
        raise ConfigError(
            "store: write sqlite:///router.db for a relative path, sqlite:////var/router.db for an absolute"
        )
    path = Path(unquote(rest[1:]))
    try:
        return SqliteStore(path, unix)
    except CorruptStore:
        if not mend:
            raise
        _set_aside(path, unix())
        return SqliteStore(path, unix)


def _set_aside(path: Path, now: float) -> None:
    """Move a damaged file out of the way, its companions with it."""
    for tail in ("", "-wal", "-shm"):
        old = path.with_name(path.name + tail)
        if old.exists():
            old.rename(path.with_name(f"{path.name}.damaged-{int(now)}{tail}"))
    log.warning("the store %s was damaged; it was moved to %s.damaged-%d and a new one begun", path, path, int(now))
