"""Reads what an exception and its causes show of a provider's answer: status, codes, texts, bodies.

No client is imported and no class is compared. Only names, integers, strings and plain dicts are read; a read that
raises counts as None, and at most 4 kB of any text are read.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import FrameType
from typing import Any, NamedTuple

from capability_router.faults.omitted_responses import left_out
from capability_router.faults.vocabulary import (
    BROAD,
    GARBLED_REPLY,
    IN_STREAM,
    LONGEST_WORD,
    NAMES,
    TELLING,
    UNREADABLE,
    normal,
)
from capability_router.json_text import parsed

LONGEST_TEXT = 4096
_LONGEST_BODY = 65_536
_DEPTH = 6
_CLASSES = 256  # of exceptions, whose names are looked up once
_PARTS = 16
_CODE_KEYS = ("code", "type", "status", "reason", "error_code", "error_type", "Code")
_TEXT_KEYS = ("message", "detail", "error", "error_description", "Message", "msg")
_NOTHING: dict[Any, Any] = {}
_TELLING_BUILTINS = (ConnectionError, TimeoutError, UnicodeDecodeError, UnicodeEncodeError)


class ExceptionLink(NamedTuple):
    """One exception of the chain. `names` are in normal form, `texts` in lower case, `codes` as they came."""

    error: BaseException
    names: tuple[str, ...]
    status: int | None
    codes: tuple[str, ...]
    texts: tuple[str, ...]
    bodies: tuple[dict[Any, Any], ...]

    @property
    def answers(self) -> bool:
        """Whether it carries a provider's answer: a status or a known code."""
        return self.status is not None or any(map(_known, self.codes))

    @property
    def unfit(self) -> bool:
        """Whether a parser or validator raised it, because an answer does not fit its schema."""
        return "outputparser" in self.names or ("validation" in self.names and self.status is None)

    @property
    def transport(self) -> bool:
        """Whether it means that no answer came: a connection error or a timeout.

        httpx-sse derives its error over an answer that is no stream from httpx's TransportError.
        """
        return GARBLED_REPLY.isdisjoint(self.names) and any(
            NAMES.get(name) in ("connection", "timeout") for name in self.names
        )


Evidence = tuple[ExceptionLink, ...]


def read(thing: object, name: str) -> Any:
    """An attribute, or None if there is none or reading it fails."""
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - a foreign property may raise anything, as httpx's `request` does
        return None


def links(error: BaseException) -> Evidence:
    """The error, its cause, the cause's cause, ...: at most six, each once, up to the provider's answer.

    The answer is the first exception with a status or a known code; of packages that restate statuses, the last. A
    `__context__` is not followed from a connection error or a timeout, nor if a caller of the model still handles it,
    because then it belongs to another call. If there is no answer, a status at the beginning of a plain exception's
    text is used.
    """
    found: list[ExceptionLink] = []
    for one, raised_from in _chain(error):
        if not raised_from and any(link.transport for link in found):
            break
        found.append(_link(one))
        if found[-1].unfit or (found[-1].answers and _home(type(one)) not in _RESTATING):
            return tuple(found)
    if answers := [place for place, link in enumerate(found, 1) if link.answers]:
        return tuple(found[: answers[-1]])
    return tuple(_unsent(found) if any(link.transport for link in found) else _as_stated(found))


def _chain(error: BaseException) -> Iterator[tuple[BaseException, bool]]:
    """Each exception, and whether the one before was raised `from` it."""
    seen: set[int] = set()
    here: BaseException | None = error
    raised_from = True
    while here is not None and id(here) not in seen and len(seen) < _DEPTH:
        seen.add(id(here))
        yield here, raised_from
        raised_from = here.__cause__ is not None
        here = here.__cause__ or (None if here.__suppress_context__ else _of_this_call(here.__context__))


