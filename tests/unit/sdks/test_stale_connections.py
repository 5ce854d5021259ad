"""What is asked again because its connection was another event loop's, and how often."""

from __future__ import annotations

import pytest

from capability_router.sdks.stale_connections import retried_past_stale

ELSEWHERE = RuntimeError("<asyncio.locks.Event object at 0x7f [unset]> is bound to a different event loop")


class Step:
    """Fails as often as it is told, with the error as a cause; `calls` counts."""

    def __init__(self, error: Exception, failures: int) -> None:
        self._error, self._failures, self.calls = error, failures, 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise ConnectionError("Connection error.") from self._error
        return "answer"


@pytest.mark.parametrize(("error", "failures"), [(ELSEWHERE, 3), (RuntimeError("Event loop is closed"), 20)])
async def test_a_connection_of_another_loop_is_no_failure(error: Exception, failures: int) -> None:
    step = Step(error, failures)
    assert await retried_past_stale(step) == "answer"
    assert step.calls == failures + 1


@pytest.mark.parametrize(("error", "calls"), [(ELSEWHERE, 4), (RuntimeError("no"), 1)])
async def test_what_goes_on_is_told(error: Exception, calls: int) -> None:
    step = Step(error, 50)
    with pytest.raises(ConnectionError):
        await retried_past_stale(step)
    assert step.calls == calls
