"""What is told of a server that can't be used: why, and what to change."""

from __future__ import annotations

from pathlib import Path
from ssl import SSLCertVerificationError

import pytest
import redis
from stores.servers import running

from capability_router.clock import ManualClock
from capability_router.errors import StoreError
from capability_router.stores.base import BudgetPeriod, LeaseClaim
from capability_router.stores.lessons import NONE, LessonLine, LogSummary, ScorableAnswer
from capability_router.stores.redis.reason import reason
from capability_router.stores.redis.store import RedisStore

CLAIM = LeaseClaim(BudgetPeriod("global", "total", 10**12), "a", 0, 0, 10**6, 10**6, 30.0)


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


def test_what_a_user_must_be_allowed(redis_url: str) -> None:
    """As docs/budgets.md says; a command within a script is refused in other words."""
    host = redis_url.partition("://")[2]
    allowed = ["~capability-router:*", "+@read", "+@write", "+@scripting", "+@connection", "+@transaction"]
    refused = "may not use these keys or commands (ACL): "
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("ACL", "SETUSER", "other", "on", ">geheim", "~other:*", "+@all")
        assert refused in told(f"redis://other:geheim@{host}")
        client.execute_command("ACL", "SETUSER", "me", "on", ">geheim", *allowed)
        assert refused in told(f"redis://me:geheim@{host}")
        client.execute_command("ACL", "SETUSER", "me", "+time")
    store = RedisStore(f"redis://me:geheim@{host}", ManualClock().now, timeout_s=5.0)
    assert store.budgets.claim(CLAIM).lent >= CLAIM.least
    assert len(store.budgets.standings()) == 1
    store.lessons.append("log", "me", [LessonLine(1, "a")])
    assert store.lessons.sum_up("log", LogSummary(store.lessons.since("log", 0, 9).head.epoch, 1, "text"), NONE)
    store.lessons.keep("log", [ScorableAnswer("a", "b")])
    assert (store.lessons.kept("log", "a"), len(store.lessons.since("log", 0, 9).entries)) == ("b", 0)
    assert store.reports is not None
    store.reports.tell("front", "me", "{}")
    assert len(store.reports.reports()) == 1
    store.reports.withdraw("front", "me")
    store.close()


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (
            20,
            "unable to get local issuer certificate",
            "; ?ssl_ca_certs=FILE in the URL names who signed it",
        ),
        (62, "Hostname mismatch, certificate is not valid for 'redis'.", ""),
    ],
)
def test_a_certificate_that_is_refused_is_told_with_what_to_change(code: int, said: str, told: str) -> None:
    error = redis.exceptions.ConnectionError("Error 1")
    cause = SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_code, cause.verify_message = code, said
    error.__cause__ = cause
    assert reason(error, 0.05, tls=True) == f"{said.rstrip('.')}{told}: ConnectionError"


def test_a_file_that_the_url_names_and_is_not_there_is_told(redis_url: str) -> None:
    secured = redis_url.replace("redis://", "rediss://") + "?ssl_ca_certs=/nowhere/ca.pem&socket_timeout=5"
    assert "no file of this name, as ssl_ca_certs," in told(secured)


def test_what_the_system_says_of_a_connection_is_told() -> None:
    assert told("redis://:geheim@127.0.0.1:1/0").endswith("can't be used: Connection refused: ConnectionError")


def test_a_server_that_says_nothing_is_told_by_its_time(redis_url: str) -> None:
    silent = redis_url.replace("redis://", "rediss://") + "?socket_timeout=0.02&socket_connect_timeout=0.02"
    assert "no answer within 0.02 s, or it speaks no TLS (redis://)" in told(silent)
    assert "?socket_timeout=SECONDS" in told(silent)
