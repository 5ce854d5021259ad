"""Files that are replaced as a whole: whatever stops the writer, a reader finds the old file or the new one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_native_id
from typing import IO, Any, TypeVar

Told = TypeVar("Told")


def replaced(
    path: Path, write: Callable[[IO[Any]], Told], *, binary: bool = False, errors: str = "strict", mode: int = 0o666
) -> Told:  # fmt: skip
    """What `write` gives back, once what it wrote has taken the place of `path`. Raises OSError.

    A link goes on leading to its file, and a device or a pipe is written straight. Whoever might read the old file may
    read the new one; where there was none, `mode` says who, less the umask. Texts are UTF-8, with lines as they are.
    """
    how: dict[str, Any] = (
        {"mode": "wb"} if binary else {"mode": "w", "encoding": "utf-8", "errors": errors, "newline": ""}
    )
    if path.exists() and not path.is_file():  # by its own name: what a shell's `>(...)` leads to has none
        with path.open(**how) as file:
            return write(file)
    place = Path(os.path.realpath(path))
    with _draft(place) as draft:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, mode), **how) as file:
            told = write(file)
            file.flush()
            os.fsync(file.fileno())
        if place.exists():
            draft.chmod(place.stat().st_mode & 0o777)
        os.replace(draft, place)
    return told


_BINARY = getattr(os, "O_BINARY", 0)
"""Of Windows, where a text's lines would be changed without it."""


def text_replaced(path: Path, text: str, mode: int = 0o666) -> None:
    """This text in the place of `path`. Raises OSError."""
    replaced(path, lambda file: file.write(text), mode=mode)


@contextmanager
def _draft(place: Path) -> Iterator[Path]:
    """Beside it, under a name of this thread's own; nothing half-written is left behind."""
    draft = place.with_name(f".{place.name}.{os.getpid()}-{get_native_id()}.new")
    try:
        yield draft
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