def _unsent(found: list[ExceptionLink]) -> Iterator[ExceptionLink]:
    """The same links, and the transport's own error if the last one hides it, as Ollama's client does."""
    yield from found
    behind = hidden(found[-1].error)
    if behind is not None and (link := _link(behind)).transport:
        yield link


def _as_stated(found: list[ExceptionLink]) -> Iterator[ExceptionLink]:
    """The same links; the last gets the status that its text states, and may be followed by the answer behind it.

    With a status, that is the exception hidden by a `from None`, if it has the same status: it has the headers
    (ChatNVIDIA raises so). Without a status, it is what the SDK's frames still hold of the answer.
    """
    *before, last = found
    status = _stated(last)
    yield from before
    if status is None and (held := left_out(last.error)) is not None:
        yield last
        yield _link(held)
        return
    yield last if status is None else last._replace(status=status)
    behind = hidden(last.error) if status else None
    if behind is not None and (answer := _link(behind)).status == status:
        yield answer


_STATED = re.compile(
    r"\[([45]\d\d)\] |(?:error code|(?:http )?status(?:[ _]code)?|http(?: error)?)[: ]{1,3}([45]\d\d)\b"
    r"|([45]\d\d) (?:client|server) error\b"
)


def _stated(link: ExceptionLink) -> int | None:
    """The status at the beginning of a plain exception's text; None = there is none."""
    plain = link.texts and not link.bodies and type(link.error) in _SENTENCES
    text = link.texts[0] if plain else ""
    return int(found[found.lastindex or 0]) if (found := _STATED.match(text)) else None


_SENTENCES = (Exception, RuntimeError, ValueError)


def hidden(error: BaseException) -> BaseException | None:
    """The exception that a `raise ... from None` hides; None if there is none, or it is of another call."""
    return _of_this_call(error.__context__) if error.__suppress_context__ and error.__cause__ is None else None


def _of_this_call(handled: BaseException | None) -> BaseException | None:
    """The `__context__` of an error; None if a caller was handling it when it called the model.

    The outermost frame of a traceback handles the exception: a caller's frame is still running, an SDK's is not.
    """
    trace = None if handled is None else handled.__traceback__
    if trace is None:
        return handled
    running: FrameType | None = sys._getframe(1)
    while running is not None:
        if running is trace.tb_frame:
            return None
        running = running.f_back
    return handled


def class_names(error: BaseException) -> tuple[str, ...]:
    """The names of the error's classes, most specific first; of builtin classes only those that mean a fault."""
    kind: Any = type(error)
    return _class_names(kind)


@lru_cache(_CLASSES)
def _class_names(kind: type) -> tuple[str, ...]:
    return tuple(
        cls.__name__ for cls in kind.__mro__ if cls.__module__ != "builtins" or issubclass(cls, _TELLING_BUILTINS)
    )


@lru_cache(_CLASSES)
def _names(kind: Any) -> tuple[str, ...]:
    """In normal form."""
    return tuple(map(normal, _class_names(kind)))


def _link(error: BaseException) -> ExceptionLink:
    bodies = _each_once(_bodies(error))
    kind: Any = type(error)
    if _restates(error):
        names = tuple(name for name in _names(kind)[:1] if name in IN_STREAM)
        return ExceptionLink(error, names, None, (), tuple(_texts(error, bodies)), bodies)
    numbers = () if _unreadable(error) else _numbers(error, bodies)
    return ExceptionLink(
        error=error,
        names=_names(kind),
        status=next((s for s in map(_status, numbers) if s is not None), None),
        codes=tuple(dict.fromkeys(_codes(error, bodies))),
        texts=tuple(dict.fromkeys(_texts(error, bodies))),
        bodies=bodies,
    )


def _restates(error: BaseException) -> bool:
    """Whether the status is one that the package itself gave to an error without an answer.

    litellm gives a refused connection, a broken reply and an error event in a stream all the status 500. The original
    error is in its chain.
    """
    kind: Any = type(error)
    if _home(kind) not in _RESTATING:
        return False
    met = [_link(one) for one, _ in _chain(error) if _home(type(one)) not in _RESTATING]
    ended = _names(kind)[0] in IN_STREAM
    return bool(met) and all(link.status is None for link in met) and (ended or any(map(_no_answer, met)))


