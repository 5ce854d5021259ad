"""The meaning of an error answer, passed on by an endpoint that has read all of it to code that sees only a part."""

from __future__ import annotations

from typing import NamedTuple

from capability_router.faults.evidence import Evidence, read


class ErrorClassification(NamedTuple):
    """The kind of fault, the window in tokens and the seconds to wait, each None if not stated.

    `too_large`: as of a Fault.
    """

    kind: str
    window: int | None
    retry_after_s: float | None
    too_large: bool = False


def prior_classification(evidence: Evidence) -> ErrorClassification | None:
    """The ErrorClassification in an error's attribute `told`; None = there is none."""
    told = (read(link.error, "told") for link in evidence)
    return next((meaning for meaning in told if isinstance(meaning, ErrorClassification)), None)
