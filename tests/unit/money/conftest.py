from __future__ import annotations

import pytest
from unit.money.budget.lender import Lender

from capability_router.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def lender(clock: ManualClock) -> Lender:
    """A store that lends."""
    return Lender(clock)
