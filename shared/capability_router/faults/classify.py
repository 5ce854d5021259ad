"""Classifies an exception as a fault by its attributes and names. No client's classes are imported.

The first exception of the chain that has a status or codes is the provider's answer. Its kind is decided, in this
order, by class names that are unambiguous, the provider's codes, its text (only for a status that several kinds
share: first known phrases, then what the sentences mean), the HTTP status, and codes with a broad meaning. Without an
answer the class names decide, then parts of them, then loose phrases in the text. Everything else is "unknown".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from capability_router.clock import SystemClock
from capability_router.errors import RouterError
from capability_router.faults.error_classification import ErrorClassification, prior_classification
from capability_router.faults.evidence import Evidence, ExceptionLink, class_names, links, read
from capability_router.faults.hints import (
    exceeds_limit,
    forbids_retry,
    headers_of,
    pushback_s,
    retry_after_s,
    window_tokens,
)
from capability_router.faults.kinds import KINDS, Fault
from capability_router.faults.phrases import EVENT, OF_VALUES, REGION, loose_rules, model_rules, rules_for, told_by
from capability_router.faults.proxies import proxy_fault_kind
from capability_router.faults.sentence_patterns import kind_by_sentences
from capability_router.faults.unreachable_server import why_unreached
from capability_router.faults.vocabulary import (
    BROAD,
    DECISIVE_NAMES,
    ENDED,
    FRAGMENTS,
    GARBLED,
    GARBLED_REPLY,
    HUNG_UP,
    IN_STREAM,
    ITS_OWN,
    LONGEST_WORD,
    NAMES,
    OF_ONE_MODEL,
    REPLY_PARTS,
    TELLING,
    UNSENT,
    normal,
    status_kind,
)  # fmt: skip
from capability_router.request import Usage

_IDENTIFIER = re.compile(rf"[A-Za-z0-9_.-]{{1,{LONGEST_WORD}}}")
_KEY_LIKE = re.compile(r"(?:sk|pk|gsk|xai|hf|key|tok|bearer|akia|asia|aiza|eyj)[-_0-9]", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_PLAIN_MISTAKES = (
    ValueError, TypeError, LookupError, AttributeError, AssertionError, NotImplementedError, NameError,
)  # fmt: skip
_CLOCKS = {
    "connect": "connection", "first_token": "first token", "between_tokens": "next token", "total": "whole answer",
    "connecttimeout": "connection", "streamchunktimeout": "next token",
}  # fmt: skip


def classify(error: BaseException, now_unix: float | None = None) -> Fault:
    """The error as a fault, "unknown" if nothing identifies it. Never raises.

    `now_unix` (default: the machine's clock) turns the dates in retry hints into seconds.
    """
    try:
        return _fault(error, SystemClock.unix() if now_unix is None else now_unix)
    except Exception:  # noqa: BLE001 - a hostile exception object must not hide the failure it stands for
        return Fault("unknown", type(error).__name__[:LONGEST_WORD], error=error)


def kind_of(evidence: Evidence, *, texts: bool = True) -> str:
    """The kind of fault that the evidence shows. `texts=False`: judge by names, codes and statuses alone."""
    return (
        ("unparsable" if evidence[0].unfit else "")
        or _answered(_answer(evidence), texts)
        or (_first(_loose(link) for link in evidence if _in_reply(link)) if texts else "")
        or ("server_error" if any(map(_over_a_reply, evidence)) else "")
        or ("connection" if any(map(_hung_up, evidence)) else "")
        or _first(_named(link) for link in evidence)
        or ("server_error" if any(map(_garbled, evidence)) else "")
        or (_first(_loose(link) for link in evidence) if texts else "")
        or "unknown"
    )


def _fault(error: BaseException, now_unix: float) -> Fault:
    evidence = links(error)
    meant = prior_classification(evidence)
    shape = _shape(evidence, meant)
    kind, headers = shape.kind, headers_of(evidence)
    window = (meant.window if meant else window_tokens(evidence)) if kind == "context_overflow" else None
    wait = retry_after_s if kind == "rate_limited" else pushback_s
    too_large = kind == "rate_limited" and (meant.too_large if meant else exceeds_limit(evidence))
    waits_s = meant.retry_after_s if meant else wait(evidence, now_unix, headers)
    return Fault(
        kind=kind,
        detail=f"{shape.detail}; its window is {window:,} tokens" if window else shape.detail,
        status=evidence[-1].status,
        code=shape.code,
        retry_after_s=None if too_large else waits_s,
        window=window,
        clock=shape.clock,
        again=not forbids_retry(headers),
        sent=shape.sent,
        started=shape.started,
        answered=shape.answered,
        usage=shape.usage,
        of_model=shape.of_model,
        too_large=too_large,
        error=error,
    )


class _CachedClassification(NamedTuple):
    """The result of classification that errors with the same attributes share."""

    kind: str
    detail: str
    code: str
    clock: str
    sent: bool
    started: bool
    answered: bool
    usage: Usage | None
    of_model: bool


_MOST_SHAPES = 256
_shapes: dict[int, _CachedClassification] = {}
"""A cache, by the hash of an error's attributes. It keeps no text of a provider."""
_TOLD = 240  # characters of one of the router's own errors that are passed on


def _shape(evidence: Evidence, meant: ErrorClassification | None) -> _CachedClassification:
    """The shape, from the cache if the same error came before: a model that fails mostly fails many times alike.

    Not cached are errors whose result depends on more than the key: the router's own, those with a ErrorClassification
    or with an answer behind them, and answers of something in front of the provider.
    """
    link = evidence[0]
    if (
        meant
        or link.status is None
        or len(evidence) > 1
        or isinstance(link.error, RouterError)
        or proxy_fault_kind(link)
    ):
        return _worked_out(evidence, meant)
    key = hash((type(link.error), link.status, link.codes, link.texts, _place(evidence)))
    found = _shapes.get(key)
    if found is None:
        if len(_shapes) >= _MOST_SHAPES:
            _shapes.clear()
        found = _shapes[key] = _worked_out(evidence, None)
    return found


def _worked_out(evidence: Evidence, meant: ErrorClassification | None) -> _CachedClassification:
    codes = _told_codes(evidence)
    kind = meant.kind if meant else kind_of(evidence)
    return _CachedClassification(
        kind=kind,
        detail=_detail(evidence, kind, codes),
        code=codes[0] if codes else "",
        clock=_clock(evidence) if kind == "timeout" else "",
        sent=_sent(evidence),
        started=any(map(_in_reply, evidence)) or _no_json(evidence),
        answered=any(not link.status and not ENDED.isdisjoint(link.names) for link in evidence),
        usage=_usage(evidence),
        of_model=kind == "quota_exhausted" and not OF_ONE_MODEL.isdisjoint(map(normal, codes)),
    )


def _first(kinds: Iterable[str]) -> str:
    return next(filter(None, kinds), "")


def _answer(evidence: Evidence) -> ExceptionLink:
    """The provider's answer, with the names and texts of what wraps it."""
    if len(evidence) == 1:
        return evidence[0]
    names = tuple(name for link in evidence for name in link.names)
    return evidence[-1]._replace(names=names, texts=tuple(text for link in evidence for text in link.texts))


def _answered(link: ExceptionLink, texts: bool) -> str:
    """The kind by the provider's answer; "" = it does not tell."""
    codes = tuple(map(normal, link.codes))
    own = not ITS_OWN.isdisjoint(codes)
    return (
        (_looked_up(link.names, DECISIVE_NAMES) if link.status != 429 else "")
        or proxy_fault_kind(link)
        or (told_by(link.texts, rules_for(link.status, money=True)) if texts and not own else "")
        or _looked_up(codes, TELLING)
        or (told_by(link.texts, OF_VALUES if own else rules_for(link.status)) if texts else "")
        or (kind_by_sentences(link) if texts and not own else "")
        or (told_by(link.texts, model_rules(link.status)) if texts and not own else "")
        or _of_server(link.status, codes)
        or (status_kind(link.status) if link.status is not None else "")
        or _looked_up(codes, BROAD)
    )


def _of_server(status: int | None, codes: tuple[str, ...]) -> str:
    """A code of a server's failure counts more than a 400 or 422, with which some gateways pass it on."""
    return "server_error" if status in (400, 422) and "server_error" in map(BROAD.get, codes) else ""


def _named(link: ExceptionLink) -> str:
    known = _looked_up(link.names, NAMES)
    return known or _first(kind for part, kind in FRAGMENTS if any(part in name for name in link.names))


def _hung_up(link: ExceptionLink) -> bool:
    return not HUNG_UP.isdisjoint(link.names)


def _loose(link: ExceptionLink) -> str:
    return "" if _plain(link) else told_by(link.texts, loose_rules()) or _first(map(_titled, link.texts[:1]))


def _titled(text: str) -> str:
    """The kind by a class name at the beginning of a text: "internalservererror: oops"."""
    title, colon, _ = text.partition(": ")
    return NAMES.get(normal(title), "") if colon and title.isidentifier() else ""


def _in_reply(link: ExceptionLink) -> bool:
    """Whether the error came inside a successful response: an event in a stream, or the body of a 200.

    watsonx's SDK says so in its text, before the event's own words, which may state a status. ChatOpenAI raises a
    ValueError with the body; Anthropic's SDK gives an error event the stream's status, Ollama's gives it -1. An error
    status means that the response was not successful.
    """
    if any(text.startswith(EVENT) for text in link.texts):
        return True
    if link.status:
        return False
    if _over_a_reply(link):
        return True
    in_body = type(link.error) is ValueError and bool(link.bodies)
    return in_body or bool(link.names and link.names[0] in IN_STREAM)


def _over_a_reply(link: ExceptionLink) -> bool:
    """Whether the SDK's error has the status of a successful response, or -1, as Ollama's has."""
    code = read(link.error, "status_code")
    return type(code) is int and (code == -1 or 200 <= code <= 299)


def _no_json(evidence: Evidence) -> bool:
    """Whether the body of a 200 was no reply: the SDK could not read it, or failed on it."""
    names = {name for link in evidence for name in link.names}
    unread = not (GARBLED_REPLY.isdisjoint(names) or any(link.status for link in evidence))
    return unread or any(map(_garbled, evidence))


def _usage(evidence: Evidence) -> Usage | None:
    """The tokens that the built-in client had read before it raised."""
    told = (read(link.error, "usage") for link in evidence)
    return next((usage for usage in told if isinstance(usage, Usage)), None)


def _garbled(link: ExceptionLink) -> bool:
    """Whether an SDK's code failed on a body that is no reply: text in place of an object, no choices."""
    error = link.error
    if isinstance(error, AttributeError):
        return error.name in REPLY_PARTS and isinstance(error.obj, (str, bytes, list, type(None)))
    return _plain(link) and any(phrase in text for text in link.texts for phrase in GARBLED)


def _plain(link: ExceptionLink) -> bool:
    return type(link.error).__module__ == "builtins" and isinstance(link.error, _PLAIN_MISTAKES)


def _looked_up(words: Iterable[str], table: Mapping[str, str]) -> str:
    for word in words:
        if kind := table.get(word, ""):
            return kind
    return ""


def _clock(evidence: Evidence) -> str:
    told = (word for link in evidence for word in (read(link.error, "clock"), *link.names))
    return _first(_CLOCKS.get(word, "") for word in told if isinstance(word, str))


def _sent(evidence: Evidence) -> bool:
    """Whether the request may have reached the provider; False if no connection was made."""
    broke = any(map(_hung_up, evidence))
    for link in evidence:
        told = read(link.error, "sent")  # an attribute of the built-in client's errors
        if told is False:
            return False
        names = (*link.names, *_kept_within(link.error))
        if told is None and any(name in UNSENT and not (broke and "timeout" in name) for name in names):
            return False
    return True


def _kept_within(error: BaseException) -> Iterator[str]:
    """The names of exceptions that an error keeps as an argument or attribute, as in requests and Azure's SDK."""
    for held in (*error.args[:1], read(error, "inner_exception")):
        for one in (held, read(held, "reason")):
            if isinstance(one, BaseException):
                yield from map(normal, class_names(one))


def _told_codes(evidence: Evidence) -> list[str]:
    """At most two of the provider's error codes, without any that might be an API key."""
    codes = dict.fromkeys(code for link in evidence for code in link.codes if not code.isdigit() and _harmless(code))
    return list(codes)[:2]


def _harmless(word: str) -> bool:
    """Whether the word looks like an identifier. An API key has a typical prefix or many digits."""
    return bool(_IDENTIFIER.fullmatch(word)) and not _KEY_LIKE.match(word) and len(_DIGIT.findall(word)) <= 4


def _detail(evidence: Evidence, kind: str, codes: list[str]) -> str:
    """The detail, built from identifiers and fixed texts, because a provider's text may quote the prompt or the key."""
    told = ", ".join(codes) or _ours(evidence, kind) or _unreached(evidence, kind) or _class_chain(evidence)
    if kind in _PLACED and (place := _place(evidence)):
        told = f"{told} at {place}"
    if kind == "not_found" and any(REGION.search(text) for link in evidence for text in link.texts):
        told = f"not offered where the call comes from ({told})"
    return told


_PLACED = ("bad_request", "unsupported")
_PATH = re.compile(r"[A-Za-z_]\w{0,40}(?:\.?\[\d{1,4}\]|\.\w{1,40}){0,9}", re.ASCII)


def _place(evidence: Evidence) -> str:
    """Which field of the request the provider rejects: its `param`, "" unless that is a plain path of names."""
    stated = (body.get("param") for link in evidence for body in link.bodies)
    path = next((told for told in stated if isinstance(told, str)), "")
    harmless = all(map(_harmless, re.findall(r"[A-Za-z_]\w*", path, re.ASCII)))
    return path if len(path) <= LONGEST_WORD and _PATH.fullmatch(path) and harmless else ""


def _ours(evidence: Evidence, kind: str) -> str:
    """The text of the router's own error, if it is one, without the model and the words of the fault's row."""
    for link in evidence:
        if isinstance(link.error, RouterError):
            text = str(link.error).removeprefix(f"{getattr(link.error, 'model', '')} ")
            return text.removeprefix(f"{KINDS[kind].words}: ")[:_TOLD]
    return ""


def _unreached(evidence: Evidence, kind: str) -> str:
    why = _first(why_unreached(link.error) for link in evidence) if kind == "connection" else ""
    return f"{why} ({_class_chain(evidence)})" if why else ""


def _class_chain(evidence: Evidence) -> str:
    """The first and the last class of the chain: "APIConnectionError from ConnectError"."""
    names = dict.fromkeys(type(link.error).__name__ for link in (evidence[0], evidence[-1]))
    return " from ".join(name for name in names if _IDENTIFIER.fullmatch(name))
