"""Do the tests bite? python -m benchmarks.mutants [PART ...] [--only PATTERN] [--every N]

Makes every small change of `mutations.py` to each file of `rooms.py`, one at a time, and runs that file's tests.
A change that no test notices has survived. Prints each survivor and, per file, how many there were, killed,
survived, and listed as equivalent (`equivalents.toml`, each with its reason). The exit code is 1 when less than
95 % of a file's other mutants are killed, or when the list is wrong.

PART is a part of a file's path: breaker, faults, execution/machine. `--only` takes the mutants whose printed text
fits a pattern; `--every` takes of those each N-th, beginning with the first: a sample, of which the share is told.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import time
from collections.abc import Sequence
from itertools import islice
from multiprocessing import Pipe, get_context
from typing import NamedTuple

from benchmarks.mutants import equivalents, trial
from benchmarks.mutants.mutations import Mutant, mutants
from benchmarks.mutants.rooms import ROOMS, Room

TARGET = 0.95


class MutationResult(NamedTuple):
    """What became of one file's mutants."""

    file: str
    killed: int
    survived: int
    listed: int
    wrong: int

    @property
    def share(self) -> float:
        judged = self.killed + self.survived
        return self.killed / judged if judged else 1.0

    @property
    def met(self) -> bool:
        return self.share >= TARGET and not self.wrong

    def line(self) -> str:
        mark = "met   " if self.met else "MISSED"
        total = self.killed + self.survived + self.listed
        counts = f"{total:5} mutants {self.killed:5} killed {self.survived:4} survived {self.listed:4} listed"
        return f"{mark}  {self.file:27} {counts} {self.share:7.1%}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--only", default="", metavar="PATTERN")
    parser.add_argument("--every", type=int, default=1, metavar="N")
    given = parser.parse_args(arguments)
    if given.every < 1:
        parser.error("--every takes a number from 1 on")
    rooms = [room for room in ROOMS if not given.parts or any(part in room.file for part in given.parts)]
    trial.quietly()
    found = [_apart(room, given.only, given.every) for room in rooms]
    print(f"\nTests that bite (target: {TARGET:.0%} of each file's mutants killed)")
    for each in found:
        print(each.line())
    return int(not found or not all(each.met for each in found))


def _apart(room: Room, only: str, every: int) -> MutationResult:
    """In a process of its own: what it imports for one file is wrong for the next."""
    receiver, sender = Pipe(duplex=False)
    process = get_context("fork").Process(target=lambda: sender.send(_room(room, only, every)))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(1)
    found: MutationResult = receiver.recv()
    return found


def _room(room: Room, only: str, every: int) -> MutationResult:
    path = trial.CORE / room.file
    tree = ast.parse(path.read_text())
    began = time.monotonic()
    seconds = 5 + 2 * trial.warm(room)
    finder = trial.MutantFinder(room.module, path, tree)
    listed = equivalents.EquivalentList(room.file, equivalents.read())
    counts = {"killed": 0, "survived": 0, "listed": 0}
    for mutant in islice((m for m in mutants(tree) if re.search(only, str(m))), 0, None, every):
        counts[_judged(room, mutant, finder, seconds, listed)] += 1
    wrong = listed.wrong + ([] if only or every > 1 else listed.stale())
    for text in wrong:
        print(f"{room.file}: {text}")
    found = MutationResult(room.file, **counts, wrong=len(wrong))
    print(f"{found.line()}  {time.monotonic() - began:.0f} s", flush=True)
    return found


def _judged(
    room: Room, mutant: Mutant, finder: trial.MutantFinder, seconds: float, listed: equivalents.EquivalentList
) -> str:
    verdict = mutant.tried(lambda: trial.tried(room.tests, finder, seconds))
    if verdict != "survived":
        listed.killed(mutant)
        return "killed"
    if listed.has(mutant):
        return "listed"
    print(f"survived  {room.file}:{mutant}", flush=True)
    return "survived"


if __name__ == "__main__":
    sys.exit(main())
