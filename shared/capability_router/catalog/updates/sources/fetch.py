"""A list of models from where it is published, an address or a file: only when the user asks for it."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from capability_router.catalog.updates.sources.formats import FORMATS
from capability_router.errors import ConfigError
from capability_router.json_text import parsed
from capability_router.nearest import nearest

MOST_BYTES = 64 * 2**20
TIMEOUT_S = 60.0


class Fetched(NamedTuple):
    """The JSON, what it is called in messages, and the day for which it holds."""

    data: Any
    origin: str
    as_of: date


def fetch(origin: str, today: date, timeout_s: float = TIMEOUT_S) -> Fetched:
    """The JSON behind a source's name (models.dev, litellm, openrouter), a URL or a file.

    What an address gives holds for today, a file for the day on which it was last changed. Raises
    ConfigError when nothing can be had, not all of it within `timeout_s`, or it is no JSON.
    """
    if origin in FORMATS:
        return Fetched(_parsed(_downloaded(FORMATS[origin].url, timeout_s), origin), origin, today)
    if origin.lower().startswith(("http://", "https://")):
        return Fetched(_parsed(_downloaded(origin, timeout_s), _shown(origin)), _shown(origin), today)
    return _from_file(origin, today)


def _from_file(origin: str, today: date) -> Fetched:
    path = Path(origin).expanduser()
    if not path.exists():
        hint = nearest(origin, FORMATS, f"; known sources: {', '.join(FORMATS)}")
        raise ConfigError(f"{origin!r} is no file, no http(s) address and no source that is known{hint}")
    try:
        with path.open("rb") as file:
            raw, changed = file.read(MOST_BYTES + 1), os.fstat(file.fileno()).st_mtime
    except OSError as error:
        raise ConfigError(f"{str(path)!r} can't be read: {error.strerror or error}") from error
    if len(raw) > MOST_BYTES:
        raise ConfigError(_too_much(str(path)))
    day = datetime.fromtimestamp(changed, UTC).date()
    return Fetched(_parsed(raw, str(path)), str(path), min(day, today))


def _downloaded(url: str, timeout_s: float) -> bytes:
    """Raises ConfigError when the whole answer, redirects included, is not here within `timeout_s`."""
    import httpx  # takes long to import, and only this needs it

    try:
        return asyncio.run(_answer(url, timeout_s))
    except TimeoutError:
        raise ConfigError(
            f"{_shown(url)} has given no whole answer within {timeout_s:g} s; give it longer with --timeout, or a file "
            "instead"
        ) from None
    except ConfigError:  # it was reached, and says why it gives nothing
        raise
    except (httpx.ReadError, httpx.RemoteProtocolError) as error:
        raise ConfigError(f"{_shown(url)} broke off before its answer was whole; try again, or give a file") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise ConfigError(
            f"{_shown(url)} can't be reached: {reason}; give a file instead if there is no network"
        ) from error


async def _answer(url: str, timeout_s: float) -> bytes:
    """Asynchronous, since a read that is under way can then be given up: a server may drip for ever."""
    import httpx

    async with (
        asyncio.timeout(timeout_s),
        httpx.AsyncClient(timeout=None, follow_redirects=True) as client,  # noqa: S113 - the whole has a time-out
        client.stream("GET", url) as response,
    ):
        if response.status_code != 200:
            raise ConfigError(f"{_shown(url)} answers with status {response.status_code}")
        return await _body(response, url)


async def _body(response: Any, url: str) -> bytes:
    """At most MOST_BYTES of it: an endless answer must not fill the memory."""
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MOST_BYTES:
            raise ConfigError(_too_much(_shown(url)))
        parts.append(part)
    return b"".join(parts)


def _too_much(origin: str) -> str:
    return f"{origin} gives more than {MOST_BYTES // 2**20} MiB, which no list of models is"


def _parsed(raw: bytes, origin: str) -> Any:
    try:
        return parsed(raw)
    except ValueError as error:
        raise ConfigError(f"{origin}: it is no JSON ({error})") from None


def _shown(url: str) -> str:
    """The address without a user, a password or a query."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no address at all
        return url.partition("?")[0].rpartition("@")[2]
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
