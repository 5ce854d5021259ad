from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from stores.servers import WHY_NOT, binary, running

from capability_router.clock import ManualClock
from capability_router.stores.base import Store
from capability_router.stores.memory import MemoryStore
from capability_router.stores.redis.store import RedisStore
from capability_router.stores.sqlite.store import SqliteStore


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server."""
    if binary() is None:
        pytest.skip(WHY_NOT)
    with running(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def redis_url(server: str) -> str:
    """The same, emptied."""
    with redis.Redis.from_url(server) as client:
        client.flushall()
    return server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def made(kind: str, request: pytest.FixtureRequest, clock: ManualClock, folder: Path) -> Store:
    if kind == "memory":
        return MemoryStore(clock.unix)
    if kind == "sqlite":
        return SqliteStore(folder / "router.db", clock.unix)
    return RedisStore(request.getfixturevalue("redis_url"), clock.now, timeout_s=5.0, unix=clock.unix)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store, under a clock that the test moves."""
    found = made(request.param, request, clock, tmp_path)
    yield found
    found.close()


@pytest.fixture(params=["sqlite", "redis"])
def shared(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store that processes share."""
    found = made(request.param, request, clock, tmp_path)
    yield found
    found.close()


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A shared store's URL, for real processes under the real clock."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'router.db'}"
    patient = "socket_timeout=10&socket_connect_timeout=10"  # however busy this machine is
    return f"{request.getfixturevalue('redis_url')}?{patient}"
