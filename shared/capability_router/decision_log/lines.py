"""The lines of any log file: of bounded length, also from a compressed or truncated file."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from capability_router.decision_log.tail import LONGEST, TOO_LONG

GZIP = b"\x1f\x8b"
"""The first bytes of a compressed file."""
_STEP = 200  # lines between two reports of progress
DAMAGED = "compressed data that is damaged or broken off, to its end"


def lines(path: Path, omitted: Counter[str], advanced: Callable[[int], object] | None = None) -> Iterator[bytes]:
    """Each line without its end; gzip is unpacked. Lines that can't be given are counted in `omitted`.

    `advanced` is called with the bytes of the file done since the last call. Raises OSError if the file can't be read.
    """
    with path.open("rb") as file:
        packed = file.peek(len(GZIP)).startswith(GZIP)
        source = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file
        way = _ReadProgress(file, advanced)
        try:
            for number, line in enumerate(_bounded(source, omitted)):
                yield line
                if number % _STEP == 0:
                    way.told()
        except (EOFError, zlib.error, gzip.BadGzipFile):
            omitted[DAMAGED] += 1
        way.told()


class _ReadProgress:
    """How much of a file is done; unknown for a pipe."""

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
