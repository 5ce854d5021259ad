"""Each file answers for the connections that its own tests leave open, and not for the files' before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from adapters.processes import Processes


@pytest.fixture(scope="module", autouse=True)
def _clients(forgotten_clients: None) -> None:
    """All of them are over SDKs' clients."""


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """For programs whose event loops, connections or end must not be those of the tests' own process."""
    made = Processes()
    yield made
    made.close()
