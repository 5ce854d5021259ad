"""The fault of a 200 response whose body is no reply, so that the client's own code failed on it."""

from __future__ import annotations

from dataclasses import replace

from capability_router.faults.classify import classify
from capability_router.faults.evidence import LONGEST_TEXT
from capability_router.faults.kinds import Fault
from capability_router.faults.phrases import loose_rules, told_by
from capability_router.request import Usage

STUMBLES = (TypeError, LookupError, AttributeError)
"""What code raises when it reads a missing part, subclasses included."""


def no_reply(body: object, error: BaseException, usage: Usage | None = None) -> Fault:
    """The fault by the error in the body (an object, a word or a sentence); "server_error" if nothing identifies it.

    `usage`: the tokens that the body reported.
    """
    told = classify(ValueError({"error": body})) if isinstance(body, (dict, str)) and body else Fault("unknown")
    if told.kind == "unknown":
        kind = told_by((body[:LONGEST_TEXT].lower(),), loose_rules()) if isinstance(body, str) else ""
        told = replace(told, kind=kind or "server_error", detail="no reply in its 200")
    return replace(told, started=not told.status, usage=usage, error=error)
