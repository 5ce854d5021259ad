"""References to environment variables, and the names of variables to which plain secrets must be moved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_THEIRS = "os.environ/"
_NAME = re.compile(r"^[A-Za-z_]\w*$")


def named(value: Any) -> str | None:
    """The variable that `os.environ/NAME` means; None for anything else."""
    if not isinstance(value, str) or not value.startswith(_THEIRS):
        return None
    name = value.removeprefix(_THEIRS).strip()
    return name if _NAME.match(name) else None


def is_reference(value: Any) -> bool:
    """Whether it refers to a variable, even by an invalid name."""
    return isinstance(value, str) and value.startswith(_THEIRS)


def put(value: str) -> str:
    """A text as router.yaml has it: `${NAME}` for a reference, with other texts escaped."""
    name = named(value)
    return f"${{{name}}}" if name else value.replace("${", "$${")


class Variables:
    """Names for what is not copied. The same secret gets the same name; secrets are kept only as keys here."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()

    def reserve(self, name: str) -> None:
        """The configuration uses this variable: no secret gets its name."""
        self._taken.add(name)

    def name_for(self, secret: str, wanted: str) -> str:
        """`wanted`, or with a number after it."""
        known = self._names.get(secret)
        if known is not None:
            return known
        plain = re.sub(r"[\W_]+", "_", wanted).strip("_").upper() or "API_KEY"
        stem = plain if not plain[0].isdigit() else f"KEY_{plain}"
        name, count = stem, 1
        while name in self._taken:
            count += 1
            name = f"{stem}_{count}"
        self._taken.add(name)
        self._names[secret] = name
        return name

    def __repr__(self) -> str:
        return f"<Variables {sorted(self._taken)}>"


def references(value: Any) -> list[str]:
    """Every variable that a value refers to."""
    if isinstance(value, Mapping):
        return [name for inner in value.values() for name in references(inner)]
    if isinstance(value, list):
        return [name for inner in value for name in references(inner)]
    name = named(value)
    return [name] if name else []
