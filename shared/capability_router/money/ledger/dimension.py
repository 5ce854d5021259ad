"""The dimensions of totals and filters: who asked, who answered, how it ended, when."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from capability_router.errors import ConfigError
from capability_router.money.ledger.call import ANSWERED, CANCELLED, FAILED, outcome_of
from capability_router.money.ledger.time_steps import STEPS, label
from capability_router.nearest import nearest
from capability_router.stores.surrogates import sound

DIMENSIONS = (
    "tenant", "tag", "task", "chain", "framework", "model", "provider", "credential", "outcome", "fault",
)  # fmt: skip
"""Beside these, the steps of time: hour, day, week, month."""
OF_CALLS = ("session", "request_id")
"""Fields of single calls alone: they have too many values for totals that are kept for ever."""
_COLUMN = {"tag": "tags", "outcome": "fault"}
Where = Mapping[str, str | Collection[str]]
"""Dimension -> the value, or the values, that count: {"tenant": "acme", "model": ["a", "b"]}."""


def checked(by: Sequence[str] | str | None, *, steps: Sequence[str] = STEPS) -> tuple[str, ...]:
    """The names of dimensions; raises ConfigError for one that is none, naming the nearest."""
    if by is not None and not isinstance(by, Iterable):
        raise ConfigError(f"by={by!r} must be the names of dimensions, such as ('tenant', 'model')")
    names = (by,) if isinstance(by, str) else tuple(by or ())
    for name in names:
        if name in OF_CALLS:
            known = ", ".join((*DIMENSIONS, *steps))
            raise ConfigError(
                f"by={name!r}: totals are not kept by {name}, but by {known}; calls(where=...) and exports know it"
            )
        if name not in DIMENSIONS and name not in steps:
            raise _unknown(f"by={name!r}", name, (*DIMENSIONS, *steps))
    return names


def _unknown(said: str, name: str, known: Sequence[str]) -> ConfigError:
    return ConfigError(f"{said} is no dimension of the ledger{nearest(name, known, '')}; there are {', '.join(known)}")


def columns_of(names: Collection[str]) -> set[str]:
    """The columns of a cell that hold these dimensions."""
    return {_COLUMN.get(name, name) for name in names if name not in STEPS}


class LedgerFilter:
    """The values that count, by dimension. Filters can only be narrowed."""

    def __init__(self, wanted: Mapping[str, frozenset[str]] | None = None) -> None:
        self.wanted = dict(wanted or {})

    def narrowed(self, where: Where | None) -> LedgerFilter:
        """Both this and `where`; raises ConfigError for an unknown dimension or a value that is no text."""
        wanted = dict(self.wanted)
        for name, value in (where or {}).items():
            if name not in DIMENSIONS and name not in OF_CALLS:
                raise _unknown(f"where={{{name!r}: ...}}", name, (*DIMENSIONS, *OF_CALLS))
            values = _values(name, value)
            wanted[name] = wanted[name] & values if name in wanted else values
        return LedgerFilter(wanted)

    def for_totals(self) -> LedgerFilter:
        """Itself; raises ConfigError when it asks for what totals are not kept by."""
        odd = [name for name in OF_CALLS if name in self.wanted]
        if odd:
            raise ConfigError(f"where={{{odd[0]!r}: ...}}: totals are not kept by {odd[0]}; use calls(where=...)")
        return self

    @property
    def columns(self) -> set[str]:
        """The columns that it reads."""
        return columns_of(self.wanted)

    @property
    def exact(self) -> dict[str, frozenset[str]]:
        """Column -> values, for the dimensions that are columns themselves: a store may filter by them."""
        return {name: frozenset(map(sound, values)) for name, values in self.wanted.items() if name not in _COLUMN}

    def row_matches(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of these columns counts."""
        return all(_is(name, values, row) for name, values in self.wanted.items())

    def tags(self, tags: Sequence[str]) -> Sequence[str]:
        """Those of a call's tags that are asked for; an untagged call has the tag ""."""
        own, wanted = tuple(dict.fromkeys(tags)) or ("",), self.wanted.get("tag")
        return own if wanted is None else [tag for tag in own if tag in wanted]

    def __repr__(self) -> str:
        return f"LedgerFilter({', '.join(f'{name}={sorted(values)}' for name, values in self.wanted.items())})"


def _values(name: str, value: Any) -> frozenset[str]:
    values = (value,) if isinstance(value, str) else value
    texts = isinstance(values, Collection) and not isinstance(values, (bytes, Mapping))
    if not texts or not all(isinstance(v, str) for v in values):
        raise ConfigError(f"where={{{name!r}: {value!r}}}: give a text or a list of texts")
    found: frozenset[str] = frozenset((*values, *map(sound, values)))  # as memory and as stores have them
    if name == "outcome" and found - {ANSWERED, CANCELLED, FAILED}:
        raise ConfigError(f"where={{'outcome': {value!r}}}: one of {ANSWERED}, {FAILED}, {CANCELLED}")
    return found


def _is(name: str, values: frozenset[str], row: Mapping[str, Any]) -> bool:
    if name == "tag":
        return not values.isdisjoint(row["tags"] or ("",))
    return (outcome_of(row["fault"]) if name == "outcome" else row[name]) in values


def grouping(
    names: Sequence[str], narrow: LedgerFilter
) -> Callable[[int, Mapping[str, Any]], Iterator[tuple[str, ...]]]:
    """Gives the groups of a row that begins at a moment. With "tag", one for each of its tags that is asked for."""
    labels: dict[tuple[str, int], str] = {}

    def of(name: str, start: int, row: Mapping[str, Any]) -> Sequence[str]:
        if name in STEPS:
            found = labels.get((name, start))
            if found is None:
                found = labels[name, start] = label(name, start)
            return (found,)
        if name == "tag":
            return narrow.tags(row["tags"])
        return (outcome_of(row["fault"]),) if name == "outcome" else (row[name],)

    return lambda start, row: product(*(of(name, start, row) for name in names))
