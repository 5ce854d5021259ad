"""Which version answers behind each model's name, by what the replies call it.

A provider that puts another version behind a name mostly says so in its replies. Several scored answers in a row have
to name it, because during the change both versions answer. A former version has to come back for longer, because a
gateway may have two at the same time, and scores of old answers may come late.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

IN_A_ROW, BACK_IN_A_ROW = 3, 50  # scored answers: of a version never seen before, of one that was there before
_LONGEST, _FORMER = 100, 8  # signs of a name; former versions that are known
_ENDS = "-_.@:"  # what a date or a number of a version is appended with


@dataclass(slots=True)
class Version:
    """`name`: the one that answers, "" = not known. `other` has answered the last `run` times. `former`: before."""

    name: str = ""
    other: str = ""
    run: int = 0
    former: list[str] = field(default_factory=list)

    def told(self, name: str) -> bool:
        """A scored answer was this version's; True = it is not the one any more that it was."""
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


class Versions:
    """By model. Not thread-safe."""

    def __init__(self, known: Iterable[tuple[str, Version]] = ()) -> None:
        self.known: dict[str, Version] = dict(known)

    def told(self, model: str, name: str) -> str:
        """A scored answer of a model called itself so: what it called itself before, if it is another one now."""
        name = shown(name)
        if not name:
            return ""
        version = self.known.setdefault(model, Version())
        before = version.name
        return before if version.told(name) else ""

    def of(self, model: str) -> str:
        """Which one answers; "" = not known."""
        return self.known[model].name if model in self.known else ""


def shown(name: str) -> str:
    """As it is kept: without a provider's path before it, in small letters, with no sign that can't be printed."""
    last = name.rstrip("/").rpartition("/")[2][:_LONGEST].lower()
    return "".join(sign for sign in last if sign.isprintable()).strip()


def _same(known: str, name: str) -> str | None:
    """An alias and the version that it stands for are no two: the longer of both, None = they are two."""
    short, long = sorted((known, name), key=len)
    if long == short or not short or (long.startswith(short) and long[len(short)] in _ENDS):
        return long
    return None
