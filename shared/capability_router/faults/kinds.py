"""The table of faults: what each kind means for this target, for the others and for health.

Everything that decides between "again", "elsewhere" and "stop" is a row here; the machine reads the
row and knows no provider. Source of the rows: the providers' error references and probes of their
clients (docs/faults.md).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Literal

from capability_router.request import Usage
from capability_router.value import quickly_made

Same = Literal["never", "at_once", "backoff", "pushback"]
Other = Literal["yes", "larger_window", "unless_returned", "no"]
Blame = Literal["none", "breaker", "gate", "credential", "model", "quality"]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One row.

    `same`: may this target be tried again, and when ("pushback" = after the time it asked for).
    `other`: may another target be tried ("larger_window" = only one known or thought to hold more;
    "unless_returned" = unless `on_content_filter` returns the provider's word to the caller).
    `blame`: what it counts against; "quality" teaches the policy but leaves health alone.
    `is_retryable`: whether the same request to the same model may succeed later.
    """

    name: str
    same: Same
    other: Other
    blame: Blame
    is_retryable: bool
    words: str


KINDS: dict[str, FaultKind] = {
    kind.name: kind
    for kind in (
        FaultKind("rate_limited", "pushback", "yes", "gate", True, "rate limited"),
        FaultKind("overloaded", "backoff", "yes", "breaker", True, "overloaded"),
        FaultKind("timeout", "never", "yes", "breaker", True, "timed out"),
        FaultKind("connection", "at_once", "yes", "breaker", True, "could not be reached"),
        FaultKind("server_error", "backoff", "yes", "breaker", True, "failed on its side"),
        FaultKind("unknown", "never", "yes", "breaker", False, "failed for an unknown reason"),
        FaultKind("auth", "never", "yes", "credential", False, "rejected the credential"),
        FaultKind("quota_exhausted", "never", "yes", "credential", False, "has no quota left"),
        FaultKind("not_found", "never", "yes", "model", False, "does not know the model"),
        FaultKind("context_overflow", "never", "larger_window", "none", False, "found the input too long"),
        FaultKind("content_filtered", "never", "unless_returned", "none", False, "filtered the content"),
        FaultKind("unsupported", "never", "yes", "none", False, "does not support a part of the request"),
        FaultKind("bad_request", "never", "no", "none", False, "rejected the request"),
        FaultKind("truncated", "never", "yes", "breaker", True, "broke off without a terminal reason"),
        FaultKind("length", "never", "yes", "none", False, "stopped at its output limit"),
        FaultKind("empty", "at_once", "yes", "quality", True, "gave an empty answer"),
        FaultKind("malformed_tool_call", "never", "yes", "quality", True, "made a malformed tool call"),
        FaultKind("unparsable", "never", "yes", "quality", True, "gave an answer that does not fit the schema"),
        FaultKind("refusal", "never", "unless_returned", "quality", False, "refused"),
    )
}


_NOT_AGAIN = {name: replace(row, same="never", is_retryable=False) for name, row in KINDS.items()}
_WORDS = {
    "auth": "rejected the key that the call brings along",
    "quota_exhausted": "has no quota left for the key that the call brings along",
    "not_found": "does not know the model that the call names",
}
_OWN = {name: replace(KINDS[name], blame="none", words=words) for name, words in _WORDS.items()}


@quickly_made
@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one attempt. `detail` is short and holds no prompt, key or header value.

    `retry_after_s` and `window` are the provider's own hints: seconds to wait, tokens it can hold;
    `again` is False if it says that the same call must not be repeated (`x-should-retry: false`).
    `sent` is False if the request surely never reached the provider, so nothing can be billed;
    `started` is True if an answer had begun when it came (an error event inside a 200 stream).
    `answered` is True if an answer came, and its SDK raised over how it ended or what it says.
    `late_s`: by so much this process was late for a clock that ran out, so it may be its own delay; 0 = it was not.
    `usage` are the tokens that the provider told all the same, where only the exception shows them.
    `own` is True if it is about a model's name or a key that the call brought along: it counts against nothing.
    `error` is the exception that was raised, for `__cause__` only; it never reaches telemetry.
    """

    kind: str
    detail: str = ""
    status: int | None = None
    code: str = ""
    retry_after_s: float | None = None
    window: int | None = None
    clock: str = ""
    again: bool = True
    sent: bool = True
    started: bool = False
    answered: bool = False
    late_s: float = 0.0
    usage: Usage | None = None
    own: bool = False
    error: BaseException | None = field(default=None, repr=False, compare=False)

    @property
    def row(self) -> FaultKind:
        """The table's row for this fault; the provider's word against a repetition overrules it."""
        if self.own:
            return _OWN[self.kind]
        return KINDS[self.kind] if self.again else _NOT_AGAIN[self.kind]

    def over(self, brought: Collection[str]) -> Fault:
        """The same fault of a call that brought along a model's name or a key of its own.

        That these are refused says nothing against the candidate's own, which others still call it by.
        """
        return replace(self, own=True) if KINDS[self.kind].blame in brought else self

    @property
    def told(self) -> str:
        """A clause for error texts: 'overloaded (529): detail'."""
        return self._clause(self.row.words)

    @property
    def told_begun(self) -> str:
        """The same of an attempt that had given a part of its answer: so it was reached."""
        return self._clause("lost its connection" if self.kind == "connection" else self.row.words)

    def _clause(self, words: str) -> str:
        code = f" ({self.status})" if self.status else ""
        clock = f" waiting for the {self.clock}" if self.clock else ""
        return f"{words}{code}{clock}" + (f": {self.detail}" if self.detail else "")
