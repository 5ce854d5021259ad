"""The JSON items of a file, one after another, as far as it goes: plain or gzip, a line each or one document."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from capability_router.errors import ConfigError
from capability_router.learning.logs.omissions import Omissions

LONGEST = 16 * 1024 * 1024
"""Bytes of a line; a longer one is skipped."""
LARGEST = 512 * 1024 * 1024
"""Bytes of a document that is no sequence of lines."""
_GZIP = b"\x1f\x8b"
_BETWEEN = " \t\r\n,[]"
_DECODER = json.JSONDecoder()

Tick = Callable[[int], None]


class Source:
    """A file being read; `tick` is told of each stretch of bytes that was read of it."""

    def __init__(self, path: Path, omissions: Omissions, tick: Tick) -> None:
        self.path, self.omissions, self._tick = path, omissions, tick
        self._told = 0

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Its bytes, unpacked. Raises ConfigError where it can't be opened."""
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise ConfigError(f"cannot read the log {str(self.path)!r}: {error.strerror or error}") from error
        with file:
            self._raw = file
            packed = file.peek(2)[:2] == _GZIP
            yield io.BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file

    def told(self) -> None:
        """Tell how far the file was read."""
        at = self._raw.tell()
        self._tick(at - self._told)
        self._told = at

    def lines(self, file: IO[bytes]) -> Iterator[bytes]:
        """Its lines; where gzip breaks off, those before."""
        try:
            while line := file.readline(LONGEST):
                self.told()
                if len(line) < LONGEST or line.endswith(b"\n"):
                    yield line
                else:
                    self._skip(file)
        except (EOFError, OSError, zlib.error):
            self.omissions.note("the rest of a file that breaks off or is damaged")

    def _skip(self, file: IO[bytes]) -> None:
        while (rest := file.readline(LONGEST)) and not rest.endswith(b"\n"):
            self.told()
        self.omissions.note("lines of more than 16 MB")

    def items(self) -> Iterator[dict[str, Any]]:
        """Every JSON object in it."""
        with self.open() as file:
            lines = self.lines(file)
            first = next((line for line in lines if line.strip()), b"")
            if first.lstrip().startswith(b"[") or first.strip() == b"{":
                yield from self._document(first, lines)
                return
            yield from self._of_line(first)
            for line in lines:
                yield from self._of_line(line)

    def _of_line(self, line: bytes) -> Iterator[dict[str, Any]]:
        if not line.strip():
            return
        try:
            yield from self._spread(json.loads(line))
        except (ValueError, RecursionError):
            self.omissions.note("lines that are no JSON")

    def _document(self, first: bytes, lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
        parts, size = [first], len(first)
        for line in lines:
            size += len(line)
            if size > LARGEST:
                self.omissions.note("the rest of a JSON document of more than 512 MB")
                break
            parts.append(line)
        text, at = b"".join(parts).decode("utf-8", "replace"), 0
        while (at := _past(text, at)) < len(text):
            try:
                item, at = _DECODER.raw_decode(text, at)
            except (ValueError, RecursionError):
                self.omissions.note("the rest of a JSON document that breaks off or is damaged")
                return
            yield from self._spread(item)

    def _spread(self, item: object) -> Iterator[dict[str, Any]]:
        """An object, or the objects of its lists `runs` and `feedback`."""
        if not isinstance(item, dict):
            self.omissions.note("JSON that is no object")
            return
        lists = [item[name] for name in ("runs", "feedback") if isinstance(item.get(name), list)]
        if not lists or "run_type" in item:
            yield item
            return
        for each in (each for items in lists for each in items):
            if isinstance(each, Mapping):
                yield dict(each)


def _past(text: str, at: int) -> int:
    """The next place that is not between items."""
    while at < len(text) and text[at] in _BETWEEN:
        at += 1
    return at
