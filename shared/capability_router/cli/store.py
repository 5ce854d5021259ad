"""A store that a command looks at: it must be there, and is left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from capability_router.errors import ConfigError

if TYPE_CHECKING:
    from capability_router.stores.base import Store


class NoStore(ConfigError):
    """There is nothing to look at there."""


def open_existing(url: str) -> Store:
    """The store at this URL, to be read until the command ends. Raises NoStore where none can be seen from outside."""
    from capability_router.clock import SystemClock
    from capability_router.stores.opening import file_of, open_store

    if url.startswith("memory://"):
        raise NoStore("a memory store can't be seen from outside its process; set `store:` to sqlite:///router.db")
    path = file_of(url)
    if path is not None and not path.is_file():
        raise NoStore(f"no store at {str(path)!r} ({url}); routers make it with their first call")
    store = open_store(url, SystemClock(), reads_only=True)
    click.get_current_context().call_on_close(store.close)
    return store
