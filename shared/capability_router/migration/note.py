"""What an import could not convert, or only with another meaning: what, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Literal, NamedTuple

from capability_router.drawing.table import printable
from capability_router.migration.source import ConfigSource, Place

Kind = Literal["left out", "differs", "secret", "to do"]
"""`secret`: it was in plain text in the file, and was not copied."""
KINDS: tuple[Kind, ...] = ("secret", "to do", "left out", "differs")


class ImportNote(NamedTuple):
    """`line` of the source, None = not known; `what`: the setting's place; `todo`: "" = nothing."""

    kind: Kind
    line: int | None
    what: str
    why: str
    todo: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        return self._asdict()

    def told(self) -> str:
        """In one sentence, with what to do."""
        return f"{self.why}; {self.todo}" if self.todo else self.why


class ImportNotes:
    """All notes of one import, in the order of the source's lines. They never contain a secret of the source."""

    def __init__(self, source: ConfigSource) -> None:
        self._source = source
        self._found: dict[ImportNote, None] = {}

    def add(self, kind: Kind, place: Place, why: str, todo: str = "") -> None:
        """Add a note; a repeated one changes nothing."""
        self._found[ImportNote(kind, self._source.line(place), shown(place), printable(why), printable(todo))] = None

    def left_out(self, place: Place, why: str, todo: str = "") -> None:
        """The setting has no counterpart here."""
        self.add("left out", place, why, todo)

    def differs(self, place: Place, why: str, todo: str = "") -> None:
        """The setting was converted, but means something else in part."""
        self.add("differs", place, why, todo)

    def __iter__(self) -> Iterator[ImportNote]:
        return iter(sorted(self._found, key=lambda note: (note.line is None, note.line or 0)))

    def __len__(self) -> int:
        return len(self._found)


def shown(place: Place) -> str:
    """('model_list', 0, 'model_name') as 'model_list[0].model_name'."""
    told = "".join(f"[{part}]" if isinstance(part, int) else f".{_short(part)}" for part in place)
    return told.removeprefix(".")


def _short(name: str) -> str:
    """A key's name, printable and at most 64 characters long: an odd one may be anything, even a secret."""
    plain = printable(name)
    return plain if len(plain) <= 64 else f"{plain[:60]}..."


def merged(notes: Iterable[ImportNote]) -> list[ImportNote]:
    """Notes of adjacent settings in one block with the same text, as one: `general_settings: master_key,
    database_url`.
    """
    rows: list[ImportNote] = []
    for (_, _, _, block), group in groupby(notes, lambda n: (n.kind, n.why, n.todo, n.what.rpartition(".")[0])):
        same = list(group)
        first = same[0]
        names = ", ".join(note.what.rpartition(".")[2] for note in same)
        rows.append(first if len(same) == 1 else first._replace(what=f"{block}: {names}" if block else names))
    return rows
