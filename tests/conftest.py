"""The tests see the built-in catalog, not one that the person who runs them has updated."""

from __future__ import annotations

import gc
import os
import warnings

from capability_router.endpoints import lanes

os.environ["CAPABILITY_ROUTER_CATALOG"] = "off"


def pytest_sessionfinish() -> None:
    """Clients that an SDK keeps for the whole process hold connections of event loops that are closed by now.

    Each test tells of what it leaves open itself; what is found when all is over belongs to these.
    """
    lanes.close_idle()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
