"""What it means when a candidate that is itself a router had no answer."""

from __future__ import annotations

from capability_router.errors import AllCandidatesFailed, BudgetExceeded, NoEligibleModel, RouterBusy
from capability_router.faults.kinds import KINDS, Fault

_ALONE = {"auth": "server_error", "quota_exhausted": "overloaded", "not_found": "server_error"}
"""What a fault that would be held against an account or a model is, of a router's models: they have their own."""


def of_router(error: BaseException) -> Fault | None:
    """The fault of that candidate; None for an error that isn't a router's."""
    if isinstance(error, NoEligibleModel):
        return Fault("unsupported", "none of its models can take the request", error=error)
    if isinstance(error, BudgetExceeded):
        return Fault("unsupported", "its budget leaves no room for the request", sent=False, error=error)
    if not isinstance(error, (AllCandidatesFailed, RouterBusy)):
        return None
    wait = error.retry_after_s
    if isinstance(error, RouterBusy):  # as a provider that says so: a matter of how much it is sent, not of its health
        return Fault("rate_limited", "none of its models is free", retry_after_s=wait, error=error)
    first = error.failures[0].fault if error.failures else "overloaded"
    kind = first if first in KINDS else "unknown"
    if kind not in _ALONE:
        return Fault(kind, "all of its models failed", retry_after_s=wait, error=error)
    detail = f"all of its models failed; the first one {KINDS[kind].words} ({kind})"
    return Fault(_ALONE[kind], detail, again=False, error=error)  # a repetition would find it no better
