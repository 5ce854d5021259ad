"""What an exception and those behind it show of a provider's answer, read by shape alone.

No client is imported and no class compared: names, integers, strings and plain dicts are read, each
read is guarded, and at most 4 kB of any text is looked at.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import FrameType
from typing import Any, NamedTuple

from capability_router.faults.held import left_out
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
_TEXT_KEYS = ("message", "detail", "error", "error_description", "Message")
_NOTHING: dict[Any, Any] = {}
_TELLING_BUILTINS = (ConnectionError, TimeoutError, UnicodeDecodeError, UnicodeEncodeError)


class Link(NamedTuple):
    """One exception of the chain. `names` and `texts` are in normal form, `codes` as they came."""

    error: BaseException
    names: tuple[str, ...]
    status: int | None
    codes: tuple[str, ...]
    texts: tuple[str, ...]
    bodies: tuple[dict[Any, Any], ...]

    @property
    def answers(self) -> bool:
        """Whether it carries what a provider answered."""
        return self.status is not None or any(map(_known, self.codes))

    @property
    def unfit(self) -> bool:
        """Whether it is a parser's or a validator's own error: an answer came and does not fit its schema."""
        return "outputparser" in self.names or ("validation" in self.names and self.status is None)

    @property
    def transport(self) -> bool:
        """Whether it says that no answer came at all."""
        return any(NAMES.get(name) in ("connection", "timeout") for name in self.names)


Evidence = tuple[Link, ...]


def read(thing: object, name: str) -> Any:
    """An attribute, or None if there is none or reading it fails."""
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - a foreign property may raise anything, as httpx's `request` does
        return None


def links(error: BaseException) -> Evidence:
    """What the error shows, its cause, the cause's cause...: at most six, each once, to the provider's answer.

    The answer is the first exception with a status or a known code. What was merely being handled when an
    error arose (`__context__`) is not followed from a broken connection or a timeout, or if a caller of the model is
    still handling it: it is another call's. If none of them answers, the status that the text of a plain exception
    begins with is its answer.
    """
    found: list[Link] = []
    for one, raised_from in _chain(error):
        if not raised_from and any(link.transport for link in found):
            break
        found.append(_link(one))
        if found[-1].answers or found[-1].unfit:
            return tuple(found)
    return tuple(found if any(link.transport for link in found) else _as_stated(found))


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


def _as_stated(found: list[Link]) -> Iterator[Link]:
    """The same, with the status that the last one states, and behind it the answer of which it made a sentence.

    If it states none, behind it what its SDK held of the answer.

    The former is behind a `from None`, as ChatNVIDIA raises it, and is read if it has the same status: for its headers.
    """
    *before, last = found
    status = _stated(last)
    yield from before
    if status is None and (held := left_out(last.error)) is not None:
        yield last
        yield _link(held)
        return
    yield last if status is None else last._replace(status=status)
    behind = _of_this_call(last.error.__context__) if status and last.error.__cause__ is None else None
    if behind is not None and (answer := _link(behind)).status == status:
        yield answer


_STATED = re.compile(
    r"\[([45]\d\d)\] |(?:error code|(?:http )?status(?:[ _]code)?|http(?: error)?)[: ]{1,3}([45]\d\d)\b"
    r"|([45]\d\d) (?:client|server) error\b"
)


def _stated(link: Link) -> int | None:
    """The status with which a package begins a plain exception's text, as the only place where it says it."""
    plain = link.texts and not link.bodies and type(link.error) in _SENTENCES
    text = link.texts[0] if plain else ""
    return int(found[found.lastindex or 0]) if (found := _STATED.match(text)) else None


_SENTENCES = (Exception, RuntimeError, ValueError)


def _of_this_call(handled: BaseException | None) -> BaseException | None:
    """What was being handled when an error arose; None if a caller handles it, and called a model meanwhile.

    Whoever handles an exception is the outermost frame of its traceback: a caller's is still running, an SDK's is not.
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
    """The names of the error's classes, most specific first; of the builtin ones only those that tell of a fault."""
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


def _link(error: BaseException) -> Link:
    bodies = _each_once(_bodies(error))
    kind: Any = type(error)
    if _restates(error):
        names = tuple(name for name in _names(kind)[:1] if name in IN_STREAM)
        return Link(error, names, None, (), tuple(_texts(error, bodies)), bodies)
    numbers = () if _unreadable(error) else _numbers(error, bodies)
    return Link(
        error=error,
        names=_names(kind),
        status=next((s for s in map(_status, numbers) if s is not None), None),
        codes=tuple(dict.fromkeys(_codes(error, bodies))),
        texts=tuple(dict.fromkeys(_texts(error, bodies))),
        bodies=bodies,
    )


