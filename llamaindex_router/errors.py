"""The router's errors, and those of this adapter that stand for what LlamaIndex has no exception for."""

from __future__ import annotations

from capability_router.errors import (
    AllCandidatesFailed,
    BudgetExceeded,
    ConfigError,
    NoEligibleModel,
    RouterBusy,
    RouterError,
    StoreError,
    StreamInterrupted,
)

__all__ = [
    "AllCandidatesFailed",
    "AnswerWithheld",
    "BudgetExceeded",
    "ConfigError",
    "NoEligibleModel",
    "NoObject",
    "ObjectInterrupted",
    "RouterBusy",
    "RouterError",
    "StoreError",
    "StreamInterrupted",
]


class CutShort(ConnectionError):
    """A stream that an integration gathers ended without a terminal reason, before its caller had seen any of it."""


class AnswerWithheld(ValueError):
    """No object: a filter stopped the model (`filtered`), or it refused. The parser's error is the cause."""

    def __init__(self, *, filtered: bool) -> None:
        super().__init__("a content filter stopped the model" if filtered else "a refusal in the object's place")
        self.filtered = filtered


class NoObject(AllCandidatesFailed, ValueError):
    """AllCandidatesFailed of a structured call in which a model answered, and its answer was no object."""


class ObjectInterrupted(StreamInterrupted, ValueError):
    """StreamInterrupted of a streamed object that its model did not complete."""


_NO_OBJECT = ("unparsable", "malformed_tool_call", "content_filtered", "refusal")


def widen(error: AllCandidatesFailed) -> None:
    """Make the error of a structured call a ValueError, if an answer came that is no object.

    LlamaIndex's parsers raise one for such an answer, and its components go on when they catch it. The exception
    object stays the same.
    """
    if any(failed.fault in _NO_OBJECT for failed in error.failures) and not isinstance(error, ValueError):
        error.__class__ = ObjectInterrupted if isinstance(error, StreamInterrupted) else NoObject


class RefusedAnswer(RuntimeError):
    """A refusal that its integration hands on as an answer without content.

    Its text has the status and the provider's code alone: the provider's words, in `body`, may quote the prompt.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"refused ({status}): {code or 'without a code'}")
        self.status_code = status
        self.body = {"error": {"code": code, "message": message}}
