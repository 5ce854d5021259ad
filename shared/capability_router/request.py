"""Request, Reply, Outcome and their parts: the values that pass between the packages of the core.

They depend on no framework. `Request.payload` carries the framework's own call through the core, unread.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from enum import IntFlag, StrEnum
from typing import Any, NamedTuple

from capability_router.frozen_value import fast_frozen
from capability_router.routing import Routing, current_routing
from capability_router.tokens.attached import AttachedPart


class Need(IntFlag):
    """What a request needs of a model, one bit each. Names are those of LangChain's ModelProfile."""

    NONE = 0
    TOOL_CALLING = 1
    TOOL_CHOICE = 2
    STRUCTURED_OUTPUT = 4
    JSON_MODE = 8
    IMAGE_INPUTS = 16
    PDF_INPUTS = 32
    AUDIO_INPUTS = 64
    VIDEO_INPUTS = 128
    REASONING_OUTPUT = 256
    STREAMING = 512


class ProviderTool(NamedTuple):
    """A tool that runs at a provider, such as a web search; `homes`: the providers that have it."""

    name: str
    homes: tuple[str, ...]


class ScreenResult(NamedTuple):
    """What a screen found in a request: the count of each label, never the text. It narrows the routing terms.

    `asked`: for each term, the labels that require it. `barred`: why no model may read it; "" = some may.
    `told`: the required terms, in words. `by`: the screen.
    """

    found: Mapping[str, int]
    asked: Mapping[str, tuple[str, ...]]
    barred: str = ""
    told: str = ""
    by: object = None


class Finish(StrEnum):
    """Why a model stopped. The providers' many words for it are mapped to these."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    OTHER = "other"
    ERROR = "error"
    OVERLOADED = "overloaded"
    MALFORMED_CALL = "malformed_tool_call"


ENDED_WELL = (Finish.STOP, Finish.TOOL_CALLS)
"""The terminal reasons of a whole answer."""
BROKEN_ENDS = {
    "error": Finish.ERROR, "abort": Finish.ERROR, "aborted": Finish.ERROR, "network_error": Finish.ERROR,
    "cancelled": Finish.ERROR, "failed": Finish.ERROR,
    "insufficient_system_resource": Finish.OVERLOADED,
    "malformed_function_call": Finish.MALFORMED_CALL, "unexpected_tool_call": Finish.MALFORMED_CALL,
}  # fmt: skip
"""The providers' terminal reasons for an error on their side, in lower case."""
_ENDS = {
    Finish.STOP: (
        "stop", "end_turn", "stop_sequence", "eos", "eos_token", "complete", "completed", "finished", "done", "end",
        "pause_turn",
    ),
    Finish.LENGTH: (
        "length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded", "error_limit",
        "token_limit", "time_limit",
    ),
    Finish.TOOL_CALLS: ("tool_calls", "tool_use", "function_call", "tool_call"),
    Finish.CONTENT_FILTER: (
        "content_filter", "content_filtered", "safety", "recitation", "blocklist", "prohibited_content", "spii",
        "guardrail_intervened", "sensitive", "image_safety", "image_prohibited_content", "image_recitation",
        "error_toxic",
    ),
    Finish.REFUSAL: ("refusal",),
}  # fmt: skip
ENDS = {word: finish for finish, words in _ENDS.items() for word in words} | BROKEN_ENDS
"""The providers' terminal reasons, in lower case: on the wire, and as the packages of both frameworks hand them on."""


_BYTES, _AT_ONCE = 16, 256
_ids: deque[str] = deque()  # drawn, and not yet given
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_ids.clear)  # the parent gives them


def _new_id() -> str:
    """An id from a batch: asking the system for randomness each time would yield the interpreter to other threads."""
    try:
        return _ids.pop()
    except IndexError:
        drawn, size = os.urandom(_BYTES * _AT_ONCE).hex(), 2 * _BYTES
        _ids.extend([drawn[at : at + size] for at in range(size, len(drawn), size)])
        return drawn[:size]


