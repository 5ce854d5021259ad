"""Why a server could not be reached, in words of the system and of TLS that name nobody's secrets.

A client's own exception says "Connection error." and keeps the reason behind it: a certificate that nobody here trusts
looks like a server that is down. What to change is said where it is known.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

_DEPTH = 12  # exceptions that are looked at
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
_EXPIRED, _EARLY, _WRONG_NAMES = 10, 9, (62, 64)  # OpenSSL's numbers; both of a name and of an address


def why_unreached(error: BaseException) -> str:
    """What is known of the cause; "" if neither the system nor TLS told."""
    for one in _within(error):
        if why := _told(one):
            return why
    return ""


def why_tls(error: BaseException) -> str:
    """The same, of TLS alone."""
    return next((_of_tls(one) for one in _within(error) if _is(one, "ssl.SSLError")), "")


def _within(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and what it holds, as requests, urllib3 and botocore have it."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _DEPTH:
        one = waiting.pop(0)
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            named = getattr(one, "kwargs", None)
            held = (one.__cause__, *one.args[:1], getattr(one, "reason", None), *_values(named))
            waiting += [each for each in held if isinstance(each, BaseException)]


def _values(named: object) -> Iterable[object]:
    return named.values() if isinstance(named, dict) else ()


def _told(error: BaseException) -> str:
    if _is(error, "ssl.SSLError"):
        return _of_tls(error)
    if _is(error, "socket.gaierror"):
        return "its host name could not be looked up; check base_url and network"
    if isinstance(error, OSError) and isinstance(error.errno, int) and error.errno > 0:
        return os.strerror(error.errno)  # not its own text, which a client may have made
    return ""


def _is(error: BaseException, name: str) -> bool:
    """By name, for the core loads neither module."""
    return any(f"{kind.__module__}.{kind.__qualname__}" == name for kind in type(error).__mro__)


def _of_tls(error: Any) -> str:
    if not _is(error, "ssl.SSLCertVerificationError"):
        if error.reason in _NO_TLS:
            return "it speaks no TLS at this port; check base_url (http:// or https://)"
        return f"TLS failed: {error.reason}" if str(error.reason).isidentifier() and error.reason else "TLS failed"
    code = getattr(error, "verify_code", None)
    if code == _EXPIRED:
        return "its certificate has expired; renew it, or set this machine's clock"
    if code == _EARLY:
        return "its certificate is not valid yet; look at this machine's clock"
    if code in _WRONG_NAMES:
        return "its certificate is for another host; write in base_url the name that the certificate has"
    return "its certificate is not trusted here; put the authority that signed it in the file of SSL_CERT_FILE"
