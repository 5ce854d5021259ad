"""Files that are replaced as a whole: whatever stops the writer, a reader finds the old file or the new one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, TypeVar

Told = TypeVar("Told")
_BINARY = getattr(os, "O_BINARY", 0)
"""Of Windows, where a text's lines would be changed without it."""


def replaced(
    path: Path, write: Callable[[IO[Any]], Told], *, binary: bool = False, errors: str = "strict", mode: int = 0o666
) -> Told:  # fmt: skip
    """What `write` gives back, once what it wrote has taken the place of `path`. Raises OSError.

    A link goes on leading to its file, and an old file keeps its owner and its permissions; of a new one `mode` says
    who may do what, less the umask. What can't be replaced is written in place: a device, a pipe, another user's file.
    Texts are UTF-8, with lines as they are.
    """
    text: dict[str, Any] = {} if binary else {"encoding": "utf-8", "errors": errors, "newline": ""}
    how: dict[str, Any] = {"mode": "wb" if binary else "w", **text}
    place = Path(os.path.realpath(path))
    if not _replaceable(path, place):
        with path.open(**how) as file:  # by its own name: what a shell's `>(...)` leads to has none
            return write(file)
    with TemporaryDirectory(prefix=".", suffix=".new", dir=place.parent) as beside:  # nobody else looks in
        draft = Path(beside) / "draft"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | _BINARY, mode), **how) as file:
            told = write(file)
            file.flush()
            os.fsync(file.fileno())
        if place.exists():
            draft.chmod(place.stat().st_mode & 0o777)
        os.replace(draft, place)
    return told


def write_text_atomically(path: Path, text: str, mode: int = 0o666) -> None:
    """This text in the place of `path`. Raises OSError."""
    replaced(path, lambda file: file.write(text), mode=mode)


def _replaceable(path: Path, place: Path) -> bool:
    """False for what another file in its place would be something else than."""
    if not path.exists():
        return not place.is_symlink()  # links that lead to each other
    if not path.is_file() or not place.exists():  # or it has no name any more, as what a program's output may go to
        return False
    old, folder = place.stat(), place.parent
    ours = old.st_nlink == 1 and old.st_uid == getattr(os, "geteuid", lambda: old.st_uid)()
    whole = old.st_dev == folder.stat().st_dev  # else the file is mounted alone, as containers do
    return ours and whole and os.access(place, os.W_OK) and os.access(folder, os.W_OK | os.X_OK)
