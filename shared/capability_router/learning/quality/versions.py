"""Which version answers behind each model's name, by what the replies state.

A provider that puts another version behind a name usually states it in the replies. Several scored answers in a row
must name it, because both versions answer during the change. A former version must answer more often in a row, because
a gateway may serve two at the same time, and scores of old answers may come late.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

IN_A_ROW, BACK_IN_A_ROW = 3, 50  # scored answers: of a version never seen before, of one that was there before
_LONGEST, _FORMER = 100, 8  # signs of a name; former versions that are known
_ENDS = "-_.@:"  # what a date or a number of a version is appended with


@dataclass(slots=True)
class ModelVersion:
    """`name`: the one that answers, "" = unknown. `other` has answered the last `run` times. `former`: earlier ones."""

    name: str = ""
    other: str = ""
    run: int = 0
    former: list[str] = field(default_factory=list)

    def told(self, name: str) -> bool:
        """A scored answer was of this version; True = the version has changed."""
        longer = _same(self.name, name)
        if longer is not None:
            self.name, self.other, self.run = longer, "", 0
            return False
        self.run = self.run + 1 if self.other == name else 1
        self.other = name
        if self.run < (BACK_IN_A_ROW if name in self.former else IN_A_ROW):
            return False
        self.former = [*(each for each in self.former if each != self.name), self.name][-_FORMER:]
        self.name, self.other, self.run = name, "", 0
        return True


class ModelVersions:
    """By model. Not thread-safe."""

    def __init__(self, known: Iterable[tuple[str, ModelVersion]] = ()) -> None:
        self.known: dict[str, ModelVersion] = dict(known)

    def told(self, model: str, name: str) -> str:
        """A scored answer of a model stated this version; returns the earlier one if it has changed."""
        name = shown(name)
        if not name:
            return ""
        version = self.known.setdefault(model, ModelVersion())
        before = version.name
        return before if version.told(name) else ""

    def of(self, model: str) -> str:
        """The version that answers; "" = unknown."""
        return self.known[model].name if model in self.known else ""


def shown(name: str) -> str:
    """The stored form: without a provider's path, in lower case, with printable characters only."""
    last = name.rstrip("/").rpartition("/")[2][:_LONGEST].lower()
    return "".join(sign for sign in last if sign.isprintable()).strip()


def _same(known: str, name: str) -> str | None:
    """An alias and its dated version are the same: the longer of both, None = they are different."""
    short, long = sorted((known, name), key=len)
    if long == short or not short or (long.startswith(short) and long[len(short)] in _ENDS):
        return long
    return None
