"""Of many like events few are told of."""

from __future__ import annotations

from capability_router.log_lines import worth_logging


def test_the_first_the_tenth_the_hundredth_and_no_other() -> None:
    assert [count for count in range(1, 10_001) if worth_logging(count)] == [1, 10, 100, 1_000, 10_000]
    assert not worth_logging(0)
