"""Products that show traces, run for real: only where they are asked for, by `make test-backends`.

They are large and not among what the other tests need, so without CAPABILITY_ROUTER_BACKENDS=1 none of the tests here
is collected, and the summary says so.
"""

from __future__ import annotations

import os

import pytest
from telemetry.kept import Kept, kept

ASKED = os.environ.get("CAPABILITY_ROUTER_BACKENDS") == "1"
collect_ignore_glob = [] if ASKED else ["test_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not ASKED:
        terminalreporter.write_sep("!", "NOT RUN: Phoenix, MLflow, Langfuse, Prometheus", yellow=True)
        terminalreporter.write_line("tests/backends asks the products themselves: make test-backends")


@pytest.fixture
def otel() -> Kept:
    return kept().emptied()
