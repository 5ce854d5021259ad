"""What is told of a server that can't be used: why, and what to change."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from stores.servers import running

from capability_router.clock import ManualClock
from capability_router.errors import StoreError
from capability_router.stores.base import Claim, Pot
from capability_router.stores.redis.store import RedisStore

CLAIM = Claim(Pot("global", "total", 10**12), "a", 0, 0, 10**6, 10**6, 30.0)


def told(url: str) -> str:
    store = RedisStore(url, ManualClock().now)
    try:
        with pytest.raises(StoreError) as caught:
            store.budgets.claim(CLAIM)
    finally:
        store.close()
    assert "geheim" not in str(caught.value)
    return str(caught.value)


def test_what_a_server_says_is_told_with_what_to_change(redis_url: str, tmp_path: Path) -> None:
    host = redis_url.partition("://")[2].partition("/")[0]
    assert "takes only a right user name and password" in told(f"redis://me:geheim@{host}/0")
    assert "it has no database of this number: ResponseError" in told(f"redis://{host}/99")
    primary = host.partition(":")[2]
    with running(tmp_path, "--replicaof", f"127.0.0.1 {primary}") as replica:
        assert "it is a read-only replica; name the primary: ReadOnlyError" in told(replica)
        with redis.Redis.from_url(replica) as client:
            client.replicaof("NO", "ONE")
            client.config_set("maxmemory", "1mb")
        assert "its memory is full (maxmemory): OutOfMemoryError" in told(replica)


def test_what_the_system_says_of_a_connection_is_told() -> None:
    assert told("redis://:geheim@127.0.0.1:1/0").endswith("can't be used: Connection refused: ConnectionError")


def test_a_server_that_says_nothing_is_told_by_its_time(redis_url: str) -> None:
    silent = redis_url.replace("redis://", "rediss://") + "?socket_timeout=0.02&socket_connect_timeout=0.02"
    assert "no answer within 0.02 s, or it speaks no TLS (redis://)" in told(silent)
    assert "?socket_timeout=SECONDS" in told(silent)
