"""Which store a URL means."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.stores.base import Store
from capability_router.stores.database import CorruptStore
from capability_router.stores.memory import MemoryStore

log = logging.getLogger("capability_router")
SCHEMES = ("memory", "sqlite")


def open_store(url: str, unix: Callable[[], float], *, mend: bool = False) -> Store:
    """The store at this URL; `unix` is the clock for stores that have none of their own.

    A damaged file raises CorruptStore, or with `mend` is moved aside, and a new one begun.
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in SCHEMES:
        raise ConfigError(f"store: unknown kind {scheme!r}{nearest(scheme, SCHEMES)}")
    if scheme == "memory":
        return MemoryStore(unix)
    return _sqlite(rest, unix, mend)


def _sqlite(rest: str, unix: Callable[[], float], mend: bool) -> Store:
    from capability_router.stores.sqlite import SqliteStore  # here, because it loads sqlite3

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


def shown_url(url: str) -> str:
    """The URL without a password, for errors and logs."""
    try:
        parts: Any = urlsplit(url)
        password, user, host, port = parts.password, parts.username, parts.hostname or "", parts.port
    except ValueError:
        return f"{url.partition('://')[0]}://..."
    if not password and not user and not parts.query:
        return url
    who = f"{user}:***@" if password else f"{user}@" if user else ""
    return f"{parts.scheme}://{who}{host}{f':{port}' if port else ''}{parts.path}"