@fast_frozen
@dataclass(frozen=True, slots=True)
class Request:
    """One request, independent of the framework.

    `texts`: the message texts in order (read for features, never stored). `roles`: the role of each text, as the
    framework names it. `media`: the kinds of the attached parts ("image", "pdf", "audio", "video"). `attached`: the
    same with their sizes. `tools`: the tools' JSON schemas as text (counted as input). `provider_tools`: those of the
    tools that only some providers have. `follows`: the ids of the tool calls that it answers. `answered_by`: the
    candidate that gave the conversation's last answer, according to its messages. `input_tokens`: an exact count, if
    the caller has one. `model`: a model name in the call, which replaces the candidate's (and its price). `own_key`:
    whether the call has its own API key. `service`: the requested service tier (see `service_tier()`). `answers`: how
    many answers it asks for at once (`n`; None = not stated). `resumable`: whether another model can continue an
    interrupted stream. `shown_live`: whether callbacks show the answer of a unary call while it is made, so that two
    attempts at once would be mixed up. `screened`: what a screen found; None = none has checked it. `beside`: all other
    texts that are sent, for a screen. `own_prompt`: what the model itself may put in front, counted but not shown.
    `payload`: what the endpoint needs to make the call. `prepared_s`: seconds that screens and an embedder have taken,
    which count against the deadline.
    """

    texts: tuple[str, ...]
    needs: Need = Need.NONE
    media: tuple[str, ...] = ()
    attached: tuple[AttachedPart, ...] = ()
    tools: str = ""
    tool_names: tuple[str, ...] = ()
    provider_tools: tuple[ProviderTool, ...] = ()
    max_tokens: int | None = None
    stream: bool = False
    turns: int = 1
    in_tool_loop: bool = False
    follows: tuple[str, ...] = ()
    answered_by: str = ""
    input_tokens: int | None = None
    model: str = ""
    resumable: bool = False
    shown_live: bool = False
    routing: Routing = field(default_factory=current_routing)
    id: str = field(default_factory=_new_id)
    payload: Any = field(default=None, repr=False, compare=False)
    service: str = ""
    answers: int | None = None
    roles: tuple[str, ...] = ()
    own_key: bool = False
    screened: ScreenResult | None = None
    beside: tuple[str, ...] = field(default=(), repr=False)
    own_prompt: str = field(default="", repr=False)
    prepared_s: float = 0.0

    @property
    def counted(self) -> tuple[str, ...]:
        """The texts that count as input messages."""
        return (self.own_prompt, *self.texts) if self.own_prompt else self.texts

    @property
    def brought(self) -> tuple[str, ...]:
        """What the call itself gives instead of the candidate: "model", "credential" or both."""
        if not self.model and not self.own_key:  # the usual case
            return ()
        return ("model",) * bool(self.model) + ("credential",) * self.own_key

    def __repr__(self) -> str:
        size = sum(map(len, self.texts))
        return f"<Request {self.id} {size} characters, needs {self.needs!r}>"


SERVICE_TIERS = ("batch", "flex", "priority")
_USUAL = frozenset({"", "auto", "default", "standard", "standard_only", "on_demand", "none", "unspecified"})


def requested_service_tier(keywords: Mapping[str, Any]) -> str:
    """The service tier that a call's keywords ask for."""
    word = keywords.get("service_tier")
    extra = keywords.get("extra_body") if word is None else None
    return service_tier(extra.get("service_tier") if isinstance(extra, Mapping) else word)


KEY_HEADERS = frozenset({"authorization", "api-key", "x-api-key", "x-goog-api-key"})
"""The headers in which providers look for a key, in lower case."""


def has_api_key(keywords: Mapping[str, Any]) -> bool:
    """Whether a call's keywords hold an API key, as a keyword or a header."""
    headers = keywords.get("extra_headers")
    among = isinstance(headers, Mapping) and any(str(name).lower() in KEY_HEADERS for name in headers)
    return among or bool(keywords.get("api_key"))


def default_service_tier(model: object) -> str:
    """The service tier that a framework's model asks for by itself, in a field or in what it adds to each call."""
    return next((tier for place in _of_its_own(model, "service_tier") if (tier := requested_service_tier(place))), "")


