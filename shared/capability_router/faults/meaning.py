"""What an answer means, from whoever has read all of it to whoever is shown a part."""

from __future__ import annotations

from typing import NamedTuple

from capability_router.faults.evidence import Evidence, read


class Meaning(NamedTuple):
    """The kind of fault, its window in tokens, the seconds that it asks to wait; None = it says nothing of that."""

    kind: str
    window: int | None
    retry_after_s: float | None


def told_before(evidence: Evidence) -> Meaning | None:
    """The meaning that an error brings along as `told`, of an answer that it holds but in part; None = it has none."""
    told = (read(link.error, "told") for link in evidence)
    return next((meaning for meaning in told if isinstance(meaning, Meaning)), None)
