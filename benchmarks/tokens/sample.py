"""A piece of text of one kind, and on which side it stands: for fitting, or for judging."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

PER_SIDE = 32
JUDGE, FIT = "judged only: ", "fitted only: "  # begin the names of sources whose side is not drawn
_SIZES = (160, 3_200)


class Sample(NamedTuple):
    """`source` is the package, page or generator that it comes from; all of one source stands on one side."""

    kind: str
    source: str
    text: str

    @property
    def fits(self) -> bool:
        """Whether it is one to fit on; the others are foreign to the fit."""
        return side(self.source)


def side(source: str) -> bool:
    """Half of the sources, the same on every machine."""
    return source.startswith(FIT) or (not source.startswith(JUDGE) and zlib.crc32(source.encode()) % 2 == 0)


def cut(kind: str, source: str, text: str, dice: random.Random) -> Sample:
    """A piece of the text from a line's start, of a size drawn evenly on a logarithmic scale."""
    low, high = _SIZES
    size = int(low * (high / low) ** dice.random())
    start = dice.randrange(max(len(text) - size, 0) + 1)
    start = text.find("\n", start) + 1 if start and "\n" in text[start : start + 400] else start
    return Sample(kind, source, text[start : start + size])


def drawn(samples: Iterable[Sample], seed: int) -> Iterator[Sample]:
    """At most PER_SIDE of each kind and side, by turns from their sources, so that no large one prevails."""
    kinds: dict[tuple[str, bool], dict[str, list[Sample]]] = {}
    for sample in (s for s in samples if s.text.strip()):
        kinds.setdefault((sample.kind, sample.fits), {}).setdefault(sample.source, []).append(sample)
    for (kind, fits), sources in sorted(kinds.items()):
        yield from _by_turns(sources, random.Random(f"{seed} {kind} {fits}"))


def _by_turns(sources: dict[str, list[Sample]], dice: random.Random) -> list[Sample]:
    names = sorted(sources)
    dice.shuffle(names)
    taken: list[Sample] = []
    while names and len(taken) < PER_SIDE:
        for name in list(names):
            taken.append(sources[name].pop(dice.randrange(len(sources[name]))))
            if not sources[name]:
                names.remove(name)
    return taken[:PER_SIDE]
