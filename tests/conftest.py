"""The tests see the built-in catalog, not one that the person who runs them has updated, and wait for records."""

from __future__ import annotations

import gc
import os
import warnings

from capability_router.endpoints import lanes
from capability_router.telemetry import courier

os.environ["CAPABILITY_ROUTER_CATALOG"] = "off"
courier.PATIENCE_S = 30.0  # a busy machine may take long to wake a thread, and tests look at records right away


def pytest_sessionfinish() -> None:
    """Clients that an SDK keeps for the whole process hold connections of event loops that are closed by now.

    Each test tells of what it leaves open itself; what is found when all is over belongs to these.
    """
    lanes.close_idle()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
