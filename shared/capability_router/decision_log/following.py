"""Reading a log that is being written: its last lines, then what comes, also after it has given way to a new file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

_STEP = 1 << 16
LONGEST = 16 << 20
"""Bytes in which an end of a line must be found; what is longer is left out."""
TOO_LONG = f"longer than {LONGEST >> 20} MB"


def follow(path: Path, last: int, wait: Callable[[], bool], omitted: Counter[str]) -> Iterator[bytes]:
    """The last lines that are there, then each new one, without their ends. Raises OSError if there is no file yet.

    `wait` passes the time between two looks; where it gives False the reading ends with what is there, also with a line
    that has no end yet. What can't be given is counted in `omitted`.
    """
    file: BinaryIO = path.open("rb")
    held = _Held(omitted)
    try:
        file.seek(_begin(file, last))
        yield from held.lines(file)
        while True:
            newer = _newer(path, file)
            yield from held.lines(file)  # to its very end: something may have come before it was moved
            if newer is not None:
                file.close()
                yield from held.rest()  # nothing comes any more to what was begun
                file, held = newer, _Held(omitted)
            elif not wait():
                yield from held.rest()
                return
    finally:
        file.close()


class _Held:
    """The beginning of a line whose end has not come yet."""

    def __init__(self, omitted: Counter[str]) -> None:
        self._omitted, self._begun, self._passing = omitted, b"", False

    def lines(self, file: BinaryIO) -> Iterator[bytes]:
        """The lines that have come to their end."""
        while piece := file.read(_STEP):
            *whole, begun = (self._begun + piece).split(b"\n")
            if whole and self._passing:  # the end of a line that is left out
                del whole[0]
                self._passing = False
            yield from filter(self._fits, filter(None, whole))
            self._begun = b"" if self._passing else begun
            if not self._fits(self._begun):
                self._begun, self._passing = b"", True

    def _fits(self, line: bytes) -> bool:
        if len(line) < LONGEST:
            return True
        self._omitted[TOO_LONG] += 1
        return False

    def rest(self) -> Iterator[bytes]:
        """What has no end."""
        return filter(None, (self._begun,))


def _begin(file: BinaryIO, last: int) -> int:
    """Where the last so many lines begin; one that has no end yet is one of them."""
    at = file.seek(0, os.SEEK_END)
    ends = last + (_ended(file, at) or not last)  # the first of these ends the line before
    while at > 0:
        size = min(_STEP, at)
        at -= size
        file.seek(at)
        piece = file.read(size)
        while (found := piece.rfind(b"\n")) >= 0:
            ends -= 1
            if not ends:
                return at + found + 1
            piece = piece[:found]
    return 0


def _ended(file: BinaryIO, size: int) -> bool:
    file.seek(max(size - 1, 0))
    return file.read(1) in (b"", b"\n")


def _newer(path: Path, file: BinaryIO) -> BinaryIO | None:
    """The file that is at the path now, if it is another one or was emptied; None = the same, or there is none yet."""
    try:
        now = os.stat(path)
        same = os.path.samestat(now, os.fstat(file.fileno()))
        return None if same and now.st_size >= file.tell() else path.open("rb")
    except FileNotFoundError:
        return None
