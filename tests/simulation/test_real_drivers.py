"""The figures of the real drivers, sync and async, at a size for every change. None depends on how fast it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the frameworks' own
@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("streams", 0.01),
        ("traces", 0.005),
        ("threads", 0.01),
        ("budgets", 0.01),
        ("cancellation", 0.5),
        ("classification", 1),
        ("replay", 0.06),
    ],
)
def test_the_promise_is_kept_at_a_small_size(name: str, scale: float) -> None:
    found = list(import_module(f"benchmarks.figures.{name}").measure(scale, 7))
    assert found
    for finding in found:
        assert finding.met, finding.line()


def test_no_supported_model_retries_beside_the_router(one_authority: str) -> None:
    """In a process of its own: most partner packages leave their clients' sockets to the garbage collector."""
    environment = {**os.environ, "SSL_CERT_FILE": one_authority}
    command = [sys.executable, "-m", "benchmarks.figures", "retries"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own module
    assert run.returncode == 0, run.stdout + run.stderr
    assert "52 children and verbs" in run.stdout
