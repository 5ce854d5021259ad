"""Follows a log that is being written: its last lines, then new ones, also after rotation to a new file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

_STEP = 1 << 16
LONGEST = 16 << 20
"""Bytes of the longest line; a longer line is left out."""
TOO_LONG = f"longer than {LONGEST >> 20} MB"


def follow(
    path: Path, last: int, wait: Callable[[], bool], omitted: Counter[str],
    counts: Callable[[bytes], bool] = lambda _: True,
) -> Iterator[bytes]:  # fmt: skip
    """The last existing lines, then each new one, without line ends. Raises OSError if there is no file yet.

    `counts` decides which lines count towards the number; lines between them are also given. `wait` passes the time
    between two looks. If it returns False, reading ends with what is there, including an unfinished last line. Lines
    that can't be given are counted in `omitted`.
    """
    file: BinaryIO = path.open("rb")
    held = _LineBuffer(omitted)
    try:
        file.seek(_begin(file, last, counts))
        yield from held.lines(file)
        while True:
            newer = _newer(path, file)
            yield from held.lines(file)  # to its very end: something may have been written before it was moved
            if newer is not None:
                file.close()
                yield from held.rest()  # the unfinished line gets no more bytes
                file, held = newer, _LineBuffer(omitted)
            elif not wait():
                yield from held.rest()
                return
    finally:
        file.close()


class _LineBuffer:
    """The beginning of an unfinished line."""

    def __init__(self, omitted: Counter[str]) -> None:
        self._omitted, self._begun, self._passing = omitted, b"", False

    def lines(self, file: BinaryIO) -> Iterator[bytes]:
        """The lines that are now complete."""
        while piece := file.read(_STEP):
            *whole, begun = (self._begun + piece).split(b"\n")
            if whole and self._passing:  # the end of a line that is too long
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
        """The unfinished rest."""
        return filter(None, (self._begun,))


def _begin(file: BinaryIO, last: int, counts: Callable[[bytes], bool]) -> int:
    """Where the `last` counting lines begin; an unfinished last line is always included.

    If there are fewer, the whole file is read, so that lines which do not count are reported.
    """
    lines = _backwards(file, file.seek(0, os.SEEK_END))
    found, unfinished = next(lines)
    last -= bool(unfinished) and counts(unfinished)
    while last > 0 and (line := next(lines, None)) is not None:
        if counts(line[1]):
            found, last = line[0], last - 1
    return found if last <= 0 else 0


def _backwards(file: BinaryIO, at: int) -> Iterator[tuple[int, bytes]]:
    """Each line before `at`, the last one first, with its position; a line that is too long is empty.

    The first is what follows the last line end: nothing, or an unfinished line.
    """
    held: list[bytes] = []  # parts of a line whose beginning is not read yet, last part first
    long = 0  # bytes of that line
    while at > 0:
        size = min(_STEP, at)
        at -= size
        file.seek(at)
        *lines, last = file.read(size).split(b"\n")
        held, long = [*held, last] if long < LONGEST else [], long + len(last)
        if lines:
            begins = at + size - len(last)
            yield begins, _joined(held, long)
            for line in reversed(lines[1:]):
                begins -= len(line) + 1
                yield begins, line
            held, long = [lines[0]], len(lines[0])
    yield 0, _joined(held, long)


def _joined(parts: list[bytes], size: int) -> bytes:
    return b"".join(reversed(parts)) if size < LONGEST else b""


def _newer(path: Path, file: BinaryIO) -> BinaryIO | None:
    """The file now at the path, if it is another one or was emptied; None = the same, or there is none yet."""
    try:
        now = os.stat(path)
        same = os.path.samestat(now, os.fstat(file.fileno()))
        return None if same and now.st_size >= file.tell() else path.open("rb")
    except FileNotFoundError:
        return None
