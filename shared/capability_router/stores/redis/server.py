"""The Redis or Valkey server that a store is in: its client, and what goes wrong with it as one error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from capability_router.errors import ConfigError, StoreError
from capability_router.stores.address import shown_url
from capability_router.stores.backoff_breaker import BackoffBreaker

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from capability_router.stores.redis.reason import reason
except ModuleNotFoundError as missing:
    raise ImportError('a store in Redis needs its client: pip install "capability-router[redis]"') from missing


class RedisServer:
    """The client, with short time-outs and a fuse; `asked()` turns what goes wrong into StoreError."""

    def __init__(self, url: str, now: Callable[[], float], timeout_s: float) -> None:
        self.name, self._fuse = shown_url(url), BackoffBreaker(now)
        self.client: Any = _client(url, self.name, timeout_s)
        self._timeout_s = float(self.client.connection_pool.connection_kwargs.get("socket_timeout") or timeout_s)
        self._tls = url.startswith("rediss:")

    @contextmanager
    def asked(self) -> Iterator[Any]:
        """The client, unless the server was away a moment ago."""
        if self._fuse.is_tripped:
            raise StoreError(f"the store {self.name} is away ({self._fuse.why}); it is asked again in a moment")
        try:
            yield self.client
        except redis.exceptions.RedisError as error:
            why = reason(error, self._timeout_s, tls=self._tls)
            self._fuse.record_failure(why)
            raise StoreError(f"the store {self.name} can't be used: {why}") from None
        self._fuse.mend()


def _client(url: str, name: str, timeout_s: float) -> Any:
    """Not connected yet; raises ConfigError for a URL or options that the client does not read."""
    lost = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)
    once_more = Retry(NoBackoff(), 1, supported_errors=lost)  # whatever is asked here may be asked twice
    try:
        parts = urlsplit(url)
        if parts.scheme != "unix" and not (parts.path.strip("/") or "0").isdecimal():  # the client would take 0
            raise ConfigError(f"store: {name} names no database by its number: redis://host:6379/0")
        made = redis.Redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=once_more, decode_responses=True
        )
        pool = made.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # reads its options, and no more
    except ConfigError:
        raise
    except (TypeError, ValueError, redis.exceptions.RedisError):  # their texts may hold a password
        given = ", ".join(dict(parse_qsl(url.partition("?")[2], keep_blank_values=True)))
        what = f"; its options: {given}" if given else ""
        raise ConfigError(
            f"store: {name} is no URL that Redis' client reads{what}; write redis://host:6379/0"
        ) from None
    return made
