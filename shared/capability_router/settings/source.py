"""Reads router.yaml, and puts environment variables where `${NAME}` stands."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capability_router.errors import ConfigError

VARIABLE = re.compile(r"\$(\$)?\{([A-Za-z_]\w*)(?::-([^}]*))?\}")


class FromEnvironment(str):
    """A text into which a variable was put. It may be a secret, so its repr shows how it was written."""

    __slots__ = ("written",)
    written: str

    def __new__(cls, value: str, written: str) -> FromEnvironment:
        """`value` with its variables put in, and the text as it was `written`."""
        text = super().__new__(cls, value)
        text.written = written
        return text

    def __repr__(self) -> str:
        return repr(self.written)


def read(
    source: str | Path | Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """(what to call the source in errors, its settings with variables put in); raises ConfigError.

    `environ`: the variables; None = this process's.
    """
    if not isinstance(source, (Mapping, str, os.PathLike)):
        raise ConfigError(f"a configuration is a path of a router.yaml or a mapping, got a {type(source).__name__}")
    if isinstance(source, Mapping):
        return "", _mapping(_filled_in(source, "", environ), "")
    from capability_router.settings.yaml_text import parsed  # where there is a file: most routers have none

    path = Path(source)
    return path.name, _mapping(_filled_in(parsed(_text(path), path), f"{path.name}: ", environ), f"{path}: ")


def _filled_in(value: Any, where: str, environ: Mapping[str, str] | None) -> Any:
    try:
        return interpolated(value, where, environ)
    except RecursionError:
        raise ConfigError(f"{where}settings are nested too deep, or one is within itself") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path} (looked in {Path.cwd()}); give the path of a router.yaml") from None
    except (OSError, UnicodeDecodeError) as error:
        why = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ConfigError(f"{path} can't be read: {why}") from None


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        kind = "empty" if value is None else f"a {type(value).__name__}"
        raise ConfigError(f"{where}settings must be a mapping with `models:`, this is {kind}")
    return dict(value)


def interpolated(value: Any, where: str = "", environ: Mapping[str, str] | None = None) -> Any:
    """The value with each `${NAME}` or `${NAME:-default}` in its texts replaced; `$${` stands for `${`."""
    if isinstance(value, str):
        return _filled(value, where, os.environ if environ is None else environ)
    if isinstance(value, Mapping):
        dot = f"{where}." if where and not where.endswith(": ") else where
        return {key: interpolated(item, f"{dot}{key}", environ) for key, item in value.items()}
    if type(value) is list:
        return [interpolated(item, f"{where}[{i}]", environ) for i, item in enumerate(value)]
    return value


def _filled(text: str, where: str, environ: Mapping[str, str]) -> str:
    def put(found: re.Match[str]) -> str:
        escaped, name, default = found.groups()
        if escaped:
            return found[0][1:]
        value = environ.get(name, default)
        value = default if not value and default is not None else value
        if value is None:
            told = f"the environment variable {name} is not set; set it or write ${{{name}:-default}}"
            raise ConfigError(f"{where}: {told}" if where else told)
        return value

    filled = VARIABLE.sub(put, text)
    return text if filled == text else FromEnvironment(filled, text)
