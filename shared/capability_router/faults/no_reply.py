"""A 200 whose body is no reply, over which a client's own code stumbled."""

from __future__ import annotations

from dataclasses import replace

from capability_router.faults.classify import classify
from capability_router.faults.evidence import LONGEST_TEXT
from capability_router.faults.kinds import Fault
from capability_router.faults.phrases import loose_rules, told_by
from capability_router.request import Usage

STUMBLES = (TypeError, LookupError, AttributeError)
"""What code raises that looks for a part which is missing, and its subclasses."""


def no_reply(body: object, error: BaseException, usage: Usage | None = None) -> Fault:
    """What the error in the body's place means: an object, a word or a sentence; by default the server failed.

    `usage`: what the body told of its tokens.
    """
    told = classify(ValueError({"error": body})) if isinstance(body, (dict, str)) and body else Fault("unknown")
    if told.kind == "unknown":
        kind = told_by((body[:LONGEST_TEXT].lower(),), loose_rules()) if isinstance(body, str) else ""
        told = replace(told, kind=kind or "server_error", detail="no reply in its 200")
    return replace(told, started=not told.status, usage=usage, error=error)
