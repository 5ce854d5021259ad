"""The user's own catalog file: where it is, how it is read and replaced.

It stands in $CAPABILITY_ROUTER_CATALOG, else in the user's data folder; `off` means that there is none.
A file that can't be read is told once in the log, and the built-in catalog is used.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from capability_router.atomic_file import write_text_atomically
from capability_router.catalog.known import document
from capability_router.catalog.known.document import CatalogDocument
from capability_router.errors import ConfigError
from capability_router.json_text import parsed

VARIABLE = "CAPABILITY_ROUTER_CATALOG"
_OFF = ("off", "none", "0", "")
log = logging.getLogger("capability_router")


def path() -> Path | None:
    """Where the file is or would be; None when the user wants none."""
    stated = os.environ.get(VARIABLE)
    if stated is not None:
        return None if stated.strip().lower() in _OFF else Path(stated).expanduser()
    folder = _data_folder()
    return folder / "capability-router" / "catalog.json" if folder else None


def _data_folder() -> Path | None:
    """The platform's folder for a user's data; None where there is no home folder (some services and jobs)."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")


def load() -> CatalogDocument | None:
    """The user's catalog; None when there is none, or none that can be read, which is logged."""
    place = path()
    try:
        return None if place is None else read(place)
    except ConfigError as error:
        log.warning(
            "%s; the built-in catalog is used instead. Write the file anew with `capability-router catalog update`, "
            "delete it, or set %s=off", error, VARIABLE,
        )  # fmt: skip
        return None


def read(place: Path) -> CatalogDocument | None:
    """The catalog in this file; None when there is no such file. Raises ConfigError when it can't be read."""
    try:
        text = place.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(f"the catalog file {str(place)!r} can't be read: {reason or error}") from error
    try:
        data = parsed(text)
    except ValueError as error:
        raise ConfigError(f"the catalog file {str(place)!r} is no JSON: {error}") from None
    return document.parsed(data, f"the catalog file {str(place)!r}")


def replace(place: Path, text: str) -> None:
    """Put this text there: the old file is there until the new one is whole. Raises ConfigError when it can't be."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(place, text)
    except OSError as error:
        raise ConfigError(
            f"cannot write the catalog file {str(place)!r}: {error.strerror or error}; "
            f"choose another with --to or {VARIABLE}"
        ) from error
