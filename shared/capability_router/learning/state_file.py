"""The file of a learned state: written whole or not at all, by one process at a time, and no process loses another's
data.

No process keeps it open. The lock is on the file itself, and a process that gets it checks whether it is still that
file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from hashlib import blake2b
from pathlib import Path

_DRAFT = re.compile(r"\.\d+\.[0-9a-f]+")  # process, object
_LEFT_S = 600.0  # older drafts are of processes that were killed


class StateFile:
    """Not thread-safe. Raises OSError, or an error of decoding the text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = ""  # a digest of what was read or written last

    def read(self) -> str:
        """The whole text."""
        data = self.path.read_bytes()
        self._known = _digest(data)
        return data.decode()

    def write(self, made: Callable[[bytes | None], str]) -> None:
        """Write what `made` returns. Its argument is what another process has written since; None = nothing."""
        while not self._written(made):
            pass

    def _written(self, made: Callable[[bytes | None], str]) -> bool:
        """False = another process has just made the file."""
        path = self._real()
        with _alone(path) as there:
            found = path.read_bytes() if there else None
            text = made(None if found is None or _digest(found) == self._known else found)
            draft = path.with_name(f".{path.name}.{os.getpid()}.{id(self):x}")  # a process may have two
            try:
                _write(draft, text)
                _sweep(path, draft)
                if not _placed(draft, path, new=not there):
                    return False
            finally:
                draft.unlink(missing_ok=True)
            self._known = _digest(text)
        return True

    def move_aside(self) -> None:
        """Keep the present file as `<name>.damaged`, beside the file that a symbolic link points to."""
        path = self._real()
        with suppress(FileNotFoundError):
            path.rename(path.with_name(f"{path.name}.damaged"))

    def _real(self) -> Path:
        """The file itself: else a symbolic link would be renamed or replaced instead of its target."""
        return Path(os.path.realpath(self.path))


def _digest(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    return blake2b(data, digest_size=16).hexdigest()


def _write(draft: Path, text: str) -> None:
    """Readable by its owner only, and flushed to disk before it replaces the old file: else a crash could leave it
    empty.
    """
    owners = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(owners, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def _sweep(path: Path, draft: Path) -> None:
    """Remove the drafts of processes that were killed while writing; the file system's own clock shows their age."""
    now = draft.stat().st_mtime
    for left in path.parent.glob(f".{escape(path.name)}.*"):
        if _DRAFT.fullmatch(left.name.removeprefix(f".{path.name}")):
            with suppress(OSError):  # another process was quicker, or it is another user's
                if now - left.lstat().st_mtime > _LEFT_S:
                    left.unlink()


def _placed(draft: Path, path: Path, *, new: bool) -> bool:
    """Whether it was put in place: as a new file, only if there is none by now."""
    if new:
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            os.replace(draft, path)
    else:
        os.replace(draft, path)
    return True


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Lock the file against other processes, if the system supports it; False = no file."""
    try:
        import fcntl  # imported here, because Windows has no such module
    except ImportError:
        yield path.exists()
        return
    held = None
    while held is None:
        try:
            held = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            yield False
            return
        with suppress(OSError):  # a file system without locks
            fcntl.flock(held, fcntl.LOCK_EX)
        if not _same(held, path):  # replaced while this one waited
            os.close(held)
            held = None
    try:
        yield True
    finally:
        with suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_UN)  # a child forked meanwhile has it open too
        os.close(held)


def _same(held: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(held), path.stat())
    return False
