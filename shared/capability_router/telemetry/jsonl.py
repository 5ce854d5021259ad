"""Writes decision records as JSON lines to a file, with rotation."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock
from typing import Any

from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.errors import ConfigError

log = logging.getLogger("capability_router")


class JsonlSink(ProcessHooks):
    """One line per record, appended in one write, so that several processes may share the file.

    The file is opened at the first record, readable by its owner only. When it holds `rotate_mb` million bytes it is
    renamed to `<name>.1`, the previous one to `<name>.2`, ...; `keep` of them stay. If another program has moved it
    away, as logrotate does, a new one is opened. Raises OSError; that record is lost, and the next one tries again.
    A file that can't be renamed goes on growing, which is told once. Raises ConfigError for a folder.
    """

    def __init__(self, path: str | Path, rotate_mb: float | None = None, keep: int = 5) -> None:
        self._path = Path(os.path.expanduser(path)).absolute()  # stays the same if the working directory changes
        if os.path.isdir(self._path):  # `Path.is_dir` may raise, and a record that is lost is only logged
            raise ConfigError(f"the decision log {str(path)!r} is a folder; name a file in it, such as decisions.jsonl")
        self._most = None if rotate_mb is None else max(1, int(rotate_mb * 1e6))
        self._keep = keep
        self._file: int | None = None
        self._stays = False  # it could not be renamed the last time
        self._torn = False  # the last line is incomplete, so the next record needs a line break first
        self._lock = Lock()
        watch(self)

    def write(self, record: dict[str, Any]) -> None:
        """Append the record."""
        line = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        with self._lock:
            file = self._opened()
            self._append(file, b"\n" + line if self._torn else line)
            why = self._turn_over(self._most) if self._most and os.fstat(file).st_size >= self._most else ""
        if why:  # told without the lock: a handler of logs may write here, too
            log.warning("%r can't be rotated and goes on growing: %s", self, why)

    def _append(self, file: int, line: bytes) -> None:
        left = len(line)
        try:
            while left:
                left -= os.write(file, line[-left:])  # a disk that is nearly full writes only a part
        finally:
            if left < len(line):
                self._torn = left > 0

    def close(self) -> None:
        """Close the file; a later record opens it again."""
        with self._lock:
            self._shut()

    def after_fork(self) -> None:
        """A thread of the parent may have held the lock."""
        self._lock = Lock()

    def _opened(self) -> int:
        if self._file is not None and self._moved(self._file):
            self._shut()
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # It may contain hashes of the prompts' words (`telemetry.hashed_words`) or their text (`capture_content`).
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY, 0o600)
            self._torn = _unfinished(self._path)
        return self._file

    def _shut(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _moved(self, file: int) -> bool:
        """Whether another file, or none, is now at the path of the open one."""
        try:
            return not os.path.samestat(os.fstat(file), os.stat(self._path))
        except FileNotFoundError:
            return True

    def _turn_over(self, most: int) -> str:
        """Rotate, as far as that is possible: the record is written already. Gives why it is not, the first time."""
        known = self._stays
        try:
            self._rotate(most)
        except OSError as error:
            self._stays = True
            return "" if known else error.strerror or str(error)
        self._stays = False
        return ""

    def _rotate(self, most: int) -> None:
        """Rename the full file, unless another process has done it."""
        with _alone(self._path):
            if self._file is not None and not self._moved(self._file) and os.fstat(self._file).st_size >= most:
                self._shut()
                self._shift()
        self._shut()

    def _shift(self) -> None:
        for number in range(self._keep, 0, -1):
            earlier = self._path if number == 1 else self._numbered(number - 1)
            if earlier.exists():
                earlier.replace(self._numbered(number))
        if not self._keep:
            self._path.unlink()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def __repr__(self) -> str:
        return f"JsonlSink({str(self._path)!r})"


_WRITTEN_S = 0.02  # a write under way has ended after this time
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would write "\r\n"


def _unfinished(path: Path) -> bool:
    """Whether the file ends within a line, and not because another process is just writing."""
    if not _ends_within_a_line(path):
        return False
    Event().wait(_WRITTEN_S)
    return _ends_within_a_line(path)


def _ends_within_a_line(path: Path) -> bool:
    """Whether the file ends within a line, as after a kill or a full disk. A pipe is not read."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let only one process at a time run the block; without effect on Windows."""
    try:
        import fcntl  # here, because Windows has none
    except ImportError:
        yield
        return
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)  # also releases the lock
