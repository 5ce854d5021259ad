"""Every endpoint test runs both ways: blocking and in asyncio."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest
from loopback.endpoint_client import Read, read_async, read_blocking

from capability_router.endpoints import connection_pool


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session", autouse=True)
def _what_was_there_before() -> Iterator[None]:
    """What other tests have left is not looked through again after each test here: it would take a second each."""
    with warnings.catch_warnings():  # see pytest_sessionfinish: what SDKs keep on loops that are closed by now
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _idle_connections() -> Iterator[None]:
    """Those of the built-in client are closed after each test."""
    yield
    connection_pool.close_idle()


@pytest.fixture(params=[read_blocking, read_async], ids=["blocking", "asyncio"])
def read(request: pytest.FixtureRequest) -> Iterator[Read]:
    yield request.param
    connection_pool.close_idle()
    gc.collect()  # an unclosed socket must show as a warning, and so as a failure, here
