"""The room of a store where each router tells, now and then, how its models fare: texts that grow old."""

from __future__ import annotations

from typing import NamedTuple, Protocol

KEPT_S = 600.0
"""A report that is not renewed is dropped so long after it was told."""


class HealthReport(NamedTuple):
    """What `writer`, a router of this `name` in one process, told last, `age_s` seconds ago by the store's clock."""

    name: str
    writer: str
    text: str
    age_s: float


class ReportStore(Protocol):
    """One report for each writer, the last one."""

    def tell(self, name: str, writer: str, text: str) -> None:
        """Put it in the place of the writer's former one."""
        ...

    def withdraw(self, name: str, writer: str) -> None:
        """The writer has ended: it has nothing to report any more."""
        ...

    def reports(self) -> list[HealthReport]:
        """All that are kept, by name and writer."""
        ...