def _no_answer(link: ExceptionLink) -> bool:
    return link.transport or not (IN_STREAM | GARBLED_REPLY).isdisjoint(link.names)


_RESTATING = frozenset({"litellm"})


def _home(kind: type) -> str:
    module = getattr(kind, "__module__", None)  # may be missing or no text in a class made by `type()`
    return module.partition(".")[0] if isinstance(module, str) else ""


def _unreadable(error: BaseException) -> bool:
    """Whether the client could not parse the response as HTTP, so that the status is the client's own invention.

    aiohttp's parser gives the status 400 to a broken chunk, a short body or an invalid status line, and so does the
    ClientResponseError that is raised from its errors.
    """
    kinds: tuple[Any, Any] = (type(error), type(error.__cause__))
    return any(UNREADABLE in _names(kind) for kind in kinds)


def _known(code: str) -> bool:
    word = normal(code)
    return word in TELLING or word in BROAD


def _status(value: object) -> int | None:
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, int) and 300 <= value <= 599:
        return int(value)
    return None


def _numbers(error: BaseException, bodies: tuple[dict[Any, Any], ...]) -> Iterator[object]:
    response = read(error, "response")
    yield read(error, "status_code")
    yield read(response, "status_code")
    yield read(error, "http_status")  # OpenAI's client before 1.0, Together's before 2
    yield from (nested_object(body, "ResponseMetadata").get("HTTPStatusCode") for body in bodies)
    yield read(error, "code")
    yield read(error, "status")
    yield read(response, "status")
    for body in bodies:
        yield from [body.get(key) for key in ("code", "status", "statusCode", "status_code")]


def _bodies(error: BaseException) -> Iterator[dict[Any, Any]]:
    """Every dict of the provider's answer that the error holds, an inner `error` object first."""
    response = read(error, "response")
    told = read(error, "body") or read(error, "json_body") or _content(error)
    own = _parsed(told) if isinstance(told, str) else told
    if isinstance(own, dict) and own.keys().isdisjoint(_TEXT_KEYS):
        own = nested_object(own, "data") or own  # the `data` of an event, as in Mistral's SDK
    for held in (own, read(error, "details"), response, _first(error.args), loaded_json(response)):
        body = held[0] if isinstance(held, list) and held else held
        if isinstance(body, dict) and body:
            if (
                inner := nested_object(body, "error")
                or nested_object(body, "Error")
                or _listed(body)
                or _detailed(body)
            ):
                yield inner
            yield body


def _content(error: BaseException) -> object:
    """The attribute `content`, where GigaChat's SDK keeps the body; None unless the error has a status.

    An exception without a status may have a `content` of another meaning.
    """
    if type(read(error, "status_code")) is not int:
        return None
    content = read(error, "content")
    return content[: _LONGEST_BODY + 1].decode("utf-8", "replace") if isinstance(content, bytes) else content


def _detailed(body: dict[Any, Any]) -> dict[Any, Any]:
    """FastAPI's `detail`: what an HTTPException was given, or the first of what its validation found."""
    told = body.get("detail")
    return nested_object(body, "detail") or _listed({"errors": told})


def _listed(body: dict[Any, Any]) -> dict[Any, Any]:
    """The first of several errors, as watsonx and Cloudflare list them."""
    listed = body.get("errors")
    first = listed[0] if listed and isinstance(listed, list) else None
    return first if isinstance(first, dict) else _NOTHING


def _each_once(bodies: Iterable[dict[Any, Any]]) -> tuple[dict[Any, Any], ...]:
    """The bodies without duplicates: an SDK's error and its response often hold the same one."""
    found: list[dict[Any, Any]] = []
    for body in bodies:
        if not _among(found, body):
            found.append(body)
    return tuple(found)


