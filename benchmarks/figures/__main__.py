"""The figures we hold ourselves to: python -m benchmarks.figures [NAME ...] [--scale 0.1] [--seed 1]

Without names, all of them. Each prints its figure, its target and its seed; the exit code is 1 when one is
missed. `--scale` takes a share of the full counts, for a first look.
"""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import time
import traceback
from importlib import import_module

NAMES = (
    "fleet", "books", "load", "tails",
    "deadlines", "failover", "recovery", "ejection", "streams", "stalls", "classification",
    "retries", "traces", "threads", "budgets", "cancellation", "overhead", "leaks", "replay",
)  # fmt: skip
"""In the order of the eighteen promises, as far as each has a command here; then what is beside them."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.getLogger("capability_router").setLevel(logging.ERROR)
    missed = 0
    for name in given.names or NAMES:
        began = time.monotonic()
        figure = import_module(f"benchmarks.figures.{name}")
        gc.freeze()  # what was imported isn't looked through for garbage again and again
        try:
            for finding in figure.measure(given.scale, given.seed):
                print(finding.line(), flush=True)
                missed += not finding.met
        except Exception:  # noqa: BLE001 - told at once, counted as missed; the other figures are to be seen too
            traceback.print_exc()
            missed += 1
        print(f"        {name}: {time.monotonic() - began:.1f} s", flush=True)
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())
