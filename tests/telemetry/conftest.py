from __future__ import annotations

import pytest
from telemetry.kept import Kept, kept


@pytest.fixture
def otel() -> Kept:
    return kept().emptied()
