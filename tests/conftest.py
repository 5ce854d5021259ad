"""The tests see the built-in catalog, not one that the person who runs them has updated, and wait for records."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Iterator

import pytest

from capability_router.endpoints import lanes
from capability_router.telemetry import courier

os.environ["CAPABILITY_ROUTER_CATALOG"] = "off"
courier.PATIENCE_S = 30.0  # a busy machine may take long to wake a thread, and tests look at records right away


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


@pytest.fixture(scope="module")
def forgotten_clients() -> Iterator[None]:
    """A file of tests over SDKs' clients leaves none to the next."""
    yield
    _forget_clients()


def pytest_sessionfinish() -> None:
    """What is found when all is over belongs to no test."""
    lanes.close_idle()
    _forget_clients()
