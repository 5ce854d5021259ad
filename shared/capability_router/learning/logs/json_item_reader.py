"""The JSON items of a file, one after another, as far as it goes: plain or gzip, a line each or one document."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol, cast

from capability_router.decision_log.lines import DAMAGED
from capability_router.decision_log.reading import NO_JSON, json_of
from capability_router.decision_log.record_validation import NO_OBJECT
from capability_router.decision_log.tail import LONGEST, TOO_LONG
from capability_router.errors import ConfigError
from capability_router.json_text import parsed_by
from capability_router.learning.logs.omissions import Omissions

LARGEST = 512 * 1024 * 1024
"""Bytes of a document that is no sequence of lines."""
_GZIP = b"\x1f\x8b"
_BETWEEN = " \t\r\n,[]"
_DECODER = json.JSONDecoder()

Tick = Callable[[int], None]


class JsonItemReader:
    """A file being read; `tick` is called with the bytes of each stretch that was read of it."""

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
            yield cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file

    def told(self) -> None:
        """Report how far the file was read; of a pipe this is unknown."""
        if self._raw.seekable():
            at = self._raw.tell()
            self._tick(at - self._told)
            self._told = at

    def lines(self, file: IO[bytes]) -> Iterator[bytes]:
        """Its lines in UTF-8, without a mark of the byte order; where gzip breaks off, those before."""
        yield from self._bounded(self._pieces(file))

    def _pieces(self, file: IO[bytes]) -> Iterator[bytes]:
        """Its lines, of a long one a piece after the other."""
        try:
            with _in_utf8(file) as source:
                while piece := source.readline(LONGEST):
                    self.told()
                    yield piece
        except (EOFError, OSError, zlib.error):
            self.omissions.note(DAMAGED)

    def _bounded(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Without lines that come in pieces."""
        skipping = False
        for piece in pieces:
            last = len(piece) < LONGEST or piece.endswith(b"\n")
            if last and not skipping:
                yield piece
            elif not skipping:
                self.omissions.note(TOO_LONG)
            skipping = not last

    def items(self) -> Iterator[dict[str, Any]]:
        """Every JSON object in it."""
        with self.open() as file:
            pieces = self._pieces(file)
            first = next((piece for piece in pieces if piece.strip()), b"")
            if first.lstrip()[:1] == b"[" or (first.lstrip()[:1] == b"{" and not _whole(first)):
                yield from self._document(first, pieces)
                return
            yield from self._of_lines(chain((first,), pieces))

    def _of_lines(self, pieces: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        for line in self._bounded(pieces):
            yield from self._of_line(line)

    def _of_line(self, line: bytes) -> Iterator[dict[str, Any]]:
        if not line.strip():
            return
        try:
            yield from self._spread(json_of(line))
        except ValueError:
            self.omissions.note(NO_JSON)

    def _document(self, first: bytes, pieces: Iterator[bytes]) -> Iterator[dict[str, Any]]:
        """One document in one line or many; lines, where it is none from its first object on."""
        parts, size = [first], len(first)
        for piece in pieces:
            parts.append(piece)
            if (size := size + len(piece)) > LARGEST:
                self.omissions.note("the rest of a JSON document of more than 512 MB")
                break
        text, at = b"".join(parts).decode("utf-8", "replace"), 0
        while (at := _past(text, at)) < len(text):
            try:
                item, at = parsed_by(_DECODER.raw_decode, text, at)
            except ValueError:
                if first.lstrip()[:1] == b"{" and not text[:at].strip():
                    yield from self._of_lines(chain(parts, pieces))
                else:
                    self.omissions.note("the rest of a JSON document that breaks off or is damaged")
                return
            yield from self._spread(item)

    def _spread(self, item: object) -> Iterator[dict[str, Any]]:
        """An object, or the objects of its lists `runs` and `feedback`."""
        if not isinstance(item, dict):
            self.omissions.note(NO_OBJECT)
            return
        lists = [item[name] for name in ("runs", "feedback") if isinstance(item.get(name), list)]
        if not lists or "run_type" in item:
            yield item
            return
        for each in (each for items in lists for each in items):
            if isinstance(each, Mapping):
                yield dict(each)


def _whole(line: bytes) -> bool:
    """Whether it is JSON by itself."""
    try:
        json_of(line)
    except ValueError:
        return False
    return True


class _Lines(Protocol):
    """At most `size` bytes of the next line, with its end."""

    def readline(self, size: int, /) -> bytes: ...


@contextmanager
def _in_utf8(file: IO[bytes]) -> Iterator[_Lines]:
    """The same from here on, where a mark of the byte order is here: without it, and UTF-16 as UTF-8."""
    head = file.peek(3)[:3] if isinstance(file, (io.BufferedReader, gzip.GzipFile)) else b""
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        text = io.TextIOWrapper(file, "utf-16", "replace", newline="\n")
        try:
            yield _Recoded(text)
        finally:
            text.detach()  # the file is not its to close
    else:
        file.read(3 if head == codecs.BOM_UTF8 else 0)
        yield file


class _Recoded(NamedTuple):
    """A text, line by line in UTF-8."""

    text: io.TextIOWrapper

    def readline(self, size: int, /) -> bytes:
        """At most so many characters."""
        return self.text.readline(size).encode("utf-8", "replace")


def _past(text: str, at: int) -> int:
    """The next place that is not between items."""
    while at < len(text) and text[at] in _BETWEEN:
        at += 1
    return at
