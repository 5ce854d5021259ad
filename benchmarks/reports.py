"""What a report of a router's health costs: python -m benchmarks.reports [MODELS]

Prints the size of a report, and the processor's time for one: read under the board's lock, and written to an SQLite
file. A router with a store writes one every two seconds, in a thread of its own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from capability_router.clock import SystemClock
from capability_router.health.reporter import EVERY_S
from capability_router.testing import ask, scripted_router

ROUNDS = 300


def measure(models: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'router.db'}"
        scripts = {f"provider/model-{n}": ["an answer"] * 10 for n in range(models)}
        router = scripted_router(scripts, clock=SystemClock(), store=url)
        for _ in range(10):
            ask(router)
        reporter, room = router._reporter, router.store.reports
        assert reporter is not None
        assert room is not None
        read = _ms(lambda: reporter.report())
        text = reporter.report()
        written = _ms(lambda: room.tell("router", "writer", text))
        router.close()
    share = (read + written) / 1_000 / EVERY_S
    took = f"{read:.3f} ms to read, {written:.3f} ms to write, {share:.4%} of a core"
    print(f"{models} models: {len(text):,} bytes, {took}")


def _ms(what: object) -> float:
    assert callable(what)
    began = time.process_time()
    for _ in range(ROUNDS):
        what()
    return (time.process_time() - began) * 1_000 / ROUNDS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reports", description=__doc__)
    parser.add_argument("models", nargs="?", type=int, default=10, metavar="MODELS", help="how many (10)")
    measure(parser.parse_args().models)


if __name__ == "__main__":
    main()