def _restates(error: BaseException) -> bool:
    """Whether it is a package's that gives a status of its own to all that it meets, and there was no answer.

    litellm calls a refused connection, a broken reply and an error event in a stream all a 500. What it met stands
    behind its error; behind one about an answer, that.
    """
    kind: Any = type(error)
    if _home(kind) not in _RESTATING:
        return False
    met = [_link(one) for one, _ in _chain(error) if _home(type(one)) not in _RESTATING]
    ended = _names(kind)[0] in IN_STREAM
    return bool(met) and all(link.status is None for link in met) and (ended or any(map(_no_answer, met)))


def _no_answer(link: Link) -> bool:
    return link.transport or not (IN_STREAM | GARBLED_REPLY).isdisjoint(link.names)


_RESTATING = frozenset({"litellm"})


def _home(kind: type) -> str:
    module = getattr(kind, "__module__", None)  # of a class that is made by `type` it may be anything, or gone
    return module.partition(".")[0] if isinstance(module, str) else ""


def _unreadable(error: BaseException) -> bool:
    """Whether a client could not read what came as HTTP: the status beside that is its own, and says nothing.

    aiohttp's parser gives 400 to a broken chunk, a body that is too short, a line that is no status; so does the
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
    yield from (part_of(body, "ResponseMetadata").get("HTTPStatusCode") for body in bodies)
    yield read(error, "code")
    yield read(error, "status")
    yield read(response, "status")
    for body in bodies:
        yield from [body.get(key) for key in ("code", "status", "statusCode", "status_code")]


def _bodies(error: BaseException) -> Iterator[dict[Any, Any]]:
    """Every plain dict the error holds of the provider's answer, the inner `error` object first."""
    response = read(error, "response")
    told = read(error, "body")
    own = _parsed(told) if isinstance(told, str) else told
    if isinstance(own, dict) and own.keys().isdisjoint(_TEXT_KEYS):
        own = part_of(own, "data") or own  # of an event, as Mistral's SDK hands it on
    for held in (own, read(error, "details"), response, _first(error.args), _unread(response)):
        body = held[0] if isinstance(held, list) and held else held
        if isinstance(body, dict) and body:
            if inner := part_of(body, "error") or part_of(body, "Error") or _listed(body):
                yield inner
            yield body


def _listed(body: dict[Any, Any]) -> dict[Any, Any]:
    """The first of several errors, as watsonx and Cloudflare list them."""
    listed = body.get("errors")
    first = listed[0] if listed and isinstance(listed, list) else None
    return first if isinstance(first, dict) else _NOTHING


def _each_once(bodies: Iterable[dict[Any, Any]]) -> tuple[dict[Any, Any], ...]:
    """An SDK holds the body, or its inner object, and its response the same once more."""
    found: list[dict[Any, Any]] = []
    for body in bodies:
        if not _among(found, body):
            found.append(body)
    return tuple(found)


def _among(found: list[dict[Any, Any]], body: dict[Any, Any]) -> bool:
    try:
        return body in found
    except Exception:  # noqa: BLE001 - a foreign value may raise anything when it is compared: it is read twice then
        return False


def _unread(response: object) -> object:
    """The JSON of a body that the client has already loaded; never makes it load one."""
    held = read(response, "__dict__")
    content = held.get("_content") if isinstance(held, dict) else None
    return _parsed(content) if isinstance(content, bytes) else None


def held_texts(error: BaseException) -> Iterator[str]:
    """The beginnings of bodies that are held here and down the chain, where an SDK keeps them out of its text."""
    for one, _ in _chain(error):
        held = read(read(one, "response"), "__dict__")
        content = held.get("_content") if isinstance(held, dict) else None
        for body in (read(one, "body"), content):
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
        found += (part_of(body, "innererror").get("code"), part_of(body, "details").get("error_code"))
        found += [detail.get("reason") for detail in details(body)]
        told = body.get("error")
        if isinstance(told, str) and _known(told):
            found.append(told)
    found += [read(error, key) for key in ("error_code", "code", "type", "status", "status_code")]
    return [word for word in found if isinstance(word, str) and 0 < len(word) <= LONGEST_WORD]


def details(body: dict[Any, Any]) -> list[dict[Any, Any]]:
    """The objects in a body's `details` list, as Google's error model has them."""
    listed = body.get("details")
    return [part for part in listed[:_PARTS] if isinstance(part, dict)] if listed and isinstance(listed, list) else []


def _texts(error: BaseException, bodies: tuple[dict[Any, Any], ...]) -> list[str]:
    told = [_first(error.args), read(error, "message"), read(error, "body")]
    for body in bodies:
        told += [body[key] for key in _TEXT_KEYS if key in body]
        told.append(part_of(body, "metadata").get("raw"))
    return [text[:LONGEST_TEXT].lower() for text in told if isinstance(text, str)]


def _first(values: object) -> object:
    return values[0] if isinstance(values, tuple) and values else None


def part_of(body: dict[Any, Any], key: str) -> dict[Any, Any]:
    """The object under a key, empty if there is none."""
    value = body.get(key)
    return value if value and isinstance(value, dict) else _NOTHING
