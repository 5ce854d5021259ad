"""What the benchmark of scale asks, and what it makes of its times."""

from __future__ import annotations

from threading import Lock

import pytest

from benchmarks.scale import Row, made, plain, row, spread, table
from capability_router.routing import Routing


@pytest.mark.parametrize("callers", [1, 4])
def test_each_request_is_asked_once_however_many_callers_there_are(callers: int) -> None:
    asked, lock = list[int](), Lock()

    def terms(n: int) -> Routing:
        with lock:
            asked.append(n)
        return Routing()

    part = spread(made(), range(10, 33), terms, callers)
    assert sorted(asked) == list(range(10, 33))
    assert len(part.took) == 23
    assert min(part.took) > 0.0
    assert part.mib == pytest.approx(23 * 8 / 2**20)


def test_the_first_tenth_warms_up_and_is_not_counted() -> None:
    found = row("plain", 1_000, 1, plain, {})
    assert found.requests == 900
    assert found.us > 0.0
    assert found.per_s <= 1e6 / found.us * 1.01, "no more by the clock than by the processor's time"


def test_a_row_is_told_beside_the_first_and_per_core() -> None:
    rows = [Row("plain", 900, 100.0, 5_000.0, 1.5, 4.0, 1.0), Row("more", 900, 250.0, 2_000.0, 3.0, 9.0, -0.5)]
    assert table(rows)[-1] == "| more | 2.50 x | 250 | 4,000 | 2,000 | 3.00 | +9.0 | -0.5 | 900 |"
