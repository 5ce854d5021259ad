"""One scripted fault: what goes wrong, where, when and how often; read from a short text or a mapping.

outage:cedar@30s+60s                     refuse connections from second 30 for a minute
429:birch/birch-large@0s+10s,retry_after=2
cut:*,share=0.2,after_chunks=3           one stream in five breaks off after three pieces
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from capability_router.errors import ConfigError
from capability_router.nearest import nearest

KINDS: dict[str, str] = {
    "outage": "the port refuses connections; open ones are reset",
    "reset": "the connection is accepted and reset without a reply",
    "hang": "no reply, ever",
    "stall": "the stream begins and then stands still (after_chunks)",
    "slow_first_token": "the first token comes late (delay_s)",
    "cut": "the connection closes in mid-answer (after_chunks)",
    "clean_truncation": "the stream ends without finish_reason and [DONE] (after_chunks)",
    "in_stream_error": "an error event inside a 200 stream (after_chunks)",
    "html": "an HTML page in place of JSON (status 200 or another)",
    "bad_json": "a 200 whose JSON is broken",
    "status": "an error status (status)",
    "429": "rate limited, with Retry-After (retry_after_s)",
    "401": "the key is rejected",
    "quota": "429 insufficient_quota",
    "context": "400 context_length_exceeded",
    "content_filter": "filtered: mode=error a 400, mode=finish a finish_reason",
    "empty": "an answer without text",
    "malformed_tool_arguments": "tool arguments that are not JSON",
}
_ALIASES = {
    "mid_stream_cut": "cut", "refused": "outage", "slow": "slow_first_token", "malformed": "malformed_tool_arguments",
    "truncation": "clean_truncation", "insufficient_quota": "quota", "rate_limit": "429", "auth": "401",
    "context_length_exceeded": "context", "timeout": "hang",
}  # fmt: skip
_SHORT = {"retry_after": "retry_after_s", "delay": "delay_s", "from": "from_s", "for": "for_s"}
_TEXT = re.compile(
    r"(?P<kind>\w+)(?::(?P<target>[^@,+]+))?(?:@(?P<begin>[\d.]+(?:ms|s|m)?))?(?:\+(?P<length>[\d.]+(?:ms|s|m)?))?"
    r"(?P<options>(?:,\w+=[^,=]+)*)"
)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True)
class ScriptedFault:
    """A fault of one kind (see KINDS) on one provider, one model or all ("*").

    It holds from `from_s` for `for_s` seconds (None = until cleared) since the fleet's start, or
    since now when it is started at run time; within that time it skips the first
    `after_requests`, then strikes each `every`-th request, a `share` of them, at most `times`.
    """

    kind: str
    provider: str = "*"
    model: str = "*"
    from_s: float = 0.0
    for_s: float | None = None
    after_requests: int = 0
    every: int = 1
    share: float = 1.0
    times: int | None = None
    status: int = 500
    retry_after_s: float = 1.0
    delay_s: float = 2.0
    after_chunks: int = 2
    mode: str = "error"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            known = f"; known: {', '.join(KINDS)}, or a status from 500 to 599"
            raise ConfigError(f"simulator: unknown fault {self.kind!r}{nearest(self.kind, [*KINDS, *_ALIASES], known)}")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise ConfigError(f"simulator: fault {self.kind}: {name} must be {least} or more, got {value!r}")
        if self.share > 1 or self.mode not in ("error", "finish"):
            raise ConfigError(f"simulator: fault {self.kind}: share is 0 to 1, mode is error or finish")

    @property
    def until_s(self) -> float:
        """The second at which it ends; infinity when it does not."""
        return float("inf") if self.for_s is None else self.from_s + self.for_s

    @property
    def refuses(self) -> bool:
        """Whether it closes a provider's port: an outage of all its models and all its requests."""
        plain = self.after_requests == 0 and self.every == 1 and self.share == 1.0 and self.times is None
        return self.kind == "outage" and self.model == "*" and plain

    def holds(self, now_s: float) -> bool:
        """Whether its time has come and is not over."""
        return self.from_s <= now_s < self.until_s

    def aims(self, provider: str, model: str) -> bool:
        """Whether it is about this provider and model."""
        return self.provider in ("*", provider) and self.model in ("*", model)


_LEAST = {
    "from_s": 0, "for_s": 0, "after_requests": 0, "every": 1, "share": 0, "times": 0, "status": 200,
    "retry_after_s": 0, "delay_s": 0, "after_chunks": 0,
}  # fmt: skip


def parse_fault(source: ScriptedFault | str | Mapping[str, Any]) -> ScriptedFault:
    """A fault from its short text or a mapping of its fields; ConfigError says what is wrong."""
    if isinstance(source, ScriptedFault):
        return source
    return _build(_read(source) if isinstance(source, str) else dict(source))


def _read(text: str) -> dict[str, Any]:
    found = _TEXT.fullmatch(text.strip())
    if not found:
        raise ConfigError(
            f"simulator: cannot read the fault {text!r}; write kind:provider/model@FROM+FOR,option=value, "
            "such as outage:cedar@30s+60s"
        )
    values: dict[str, Any] = {"kind": found["kind"]}
    if found["target"]:
        values["provider"], _, model = found["target"].partition("/")
        values["model"] = model or "*"
    times = {"from_s": found["begin"], "for_s": found["length"]}
    values |= {name: time for name, time in times.items() if time}
    options = (o.split("=", 1) for o in found["options"].split(",") if o)
    return values | dict(options)


def _seconds(text: str) -> float:
    number = text.rstrip("ms")
    return float(number) * _UNITS.get(text[len(number) :], 1.0)


def _value(name: str, raw: str) -> Any:
    if name in ("mode", "provider", "model"):
        return raw
    try:
        return _seconds(raw) if name.endswith("_s") else float(raw) if name == "share" else int(raw)
    except ValueError:
        raise ConfigError(f"simulator: fault option {name}={raw!r} is not a number") from None


def _build(values: dict[str, Any]) -> ScriptedFault:
    values = {_SHORT.get(name, name): value for name, value in values.items()}
    texts = {name: value for name, value in values.items() if isinstance(value, str) and name != "kind"}
    values |= {name: _value(name, text) for name, text in texts.items()}
    known = [f.name for f in fields(ScriptedFault)]
    for name in values:
        if name not in known:
            raise ConfigError(f"simulator: unknown fault option {name!r}{nearest(name, known)}")
    kind = str(values.get("kind", ""))
    kind = _ALIASES.get(kind, kind)
    if kind.isdigit() and 500 <= int(kind) <= 599:
        values |= {"status": int(kind)}
        kind = "status"
    if kind == "html":
        values.setdefault("status", 200)
    return ScriptedFault(**{**values, "kind": kind})