def requested_answers(keywords: Mapping[str, Any]) -> int | None:
    """How many answers a call's keywords ask for (OpenAI's `n`, Google's `candidate_count`); None = not stated."""
    nested = (keywords.get(name) for name in ("extra_body", "generation_config"))
    places = (keywords, *(place for place in nested if isinstance(place, Mapping)))
    stated = (place.get(word) for place in places for word in _ANSWERS)
    return next((n for n in stated if isinstance(n, int) and not isinstance(n, bool) and n > 0), None)


def default_answers(model: object) -> int | None:
    """How many answers a framework's model asks for by itself, as `default_service_tier` finds it."""
    return next((n for place in _of_its_own(model, *_ANSWERS) if (n := requested_answers(place))), None)


_ANSWERS = ("n", "candidate_count")


def _of_its_own(model: object, *fields: str) -> list[Mapping[str, Any]]:
    added = (getattr(model, name, None) for name in ("model_kwargs", "additional_kwargs", "extra_body"))
    return [{name: getattr(model, name, None) for name in fields}, *(p for p in added if isinstance(p, Mapping))]


def service_tier(word: object) -> str:
    """The name of a service tier as in prices, from a provider's name: "" = default, "batch", "flex", "priority".

    Any other name is kept: that tier has its own price, which is unknown. (OpenAI's "fast" is "priority"; Google's
    names begin with "on_demand", Bedrock's are in a mapping.)
    """
    told = word.get("type") if isinstance(word, Mapping) else word
    text = told.lower().removeprefix("traffic_type_").removeprefix("on_demand_") if isinstance(told, str) else ""
    return "" if text in _USUAL else "priority" if text == "fast" else text


@fast_frozen
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt. `input_tokens` includes cached ones, `output_tokens` includes reasoning.

    (As LangChain's `usage_metadata` and OpenTelemetry's `gen_ai.usage.*` count them.) Parts of parts:
    `cache_creation_1h_tokens` are among `cache_creation_tokens`, `cache_audio_read_tokens` among both
    `cache_read_tokens` and `input_audio_tokens`, those of images likewise. `service_tier`: see `service_tier()`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    cache_creation_1h_tokens: int = 0
    cache_audio_read_tokens: int = 0
    cache_image_read_tokens: int = 0
    input_image_tokens: int = 0
    output_image_tokens: int = 0
    service_tier: str = ""
    estimated: bool = False

    @property
    def credible(self) -> bool:
        """Whether the counts are possible: none is negative or absurdly large."""
        parts = (
            self.cache_read_tokens, self.cache_creation_tokens, self.cache_creation_1h_tokens,
            self.input_audio_tokens, self.output_audio_tokens, self.cache_audio_read_tokens,
            self.input_image_tokens, self.output_image_tokens, self.cache_image_read_tokens,
        )  # fmt: skip
        most = MOST_TOKENS
        possible = 0 <= self.input_tokens <= most and 0 <= self.output_tokens <= most
        return possible and min(parts) >= 0 and sum(parts) <= most

    def since(self, before: Usage) -> Usage:
        """The difference to an earlier, smaller count."""
        counts = {name: getattr(self, name) - getattr(before, name) for name in TOKENS}
        return replace(self, **counts)

    @classmethod
    def together(cls, parts: Iterable[Usage]) -> Usage:
        """The sum; its service tier is the last part's that has one."""
        listed = list(parts)
        counts = {name: sum(getattr(part, name) for part in listed) for name in TOKENS}
        tier = next((part.service_tier for part in reversed(listed) if part.service_tier), "")
        return cls(**counts, service_tier=tier, estimated=any(part.estimated for part in listed))


MOST_TOKENS = 10**9
"""Of one call, in or out."""
TOKENS = tuple(f.name for f in fields(Usage) if f.name not in ("service_tier", "estimated"))
"""The counts of a Usage."""


