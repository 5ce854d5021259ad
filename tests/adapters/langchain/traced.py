"""A run as it arrived at a tracing backend, whichever way it was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Traced:
    """`usage` is (input, output) tokens as the backend would count them on this run, None = none."""

    id: str
    name: str
    kind: str
    error: str
    metadata: dict[str, Any]
    usage: tuple[int, int] | None
    model: str | None
    children: list[Traced] = field(default_factory=list)

    def all(self) -> Iterator[Traced]:
        """This run and all below it, in order."""
        yield self
        for child in self.children:
            yield from child.all()

    def below(self, kind: str) -> list[Traced]:
        """The runs of a kind below this one."""
        return [run for run in self.all() if run is not self and run.kind == kind]


def tree(runs: Iterable[tuple[str | None, Any, Traced]]) -> list[Traced]:
    """(parent id, what to sort by, run) of each run -> the roots, children in order under their parents."""
    ordered = [(parent, run) for parent, _, run in sorted(runs, key=lambda row: row[1])]
    by_id = {run.id: run for _, run in ordered}
    assert len(by_id) == len(ordered), "a run was sent as two"
    for parent, run in ordered:
        if parent is not None:
            by_id[parent].children.append(run)
    return [run for parent, run in ordered if parent is None]
