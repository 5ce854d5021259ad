"""The examples are judged by what they leave themselves."""

from __future__ import annotations

import gc
import warnings

import pytest


@pytest.fixture(scope="session", autouse=True)
def _what_was_there_before() -> None:
    """As for the loopback tests: what SDKs keep on loops that are closed by now is no example's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
