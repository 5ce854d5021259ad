"""What can go wrong in a rehearsal: a table of kinds, what the number behind each means, and other names for them."""

from __future__ import annotations

from typing import NamedTuple


class FaultSpec(NamedTuple):
    """`words`: what happens. `value`: what a number stands for, "" = it takes none; `usual`: where none is given."""

    words: str
    value: str = ""
    usual: float | None = None


KINDS: dict[str, FaultSpec] = {
    "outage": FaultSpec("connections are refused, open ones are reset"),
    "reset": FaultSpec("the connection is accepted and reset without a reply"),
    "errors": FaultSpec("a share of the calls gets an error status (status, 500)", "share", 1.0),
    "rate-limit": FaultSpec(
        "429 with Retry-After of so many seconds (rpm: only beyond so many calls a minute)", "time", 5.0
    ),
    "slow": FaultSpec("everything takes so many times as long", "factor", 5.0),
    "hang": FaultSpec("no reply, ever"),
    "stall": FaultSpec("the stream begins and then stands still; other calls hang"),
    "cut": FaultSpec("the connection is lost in mid-answer"),
    "truncate": FaultSpec("the stream ends too early and says no reason; other answers come half"),
    "stream-error": FaultSpec("an error event inside a stream; other calls get it in a 200"),
    "auth": FaultSpec("401, the key is refused"),
    "quota": FaultSpec("429 insufficient_quota, the account is empty"),
    "gone": FaultSpec("404, the model is not known"),
    "overflow": FaultSpec("400 context_length_exceeded, for inputs above so many tokens", "tokens", 0.0),
    "filter": FaultSpec("400, the content filter has refused"),
    "empty": FaultSpec("an answer without text"),
    "malformed": FaultSpec("tool arguments that are no JSON (calls with tools)"),
    "html": FaultSpec("an HTML page in place of a reply"),
}

ALIASES = {
    "down": "outage", "refused": "outage", "unreachable": "outage", "error": "errors", "failing": "errors",
    "429": "rate-limit", "ratelimit": "rate-limit", "timeout": "hang", "slow-first-token": "slow",
    "mid-stream-cut": "cut", "truncation": "truncate", "clean-truncation": "truncate",
    "in-stream-error": "stream-error", "401": "auth", "403": "auth", "key": "auth", "revoked": "auth", "402": "quota",
    "insufficient-quota": "quota", "404": "gone", "context": "overflow", "context-length-exceeded": "overflow",
    "content-filter": "filter", "malformed-tool-arguments": "malformed",
}  # fmt: skip
"""The simulator's names among them (docs/simulator.md)."""

NO_ANSWER = frozenset(KINDS) - {"slow", "malformed", "overflow", "filter"}
"""Kinds under which a model cannot be used at all while they strike each of its calls."""


def spelt() -> str:
    """'outage, errors=SHARE, rate-limit=TIME, ...'."""
    return ", ".join(f"{name}={kind.value.upper()}" if kind.value else name for name, kind in KINDS.items())