def _among(found: list[dict[Any, Any]], body: dict[Any, Any]) -> bool:
    try:
        return body in found
    except Exception:  # noqa: BLE001 - a foreign value may raise when compared; then the body is read twice
        return False


def loaded_json(response: object) -> object:
    """The JSON of a body that the client has already loaded. It does not load one."""
    held = read(response, "__dict__")
    content = held.get("_content") if isinstance(held, dict) else None
    return _parsed(content) if isinstance(content, bytes) else None


def held_texts(error: BaseException) -> Iterator[str]:
    """The beginnings of the bodies that the exceptions of the chain hold, in lower case."""
    for one, _ in _chain(error):
        held = read(read(one, "response"), "__dict__")
        content = held.get("_content") if isinstance(held, dict) else None
        for body in (read(one, "body"), _content(one), content):
            if isinstance(body, str | bytes):
                start = body[:LONGEST_TEXT]
                yield (start.decode("latin-1") if isinstance(start, bytes) else start).lower()


def _parsed(content: str | bytes) -> object:
    if len(content) > _LONGEST_BODY:
        return None
    try:
        return parsed(content)
    except ValueError:
        return None


def _codes(error: BaseException, bodies: tuple[dict[Any, Any], ...]) -> list[str]:
    found: list[Any] = []
    for body in bodies:
        found += [body[key] for key in _CODE_KEYS if key in body and (key != "type" or body[key] != "error")]
        found += (nested_object(body, "innererror").get("code"), nested_object(body, "details").get("error_code"))
        found += [detail.get("reason") for detail in details(body)]
        told = body.get("error")
        if isinstance(told, str) and _known(told):
            found.append(told)
    found += [read(error, key) for key in ("error_code", "code", "type", "status", "status_code")]
    return [word for word in found if isinstance(word, str) and 0 < len(word) <= LONGEST_WORD]


def details(body: dict[Any, Any]) -> list[dict[Any, Any]]:
    """The objects in a body's `details` list, part of Google's error model."""
    listed = body.get("details")
    return [part for part in listed[:_PARTS] if isinstance(part, dict)] if listed and isinstance(listed, list) else []


def _texts(error: BaseException, bodies: tuple[dict[Any, Any], ...]) -> list[str]:
    told = [_first(error.args), read(error, "message"), read(error, "body"), _content(error)]
    for body in bodies:
        told += [body[key] for key in _TEXT_KEYS if key in body]
        told.append(nested_object(body, "metadata").get("raw"))
    texts = [_without_request(text[:LONGEST_TEXT].lower()) for text in told if isinstance(text, str)]
    return texts if texts or error.args or isinstance(error, ValueError) else _shown(error)


_QUOTED = re.compile(r"[{,]\s{0,16}\\?['\"](?:input|failed_generation)\\?['\"]:|, input_value=")
"""Where a text begins to quote: the request (pydantic, as in vLLM's and FastAPI's refusals) or the answer (Groq)."""


def _without_request(text: str) -> str:
    found = _QUOTED.search(text)
    return text[: found.start()] if found else text


def _shown(error: BaseException) -> list[str]:
    """What an error without arguments shows, as watsonx's SDK raises them: it gives keywords alone.

    Not asked are ValueErrors: pydantic's shows the answer that it checked.
    """
    try:
        shown = str(error)[:LONGEST_TEXT].lower()
    except Exception:  # noqa: BLE001 - a foreign `str` may raise anything; then it shows nothing
        shown = ""
    return [shown] if shown else []


def _first(values: object) -> object:
    return values[0] if isinstance(values, tuple) and values else None


def nested_object(body: dict[Any, Any], key: str) -> dict[Any, Any]:
    """The object under a key, empty if there is none."""
    value = body.get(key)
    return value if value and isinstance(value, dict) else _NOTHING
