"""From an exception to a fault: by the shape of the exception, never by a client's classes.

Of the chain, the first exception with a status or codes is the provider's answer. It is asked for, in
this order: names that settle it, the provider's codes, its text (only at statuses that hide several
kinds), the HTTP status, broad codes. Without an answer the class names tell, then parts of them, then
loose texts. What is left is "unknown".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from capability_router.clock import SystemClock
from capability_router.errors import RouterError
from capability_router.faults.between import put_before
from capability_router.faults.evidence import Evidence, Link, class_names, links, read
from capability_router.faults.hints import forbids_retry, headers_of, pushback_s, retry_after_s, window_tokens
from capability_router.faults.kinds import KINDS, Fault
from capability_router.faults.meaning import Meaning, told_before
from capability_router.faults.phrases import REGION, loose_rules, rules_for, told_by
from capability_router.faults.unreached import why_unreached
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
    """What the error means. Never raises; "unknown" if nothing tells.

    `now_unix` (default: the machine's clock) turns the dates in retry hints into seconds.
    """
    try:
        return _fault(error, SystemClock.unix() if now_unix is None else now_unix)
    except Exception:  # noqa: BLE001 - a hostile exception object must not hide the failure it stands for
        return Fault("unknown", type(error).__name__[:LONGEST_WORD], error=error)


def kind_of(evidence: Evidence, *, texts: bool = True) -> str:
    """The kind the evidence stands for. `texts=False`: by names, codes and statuses alone."""
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
    meant = told_before(evidence)
    shape = _shape(evidence, meant)
    kind, headers = shape.kind, headers_of(evidence)
    window = (meant.window if meant else window_tokens(evidence)) if kind == "context_overflow" else None
    wait = retry_after_s if kind == "rate_limited" else pushback_s
    return Fault(
        kind=kind,
        detail=f"{shape.detail}; its window is {window:,} tokens" if window else shape.detail,
        status=evidence[-1].status,
        code=shape.code,
        retry_after_s=meant.retry_after_s if meant else wait(evidence, now_unix, headers),
        window=window,
        clock=shape.clock,
        again=not forbids_retry(headers),
        sent=shape.sent,
        started=shape.started,
        answered=shape.answered,
        usage=shape.usage,
        error=error,
    )


class _Shape(NamedTuple):
    """What errors that show the same have in common."""

    kind: str
    detail: str
    code: str
    clock: str
    sent: bool
    started: bool
    answered: bool
    usage: Usage | None


_MOST_SHAPES = 256
_shapes: dict[int, _Shape] = {}
"""By the hash of what an error shows: nothing of what a provider wrote is kept."""
_TOLD = 240  # characters of one of our own errors that are told on


def _shape(evidence: Evidence, meant: Meaning | None) -> _Shape:
    """As it was worked out for the last answer that read the same: a model that fails does so many times over.

    Of our own errors more is read, and of an answer in a provider's place its body; behind one with a status nothing
    but a meaning that it brings along.
    """
    link = evidence[0]
    if meant or link.status is None or isinstance(link.error, RouterError) or put_before(link):
        return _worked_out(evidence, meant)
    key = hash((type(link.error), link.status, link.codes, link.texts))
    found = _shapes.get(key)
    if found is None:
        if len(_shapes) >= _MOST_SHAPES:
            _shapes.clear()
        found = _shapes[key] = _worked_out(evidence, None)
    return found


def _worked_out(evidence: Evidence, meant: Meaning | None) -> _Shape:
    codes = _told_codes(evidence)
    kind = meant.kind if meant else kind_of(evidence)
    return _Shape(
        kind=kind,
        detail=_detail(evidence, kind, codes),
        code=codes[0] if codes else "",
        clock=_clock(evidence) if kind == "timeout" else "",
        sent=_sent(evidence),
        started=any(map(_in_reply, evidence)) or _no_json(evidence),
        answered=any(not link.status and not ENDED.isdisjoint(link.names) for link in evidence),
        usage=_usage(evidence),
    )


def _first(kinds: Iterable[str]) -> str:
    return next(filter(None, kinds), "")


def _answer(evidence: Evidence) -> Link:
    """The provider's answer, with the names and texts of what wraps it."""
    if len(evidence) == 1:
        return evidence[0]
    names = tuple(name for link in evidence for name in link.names)
    return evidence[-1]._replace(names=names, texts=tuple(text for link in evidence for text in link.texts))


def _answered(link: Link, texts: bool) -> str:
    """By what the provider answered."""
    codes = tuple(map(normal, link.codes))
    return (
        _looked_up(link.names, DECISIVE_NAMES)
        or put_before(link)
        or (told_by(link.texts, rules_for(link.status, money=True)) if texts and ITS_OWN.isdisjoint(codes) else "")
        or _looked_up(codes, TELLING)
        or (told_by(link.texts, rules_for(link.status)) if texts else "")
        or (status_kind(link.status) if link.status is not None else "")
        or _looked_up(codes, BROAD)
    )


def _named(link: Link) -> str:
    known = _looked_up(link.names, NAMES)
    return known or _first(kind for part, kind in FRAGMENTS if any(part in name for name in link.names))


def _hung_up(link: Link) -> bool:
    return not HUNG_UP.isdisjoint(link.names)


def _loose(link: Link) -> str:
    return "" if _plain(link) else told_by(link.texts, loose_rules()) or _first(map(_titled, link.texts[:1]))


def _titled(text: str) -> str:
    """The kind of the class of which a package made a sentence: "internalservererror: oops"."""
    title, colon, _ = text.partition(": ")
    return NAMES.get(normal(title), "") if colon and title.isidentifier() else ""


def _in_reply(link: Link) -> bool:
    """Whether it came in a reply that had begun well: an event in a stream, or the body of a 200.

    ChatOpenAI raises the latter as a ValueError that holds it, Anthropic's SDK the former with the stream's own
    status, Ollama's with -1. A status inside says that it was a refusal after all.
    """
    if link.status:
        return False
    if _over_a_reply(link):
        return True
    in_body = type(link.error) is ValueError and bool(link.bodies)
    return in_body or bool(link.names and link.names[0] in IN_STREAM)


def _over_a_reply(link: Link) -> bool:
    """Whether an SDK says itself that it raises over a reply: by the status of one, or as Ollama's does by -1."""
    code = read(link.error, "status_code")
    return type(code) is int and (code == -1 or 200 <= code <= 299)


def _no_json(evidence: Evidence) -> bool:
    """Whether the body of a 200 was no reply: an SDK stumbled over it, or could not even read it."""
    names = {name for link in evidence for name in link.names}
    unread = not (GARBLED_REPLY.isdisjoint(names) or any(link.status for link in evidence))
    return unread or any(map(_garbled, evidence))


def _usage(evidence: Evidence) -> Usage | None:
    """The tokens that the built-in client had read before it raised."""
    told = (read(link.error, "usage") for link in evidence)
    return next((usage for usage in told if isinstance(usage, Usage)), None)


def _garbled(link: Link) -> bool:
    """An SDK stumbled over a body that is no reply: text where an object should be, no choices."""
    error = link.error
    if isinstance(error, AttributeError):
        return error.name in REPLY_PARTS and isinstance(error.obj, (str, bytes, list, type(None)))
    return _plain(link) and any(phrase in text for text in link.texts for phrase in GARBLED)


def _plain(link: Link) -> bool:
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
    """Whether the request may have reached the provider; not if no connection came about."""
    broke = any(map(_hung_up, evidence))
    for link in evidence:
        told = read(link.error, "sent")  # the built-in client knows
        if told is False:
            return False
        names = (*link.names, *_kept_within(link.error))
        if told is None and any(name in UNSENT and not (broke and "timeout" in name) for name in names):
            return False
    return True


def _kept_within(error: BaseException) -> Iterator[str]:
    """The names of what an error is about and does not stand behind it: as requests and Azure's SDK have it."""
    for held in (*error.args[:1], read(error, "inner_exception")):
        for one in (held, read(held, "reason")):
            if isinstance(one, BaseException):
                yield from map(normal, class_names(one))


def _told_codes(evidence: Evidence) -> list[str]:
    """The provider's short words for it, without any that might be a key."""
    codes = dict.fromkeys(code for link in evidence for code in link.codes if not code.isdigit() and _harmless(code))
    return list(codes)[:2]


def _harmless(word: str) -> bool:
    """Reads like an identifier; a key has a prefix of its own or many digits."""
    return bool(_IDENTIFIER.fullmatch(word)) and not _KEY_LIKE.match(word) and len(_DIGIT.findall(word)) <= 4


def _detail(evidence: Evidence, kind: str, codes: list[str]) -> str:
    """Built from identifiers and our own words: a provider's sentence may quote the prompt or the key."""
    told = ", ".join(codes) or _ours(evidence, kind) or _unreached(evidence, kind) or _class_chain(evidence)
    if kind == "not_found" and any(REGION.search(text) for link in evidence for text in link.texts):
        told = f"not offered where the call comes from ({told})"
    return told


def _ours(evidence: Evidence, kind: str) -> str:
    """One of our own errors says it best, without the model and the words that the fault's row says anyway."""
    for link in evidence:
        if isinstance(link.error, RouterError):
            text = str(link.error).removeprefix(f"{getattr(link.error, 'model', '')} ")
            return text.removeprefix(f"{KINDS[kind].words}: ")[:_TOLD]
    return ""


def _unreached(evidence: Evidence, kind: str) -> str:
    why = why_unreached(evidence[0].error) if kind == "connection" else ""
    return f"{why} ({_class_chain(evidence)})" if why else ""


def _class_chain(evidence: Evidence) -> str:
    """'APIConnectionError from ConnectError'."""
    names = dict.fromkeys(type(link.error).__name__ for link in (evidence[0], evidence[-1]))
    return " from ".join(name for name in names if _IDENTIFIER.fullmatch(name))
