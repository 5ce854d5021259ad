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


def follow(
    path: Path, last: int, wait: Callable[[], bool], omitted: Counter[str],
    counts: Callable[[bytes], bool] = lambda _: True,
) -> Iterator[bytes]:  # fmt: skip
    """The last lines that are there, then each new one, without their ends. Raises OSError if there is no file yet.

    `counts` says of which lines there are so many; those that stand between them are given too.
    `wait` passes the time between two looks; where it gives False the reading ends with what is there, also with a line
    that has no end yet. What can't be given is counted in `omitted`.
    """
    file: BinaryIO = path.open("rb")
    held = _Held(omitted)
    try:
        file.seek(_begin(file, last, counts))
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


def _begin(file: BinaryIO, last: int, counts: Callable[[bytes], bool]) -> int:
    """Where the last so many lines that count begin; one that has no end yet is looked at in any case.

    Where there are fewer, all of the file is: what is in it and counts for nothing is to be told of.
    """
    lines = _backwards(file, file.seek(0, os.SEEK_END))
    found, unfinished = next(lines)
    last -= bool(unfinished) and counts(unfinished)
    while last > 0 and (line := next(lines, None)) is not None:
        if counts(line[1]):
            found, last = line[0], last - 1
    return found if last <= 0 else 0


def _backwards(file: BinaryIO, at: int) -> Iterator[tuple[int, bytes]]:
    """Each line before `at`, the last one first, with where it begins; one that is too long is empty.

    The first is what stands behind the last end of a line: nothing, or a line that has no end yet.
    """
    held: list[bytes] = []  # of a line whose beginning has not come yet, its end first
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
    """The file that is at the path now, if it is another one or was emptied; None = the same, or there is none yet."""
    try:
        now = os.stat(path)
        same = os.path.samestat(now, os.fstat(file.fileno()))
        return None if same and now.st_size >= file.tell() else path.open("rb")
    except FileNotFoundError:
        return None
