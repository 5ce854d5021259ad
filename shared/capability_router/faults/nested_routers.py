"""The fault of a candidate that is itself a router, when it had no answer."""

from __future__ import annotations

from capability_router.errors import AllCandidatesFailed, BudgetExceeded, NoEligibleModel, RouterBusy
from capability_router.faults.kinds import KINDS, Fault

_ALONE = {"auth": "server_error", "quota_exhausted": "overloaded", "not_found": "server_error"}
"""By a fault that blames a credential or model, the kind used for the nested router, which has many of both."""


def nested_router_fault(error: BaseException) -> Fault | None:
    """The fault of that candidate; None for an error that is not a router's."""
    if isinstance(error, NoEligibleModel):
        return Fault("unsupported", "none of its models can take the request", error=error)
    if isinstance(error, BudgetExceeded):
        return Fault("unsupported", "its budget leaves no room for the request", sent=False, error=error)
    if not isinstance(error, (AllCandidatesFailed, RouterBusy)):
        return None
    wait = error.retry_after_s
    if isinstance(error, RouterBusy):  # too many requests, as a provider's 429; not bad health
        return Fault("rate_limited", "none of its models is free", retry_after_s=wait, error=error)
    first = error.failures[0].fault if error.failures else "overloaded"
    kind = first if first in KINDS else "unknown"
    if kind not in _ALONE:
        return Fault(kind, "all of its models failed", retry_after_s=wait, error=error)
    detail = f"all of its models failed; the first one {KINDS[kind].words} ({kind})"
    return Fault(_ALONE[kind], detail, again=False, error=error)  # a retry would fail the same way
