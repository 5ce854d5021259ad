"""The files of logs in the order of time: a shell lists `decisions.jsonl*` with the newest first."""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from capability_router.decision_log.lines import lines
from capability_router.decision_log.reading import DecisionLogReader, unreadable
from capability_router.decision_log.record_validation import time_of

_LOOKED_AT = 100  # lines that are searched for a time


_TABLES = (".csv", ".parquet")  # `train` reads these too: such files are not rotated


def files_of(logs: Iterable[Path]) -> list[Path]:
    """The logs with their rotated files, the oldest of all first, each once.

    Raises ConfigError if a log does not exist.
    """
    found: dict[Path, Path] = {}
    for log in logs:
        table = any(end.lower() in _TABLES for end in log.suffixes)
        there = [path for path in ([log] if table else rotated(log)) if path.exists()]
        if not there:
            raise unreadable(log, os.strerror(errno.ENOENT))
        for path in there:
            found.setdefault(path.resolve(), path)
    return oldest_first(found.values())


def rotated(path: str | Path) -> list[Path]:
    """The rotated files of a log that exist, oldest first, then the log: `<name>.2`, `<name>.1`, `<name>`."""
    whole = Path(path)
    beside = ((found.suffix[1:], found) for found in whole.parent.glob(f"{glob.escape(whole.name)}.*"))
    numbered = [(int(end), found) for end, found in beside if end.isdecimal()]
    return [found for _, found in sorted(numbered, reverse=True)] + [whole]


def size_of(files: Iterable[Path]) -> int:
    """Bytes; unknown for a pipe."""
    return sum(path.stat().st_size for path in files if path.is_file())


def oldest_first(files: Iterable[Path]) -> list[Path]:
    """By the first record of each. A file without a time, or a pipe (which is not touched), stays behind the one
    before it.
    """
    began, found = 0.0, list[tuple[float, Path]]()
    for path in files:
        began = _began(path) or began
        found.append((began, path))
    return [path for _, path in sorted(found, key=lambda item: item[0])]


def _began(path: Path) -> float:
    """Unix seconds; 0 = unknown."""
    reading = DecisionLogReader()
    if not path.is_file():  # a pipe can be read only once
        return 0.0
    try:
        looked_at = map(reading.line, islice(lines(path, reading.omitted), _LOOKED_AT))
        return next(filter(None, (time_of(record) for record in looked_at if record is not None)), 0.0)
    except OSError:  # the reader reports it
        return 0.0
