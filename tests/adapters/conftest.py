"""Each file answers for the connections that its own tests leave open, and not for the files' before."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _clients(forgotten_clients: None) -> None:
    """All of them are over SDKs' clients."""