@fast_frozen
@dataclass(frozen=True, slots=True)
class Reply:
    """What an attempt has returned so far; complete once its stream has ended.

    `finish` is None if the provider gave no terminal reason. `cost_usd`: the provider's own bill, if it sends one.
    `text`: as far as it was received.
    `hollow`: no chunk so far had content or a terminal reason, which this format always gives.
    `carried`: it had content, even if only reasoning or a block without text.
    `mute`: its client may have dropped the terminal reason.
    `other`: it had content other than text, reasoning and tool calls (an image, sound, a provider's own block).
    `mismatch_streamed`: it ended well with a `parse_error` or malformed tool calls, and the caller of the stream sees
    that itself.
    `unoffered_tool_calls`: how many of the malformed tool calls name a tool that the request does not have.
    """

    usage: Usage | None = None
    finish: Finish | None = None
    text: str = field(default="", repr=False)
    tool_calls: int = 0
    malformed_tool_calls: int = 0
    tool_call_ids: tuple[str, ...] = ()
    model: str = ""
    cost_usd: Decimal | str | float | None = None
    cached: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    parse_error: str = ""
    hollow: bool = False
    carried: bool = False
    mute: bool = False
    unoffered_tool_calls: int = 0
    other: bool = False
    mismatch_streamed: bool = False

    @property
    def empty(self) -> bool:
        """No text, no tool call and no content of another kind."""
        return not (self.tool_calls or self.malformed_tool_calls or self.other or self.text.strip())


@fast_frozen
@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt, ended. `fault` is None for the one that answered; times in seconds.

    `window`: the model's window in tokens, if it stated it when it rejected the input as too long.
    """

    index: int
    model: str
    provider: str
    fault: str | None
    detail: str
    started_s: float
    elapsed_s: float
    ttft_s: float | None
    usage: Usage
    cost_pico: int | None
    finish: str | None = None
    window: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; holds no prompt or completion text."""
        return {
            "index": self.index, "model": self.model, "provider": self.provider, "fault": self.fault,
            "detail": self.detail, "started_s": round(self.started_s, 6), "elapsed_s": round(self.elapsed_s, 6),
            "ttft_s": None if self.ttft_s is None else round(self.ttft_s, 6), "finish": self.finish,
            "input_tokens": self.usage.input_tokens, "output_tokens": self.usage.output_tokens,
            "cache_read_tokens": self.usage.cache_read_tokens,
            "reasoning_tokens": self.usage.reasoning_tokens, "estimated": self.usage.estimated,
            "cost_pico": self.cost_pico,
        }  # fmt: skip


@fast_frozen
@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one request: which model answered, after which attempts, at what cost.

    `resumed`: how often the answer, cut off, was continued by a further attempt; `usage` is then of all of them.
    `canary`: whether the canary decided; None = the router has none. `screen`: the labels of what a screen found.
    `task`: the one that it is booked under, recognised where none was stated.
    """

    request_id: str
    model: str | None
    provider: str
    attempts: tuple[AttemptRecord, ...]
    reason: str
    policy: str
    cost_pico: int | None
    elapsed_s: float
    ttft_s: float | None
    usage: Usage
    finish: str | None = None
    resumed: int = 0
    canary: bool | None = None
    screen: tuple[str, ...] = ()
    task: str = ""

    @property
    def ok(self) -> bool:
        """Whether some model answered."""
        return self.model is not None

    @property
    def fallback(self) -> bool:
        """Whether the answer came from another model than the one tried first."""
        return self.ok and bool(self.attempts) and self.attempts[0].model != self.model

    def annotation(self) -> dict[str, Any]:
        """The `["router"]` annotation of replies: flat and JSON-safe."""
        flag: dict[str, Any] = {"resumed": self.resumed} if self.resumed else {}
        if self.canary is not None:
            flag["canary"] = self.canary
        if self.screen:
            flag["screen"] = ", ".join(self.screen)
        return {
            "request_id": self.request_id, "model": self.model, "provider": self.provider,
            "attempts": len(self.attempts), "fallback": self.fallback, "reason": self.reason,
            "cost_usd": None if self.cost_pico is None else self.cost_pico / 1e12, "policy": self.policy,
            **flag,
        }  # fmt: skip
