"""The failure domain of a candidate: where its calls go, and on whose account. Health is keyed by it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus, urlsplit

_FIRST = ("authorization", "api-key", "x-api-key", "x-goog-api-key")
_SECRET = re.compile("key|token|secret|auth|cookie|pass|cred|session|signature|^sig$|^code$", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z\d+.-]*://", re.IGNORECASE)
_LEAST = 6  # characters; a shorter value is no key, and would occur in other words


class Address(NamedTuple):
    """The failure domain of a candidate.

    `base_url` is a URL or an SDK's own name for its endpoint ("" in a Description: unknown, so the registry makes one
    for this candidate alone), `credential` a fingerprint (never the key). The breaker is keyed by (base_url, model,
    region), rate gates by (base_url, credential, model), a disabled credential by (base_url, credential).
    """

    base_url: str
    model: str
    credential: str = ""
    region: str = ""


def joint(addresses: Iterable[Address]) -> Address:
    """The address of a router that is a model of another router: those of its own models, joined."""
    mark = fingerprint("\n".join(sorted("\t".join(address) for address in addresses)) or "none")
    return Address(f"router:{mark}", "router", mark)


def fingerprint(secret: str | None) -> str:
    """A short one-way mark that is equal for equal keys."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12] if secret else ""


def public_url(base_url: str) -> str:
    """The URL without user, password and query."""
    parts = urlsplit(base_url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")


def versioned(base_url: str) -> str:
    """The same with Azure's `api-version`, which is no secret: without it a dump makes a model that is not found."""
    kept = "&".join(part for part in urlsplit(base_url).query.split("&") if part.startswith("api-version="))
    return f"{public_url(base_url)}?{kept}" if kept else public_url(base_url)


def shown(url: object) -> str:
    """A URL that anyone may read, without user, password, query and fragment; also for texts that are no URL."""
    text = str(url)
    begins = _SCHEME.match(text)
    scheme = begins.group() if begins else ""
    bare, *after = re.split("[?#]", text[len(scheme) :], maxsplit=1)
    if "/" not in bare and "@" in "".join(after):  # it may be a part of a password
        return scheme
    return f"{scheme}{bare.rpartition('@')[2]}"


def keyless(url: str) -> str:
    """The URL without user and password, and without query parameters with the names of secrets.

    It still says which API is meant.
    """
    base, _, query = url.partition("?")
    scheme, found, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    base = f"{scheme}{found}{host.rpartition('@')[2]}{slash}{path}"
    kept = "&".join(part for part in query.split("&") if part and not _SECRET.search(part.partition("=")[0]))
    return f"{base}?{kept}" if kept else base


def account_of(headers: Mapping[str, str]) -> str:
    """The header value by which the server identifies the account; "" = there is no such header."""
    named = {name.lower(): value for name, value in headers.items()}
    known = next((named[name] for name in _FIRST if named.get(name)), "")
    return known or "\n".join(value for name, value in sorted(named.items()) if _SECRET.search(name))


def is_secret(name: str) -> bool:
    """Whether a header or a parameter of a URL's query of this name holds a secret."""
    return _SECRET.search(name) is not None


def secrets_in(headers: Mapping[str, str], query: str = "") -> tuple[str, ...]:
    """The values of headers and of a URL's query that no text may show, by their names, the longest first."""
    named = [*headers.items(), *_spellings(query)]
    values = (value for name, value in named if _SECRET.search(name))
    each = {part for value in values for part in (value, value.rpartition(" ")[2]) if len(part) >= _LEAST}
    return tuple(sorted(each, key=lambda part: (-len(part), part)))


def _spellings(query: str) -> Iterator[tuple[str, str]]:
    """Each name with its value as the URL has it, and as servers decode it: for some a plus sign is a space."""
    for part in query.split("&"):
        name, _, value = part.partition("=")
        yield from ((unquote(name), spelt) for spelt in (value, unquote(value), unquote_plus(value)))
