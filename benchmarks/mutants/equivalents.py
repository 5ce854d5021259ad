"""The mutants that no test can kill, each with its reason: `equivalents.toml`.

An entry names the place, the statement before and after, and why nothing that can be observed differs. One that
fits no mutant, or whose mutant is killed, is wrong and told as such.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

from benchmarks.mutants.mutations import Mutant

FILE = Path(__file__).with_name("equivalents.toml")


class Equivalent(NamedTuple):
    """One entry: the file, the mutant's key, and why."""

    file: str
    key: tuple[str, str, str, int]
    why: str


class EquivalentList:
    """The entries of one file, and which of them were met."""

    def __init__(self, file: str, entries: list[Equivalent]) -> None:
        self._entries = {entry.key: entry for entry in entries if entry.file == file}
        self.wrong: list[str] = []
        self._met: set[tuple[str, str, str, int]] = set()

    def has(self, mutant: Mutant) -> bool:
        """Whether the mutant, which survived, is listed."""
        self._met.add(mutant.key)
        return mutant.key in self._entries

    def killed(self, mutant: Mutant) -> None:
        if mutant.key in self._entries:
            self.wrong.append(f"listed as equivalent, but killed: {mutant}")
        self._met.add(mutant.key)

    def stale(self) -> list[str]:
        """Entries that no mutant fits."""
        gone = [entry for key, entry in self._entries.items() if key not in self._met]
        return [f"listed as equivalent, but there is no such mutant: {entry.key}" for entry in gone]


def read() -> list[Equivalent]:
    entries = tomllib.loads(FILE.read_text())["mutant"]
    return [Equivalent(e["file"], (e["where"], e["was"], e["now"], e.get("number", 1)), e["why"]) for e in entries]
