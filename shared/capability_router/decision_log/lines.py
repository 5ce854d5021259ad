"""The lines of a log file, of any file: bounded in length, also of a compressed one, and of one that breaks off."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from capability_router.decision_log.following import LONGEST, TOO_LONG

GZIP = b"\x1f\x8b"
"""How a compressed file begins."""
_STEP = 200  # lines between two words of how far it is
DAMAGED = "compressed data that is damaged or broken off, to its end"


def lines(path: Path, omitted: Counter[str], advanced: Callable[[int], object] | None = None) -> Iterator[bytes]:
    """Each line without its end; gzip is unpacked on the way. What can't be given is counted in `omitted`.

    `advanced` is told of each stretch that is done, in bytes of the file. Raises OSError where it can't be read.
    """
    with path.open("rb") as file:
        packed = file.peek(len(GZIP)).startswith(GZIP)
        source = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file
        way = _Way(file, advanced)
        try:
            for number, line in enumerate(_bounded(source, omitted)):
                yield line
                if number % _STEP == 0:
                    way.told()
        except (EOFError, zlib.error, gzip.BadGzipFile):
            omitted[DAMAGED] += 1
        way.told()


class _Way:
    """How much of a file is done; of a pipe it is unknown."""

    def __init__(self, file: IO[bytes], advanced: Callable[[int], object] | None) -> None:
        self._file, self._advanced, self._done = file, advanced, 0

    def told(self) -> None:
        if self._advanced is not None and self._file.seekable():
            now = self._file.tell()
            self._advanced(now - self._done)
            self._done = now


def _bounded(file: IO[bytes], omitted: Counter[str]) -> Iterator[bytes]:
    while line := file.readline(LONGEST):
        if len(line) == LONGEST and not line.endswith(b"\n"):
            omitted[TOO_LONG] += 1
            while (rest := file.readline(LONGEST)) and not rest.endswith(b"\n"):
                pass
        else:
            yield line
