"""The tests see the built-in catalog, not one that the person who runs them has updated, and wait for records."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from hypothesis import HealthCheck, settings

from capability_router.endpoints import connection_pool
from capability_router.telemetry import sink_thread

os.environ["CAPABILITY_ROUTER_CATALOG"] = "off"
sink_thread.PATIENCE_S = 30.0  # a busy machine may take long to wake a thread, and tests look at records right away
# And to make or try an example: neither says anything of the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


CLIENTS = ("langchain_openai.chat_models._client_utils", "langchain_anthropic._client_utils")
"""Modules that keep the 128 clients they made last."""


def _forget_clients() -> None:
    """Clients that an SDK keeps for the whole process hold connections of event loops that are closed by now.

    The 129th client throws the first away, and whichever test then runs would be blamed for its sockets. What a test
    leaves open itself is told while it runs.
    """
    for module in filter(None, map(sys.modules.get, CLIENTS)):
        for kept in vars(module).values():
            getattr(kept, "cache_clear", int)()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _silent_ledgers() -> Iterator[None]:
    """A ledger that an earlier test left goes on in its own thread: that its store is back is no news of this test."""
    earlier = [thread for thread in threading.enumerate() if thread.name == "router ledger"]
    log = logging.getLogger("capability_router")

    def of_this_test(record: logging.LogRecord) -> bool:
        return threading.current_thread() not in earlier  # not by its number: a thread that begins later may have it

    log.addFilter(of_this_test)
    yield
    log.removeFilter(of_this_test)


@pytest.fixture(scope="session")
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with one of the certificates that SDKs' clients trust: without it each client reads some 140 of them."""
    first, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----")
    file = tmp_path_factory.mktemp("authorities") / "one.pem"
    file.write_text(first + end + "\n", encoding="utf-8")
    return str(file)


@pytest.fixture(scope="module")
def forgotten_clients(one_authority: str) -> Iterator[None]:
    """A file of tests over SDKs' clients leaves none to the next; their servers, on loopback, have no certificate."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", one_authority)
        yield
    _forget_clients()


def pytest_collection_finish() -> None:
    """Frameworks make a million objects, and tests ask for many collections: these needn't look through them again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """What is found when all is over belongs to no test."""
    connection_pool.close_idle()
    _forget_clients()
