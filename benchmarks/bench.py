"""Measures what docs/performance.md shows, and writes it there: python -m benchmarks.bench [NAME ...] [--scale 0.02]

Each part of the page between `<!-- bench NAME -->` and `<!-- /bench -->` is what the command above it prints, below the
machine, the day and how busy it was. The summary above these parts is read from the page's own tables, so that its
figures are those of the tables. Nothing else of the page is touched. `--scale`: a share of the full counts, for a first
look; `--no-peers` leaves the peers' environments and their parts of the page as they are.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.option import above_nothing
from benchmarks.page import machine, spliced, written
from benchmarks.summary import summed_up

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
MODULES = {
    "overhead": "overhead", "peers": "overhead", "loopback": "overhead.loopback", "growth": "overhead.growth",
    "peers-growth": "overhead", "imports": "overhead.imports", "core": "core", "turns": "turns", "scale": "scale",
}  # fmt: skip
"""What measures a part, in the order of the page."""
_ROUNDS = {
    "overhead": (15, 3), "peers": (15, 3), "loopback": (15, 3), "growth": (15, 3), "peers-growth": (15, 3),
    "imports": (15, 3), "core": (3_000, 100), "turns": (60, 5),
}  # fmt: skip
"""Of a whole run, and the fewest."""


def command(name: str, scale: float) -> list[str]:
    """What measures a part."""
    full, least = _ROUNDS.get(name, (0, 0))
    rounds = ["--rounds", str(max(round(full * scale), least))] if full else []
    share = ["--scale", f"{scale:g}"]
    further = {"peers": ["--peers", "only"], "peers-growth": ["--peers", "grow"], "loopback": share, "scale": share}
    return ["-m", f"benchmarks.{MODULES[name]}", *rounds, *further.get(name, [])]


def measured(name: str, scale: float) -> str:
    """The part's text: who measured it, and what was printed; a table of its own, else as it stands.

    Ends the program where the command fails, which has told why.
    """
    asked, where = command(name, scale), machine()
    done = subprocess.run([sys.executable, *asked], check=False, stdout=subprocess.PIPE, text=True, cwd=ROOT)  # noqa: S603 - a module of ours
    if done.returncode:
        told = f"NOT MEASURED: {name}: `python {' '.join(asked)}` failed; its part of {PAGE.name} is left as it was"
        sys.exit(told + ("; --no-peers measures all others" if name.startswith("peers") else ""))
    printed = done.stdout.strip("\n")
    shown = printed if "|---" in printed else "\n".join(f"    {line}".rstrip() for line in printed.split("\n"))
    return f"`python {' '.join(asked)}`: {where}\n\n{shown}"


def chosen(names: Sequence[str], *, peers: bool) -> list[str]:
    """The parts that are measured, in the order of the page."""
    return [name for name in MODULES if name in (names or MODULES) and (peers or not name.startswith("peers"))]


def _part(told: str) -> str:
    if told not in MODULES:
        raise argparse.ArgumentTypeError(f"the page has no part {told!r}; there are: {', '.join(MODULES)}")
    return told


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument("names", nargs="*", type=_part, metavar="NAME", help=", ".join(MODULES))
    parser.add_argument("--scale", type=above_nothing, default=1.0)
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    given = parser.parse_args()
    for name in chosen(given.names, peers=given.peers):
        print(f"measuring {name}", flush=True)
        text = measured(name, given.scale)
        page = spliced(PAGE.read_text(encoding="utf-8"), name, text)
        written(PAGE, spliced(page, "summary", summed_up(page)))
        print(text, flush=True)
    if not given.peers:
        print(f"The peers were not measured: their tables in {PAGE.name} are left as they were.", flush=True)


if __name__ == "__main__":
    main()
