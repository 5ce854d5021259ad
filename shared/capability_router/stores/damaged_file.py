"""Whether an unreadable file was a store of ours, which may be moved aside, or another program's, which may not."""

from __future__ import annotations

import logging
from pathlib import Path

log = logging.getLogger("capability_router")
APPLICATION = 0x43615272
"""SQLite keeps this number in the head of each file that we make."""
_MAGIC, _PLACE, _PIECE = b"SQLite format 3\x00", slice(68, 72), 1 << 20


def is_foreign(path: Path) -> bool:
    """Whether it is no SQLite database at all, but has something in it."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) != _MAGIC and not _is_blank(path)
    except OSError:  # gone, or unreadable: unknown
        return False


def quarantine(path: Path, now: float) -> bool:
    """Move a damaged file of ours out of the way, its companions with it; False = it may be another program's."""
    with path.open("rb") as file:
        head = file.read(_PLACE.stop)
    ours = head.startswith(_MAGIC) and head[_PLACE] == APPLICATION.to_bytes(4, "big")
    if not ours and not _is_blank(path):
        return False
    for tail in ("", "-wal", "-shm"):
        old = path.with_name(path.name + tail)
        if old.exists():
            old.rename(path.with_name(f"{path.name}.damaged-{int(now)}{tail}"))
    log.warning("the store %s was damaged; it was moved to %s.damaged-%d and a new one begun", path, path, int(now))
    return True


def _is_blank(path: Path) -> bool:
    """Nothing but zeros, as a crash may leave it: there is nothing to lose."""
    with path.open("rb") as file:
        return not any(any(piece) for piece in iter(lambda: file.read(_PIECE), b""))
