"""The figures of the real drivers, sync and async, at a size for every change. None depends on how fast it runs."""

from __future__ import annotations

from importlib import import_module

import pytest

# Of the frameworks and of clients that are left to the garbage collector: neither is what is measured here.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("streams", 0.01),
        ("traces", 0.005),
        ("threads", 0.01),
        ("retries", 1),
        ("cancellation", 0.5),
        ("classification", 1),
    ],
)
def test_the_promise_is_kept_at_a_small_size(name: str, scale: float) -> None:
    found = list(import_module(f"benchmarks.figures.{name}").measure(scale, 7))
    assert found
    for finding in found:
        assert finding.met, finding.line()
