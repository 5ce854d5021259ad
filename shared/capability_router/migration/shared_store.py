"""Shared state: LiteLLM's Redis as a store of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from capability_router.migration.note import ImportNotes
from capability_router.migration.source import Place
from capability_router.migration.variables import Variables, named, put

Block = Mapping[str, Any]
_HOST = re.compile(r"^[\w.-]+$")


class SharedStore:
    """Finds the one Redis of a configuration."""

    def __init__(self, notes: ImportNotes, variables: Variables) -> None:
        self._notes, self._variables = notes, variables

    def store(self, router: Block, at: Place, library: Block) -> dict[str, Any] | None:
        """The `store` block; None = nothing is shared, or it can't be expressed."""
        words = {key.removeprefix("redis_"): value for key, value in router.items() if str(key).startswith("redis_")}
        place, prefix = at, "redis_"
        params = library.get("cache_params")
        if not words and library.get("cache") and isinstance(params, Mapping) and _is_redis(params):
            words, place, prefix = dict(params), ("litellm_settings", "cache_params"), ""
        if not words:
            return None
        whole = words.get("url")
        url = self._whole(whole, (*place, f"{prefix}url")) if whole else self._made(words, place, prefix)
        if url is None:
            return None
        first = next(key for key in ("url", "host", "port") if words.get(key))
        self._notes.differs(
            (*place, f"{prefix}{first}"),
            "budgets, and what is learned, are shared through it; breakers and rates are each process's own. "
            "While it is away calls go on, as there, so caps don't hold then; `when_away: fail_closed` stops them",
        )  # fmt: skip
        return {"url": url, "when_away": "fail_open"}

    def _whole(self, value: Any, place: Place) -> str | None:
        variable = named(value)
        if variable:
            return f"${{{variable}}}"
        try:
            parts = urlsplit(str(value))
            host, port = parts.hostname, parts.port or 6379
        except ValueError:
            host = None
        if not host or parts.scheme not in ("redis", "rediss"):
            self._notes.left_out(place, "it is no URL of the kind redis://host:6379/0", "set `store` by hand")
            return None
        secret = f"{parts.username or ''}:{parts.password}" if parts.password else ""
        who = self._moved(secret, place) if secret else ""
        database = parts.path.strip("/") or "0"
        host = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{who}{host}:{port}/{database if database.isdecimal() else 0}"

    def _moved(self, secret: str, place: Place) -> str:
        name = self._variables.name_for(secret, "REDIS_PASSWORD")
        self._notes.add(
            "secret", place, "a password stands in the file in plain, and was not copied", f"set {name} to it"
        )
        user = secret.partition(":")[0]
        return f"{quote(user)}:${{{name}}}@"

    def _made(self, words: Block, place: Place, prefix: str) -> str | None:
        host = words.get("host")
        if not isinstance(host, str) or not (named(host) or _HOST.match(host)):
            todo = "set store: redis://host:6379/0"
            self._notes.left_out((*place, f"{prefix}host"), "nothing tells where Redis is", todo)
            return None
        port, database = _numbered(words.get("port"), "6379"), _numbered(words.get("db"), "0")
        secret = words.get("password")
        who = ""
        if named(secret):
            who = f":${{{named(secret)}}}@"
        elif isinstance(secret, str) and secret:
            who = self._moved(f":{secret}", (*place, f"{prefix}password"))
        if who:
            todo = "write its /, @, : and % as %2F, %40, %3A and %25 in the variable"
            self._notes.add("to do", (*place, f"{prefix}password"), "it becomes part of an address", todo)
        scheme = "rediss" if words.get("ssl") is True else "redis"
        return f"{scheme}://{who}{put(host)}:{port}/{database}"


def _numbered(value: Any, default: str) -> str:
    """A number, or the variable that holds one."""
    return put(str(value)) if named(value) or str(value).isdecimal() else default


def _is_redis(params: Block) -> bool:
    return str(params.get("type") or "redis").startswith("redis") and bool(params.get("host") or params.get("url"))
