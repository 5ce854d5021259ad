"""The table of faults: for each kind whether to retry, whether to fall back, and what it counts against.

The state machine decides between retry, fallback and error by these rows and knows no provider. The rows come from the
providers' error references and from tests of their clients (docs/faults.md).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Literal

from capability_router.frozen_value import fast_frozen
from capability_router.request import Usage

RetryMode = Literal["never", "at_once", "backoff", "pushback"]
FallbackMode = Literal["yes", "larger_window", "unless_returned", "no"]
Blame = Literal["none", "breaker", "gate", "credential", "model", "quality"]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One row.

    `same`: whether and when this target may be retried ("pushback" = after its Retry-After).
    `other`: whether another target may be tried ("larger_window" = only one whose window is larger or unknown;
    "unless_returned" = not if `on_content_filter` returns the provider's answer to the caller).
    `blame`: what the fault counts against; "quality" is learned by the policy and does not affect health.
    `is_retryable`: whether the same request to the same model may succeed later.
    `words`: what the model did, for error texts.
    """

    name: str
    same: RetryMode
    other: FallbackMode
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
    "rate_limited": "rate limited the key or model that the call brings along",
}
_OF_MODEL = replace(KINDS["quota_exhausted"], blame="model", words="has no quota left for this model")
_TOO_LARGE = replace(
    _NOT_AGAIN["rate_limited"], blame="none", words="allows fewer tokens at a time than the request has"
)
_OWN = {name: replace(KINDS[name], blame="none", words=words) for name, words in _WORDS.items()}


@fast_frozen
@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one attempt. `detail` is short and holds no prompt, key or header value.

    `retry_after_s` and `window`: the provider's own hints, seconds to wait and the window in tokens.
    `clock`: which timeout has passed, for kind "timeout".
    `again`: False if the provider forbids a retry (`x-should-retry: false`).
    `sent`: False if the request certainly never reached the provider, so nothing can be billed.
    `started`: True if a response had begun (an error event inside a 200 stream).
    `answered`: True if an answer came, and the SDK raised because of its finish reason or content.
    `late_s`: how late this process was when the timeout passed, so it may be its own delay; 0 = it was not.
    `by_reader`: True if the reader of the answer took the time, while that went on; it then counts against no model.
    `usage`: the tokens that the provider reported, if only the exception has them.
    `own`: True if the fault is about a model name or API key given in the call; it then counts against no model.
    `of_model`: True if the quota that is exhausted is one of this model alone; others have theirs with the same key.
    `too_large`: True if the request alone is larger than the rate limit, so that it can never pass; others can.
    `error`: the raised exception, for `__cause__` only; it never reaches telemetry.
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
    by_reader: bool = False
    usage: Usage | None = None
    own: bool = False
    of_model: bool = False
    too_large: bool = False
    error: BaseException | None = field(default=None, repr=False, compare=False)

    @property
    def row(self) -> FaultKind:
        """The table's row for this fault; without a retry if the provider forbids it."""
        if self.own:
            row = _OWN[self.kind]
            return row if self.again else replace(row, same="never", is_retryable=False)
        if self.of_model:
            return _OF_MODEL
        if self.too_large:
            return _TOO_LARGE
        return KINDS[self.kind] if self.again else _NOT_AGAIN[self.kind]

    def attributed(self, brought: Collection[str]) -> Fault:
        """This fault, marked `own` if it blames a credential or model name that the call itself gave.

        `brought`: the blames, "credential" or "model", that the call gave. The candidate's own key and name still work.
        A rate limit is one of a key and a model together.
        """
        blame = self.row.blame
        return replace(self, own=True) if blame in brought or (blame == "gate" and brought) else self

    @property
    def told(self) -> str:
        """A clause for error texts: "overloaded (529): detail"."""
        return self._clause(self.row.words)

    @property
    def told_begun(self) -> str:
        """The same for an attempt that had given a part of its answer, so its connection was not refused but lost."""
        return self._clause("lost its connection" if self.kind == "connection" else self.row.words)

    def _clause(self, words: str) -> str:
        code = f" ({self.status})" if self.status else ""
        clock = f" waiting for the {self.clock}" if self.clock else ""
        return f"{words}{code}{clock}" + (f": {self.detail}" if self.detail else "")
