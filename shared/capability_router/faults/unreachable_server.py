"""Says why a server could not be reached, with what to change, without quoting texts that may hold secrets.

A client's own exception says "Connection error." and keeps the reason in its chain, so that an untrusted certificate
looks like a server that is down.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

_DEPTH = 12  # the most exceptions that are read
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
_EXPIRED, _EARLY, _WRONG_NAMES = 10, 9, (62, 64)  # OpenSSL's error numbers; 62: host name, 64: IP address


def why_unreached(error: BaseException) -> str:
    """The reason, as far as the system or TLS states it; else ""."""
    for one in _within(error):
        if why := _told(one):
            return why
    return ""


def why_tls(error: BaseException) -> str:
    """The reason, if it is TLS; else ""."""
    return next((_of_tls(one) for one in _within(error) if _is(one, "ssl.SSLError")), "")


def _within(error: BaseException) -> Iterator[BaseException]:
    """The error, its causes, and the exceptions it holds in arguments and attributes (requests, urllib3, botocore)."""
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
        return os.strerror(error.errno)  # not the error's own text, which a client may have written
    return ""


def _is(error: BaseException, name: str) -> bool:
    """Whether it is of this class, compared by name because the core imports neither module."""
    return any(f"{kind.__module__}.{kind.__qualname__}" == name for kind in type(error).__mro__)


def _of_tls(error: Any) -> str:
    if not _is(error, "ssl.SSLCertVerificationError"):
        if error.reason in _NO_TLS:
            return "it does not speak TLS at this port; check base_url (http:// or https://)"
        return f"TLS failed: {error.reason}" if str(error.reason).isidentifier() and error.reason else "TLS failed"
    code = getattr(error, "verify_code", None)
    if code == _EXPIRED:
        return "its certificate has expired; renew it, or set this machine's clock"
    if code == _EARLY:
        return "its certificate is not valid yet; check this machine's clock"
    if code in _WRONG_NAMES:
        return "its certificate is for another host; use the certificate's host name in base_url"
    return "its certificate is not trusted here; add the CA that signed it to the file named in SSL_CERT_FILE"
