"""Which store a URL means."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from capability_router.clock import Clock
from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.stores.base import Store
from capability_router.stores.memory import MemoryStore

SCHEMES = ("memory", "sqlite", "redis", "rediss", "unix")


def open_store(url: str, clock: Clock, *, mend: bool = False, reads_only: bool = False) -> Store:
    """The store at this URL, which is neither made nor asked before its first use. Redis has a clock of its own.

    A damaged file raises CorruptStore then, or with `mend` is moved aside, and a new one begun. `reads_only`: a file
    must be there, hold a store, and is left as it is.
    """
    scheme, mark, _ = url.partition("://")
    if not mark:  # not repeated: there may be a password in it
        raise ConfigError("store: write a URL: sqlite:///router.db, redis://host:6379/0 or memory://")
    if scheme not in SCHEMES:
        raise ConfigError(f"store: unknown kind {scheme!r}{nearest(scheme, SCHEMES)}")
    if scheme == "memory":
        return MemoryStore(clock.unix)
    if (path := file_of(url)) is not None:
        from capability_router.stores.sqlite.store import SqliteStore  # here, because it loads sqlite3

        return SqliteStore(path, clock.unix, mend=mend, reads_only=reads_only, now=clock.now)
    from capability_router.stores.redis.store import RedisStore  # here, because it loads the client

    return RedisStore(url, clock.now)


def file_of(url: str) -> Path | None:
    """The path that a store's URL names; None = it is kept in no file. Raises ConfigError for one that names none."""
    scheme, _, rest = url.partition("://")
    if scheme != "sqlite":
        return None
    if not rest.startswith("/") or not rest[1:].strip("/"):
        raise ConfigError(
            "store: write sqlite:///router.db for a relative path, sqlite:////var/router.db for an absolute"
        )
    return Path(unquote(rest[1:]))
