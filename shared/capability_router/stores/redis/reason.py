"""Why a Redis or Valkey server did not do what it was asked, in words that say what to change."""

from __future__ import annotations

from collections.abc import Iterator

from redis import exceptions

_ACL = "the user of the URL may not use these keys or commands (ACL)"
_WHY: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.AuthenticationError, "it takes only a right user name and password: redis://USER:PASSWORD@host:6379/0"),
    (exceptions.NoPermissionError, _ACL),
    (exceptions.ReadOnlyError, "it is a read-only replica; name the primary"),
    (exceptions.OutOfMemoryError, "its memory is full (maxmemory)"),
    (exceptions.BusyLoadingError, "it is still loading its data"),
    (exceptions.MaxConnectionsError, "no connection is left"),
)
_TEXTS = (  # a server's own, which name nothing
    ("DB index is out of range", "it has no database of this number"),
    ("ACL failure in script", _ACL),
)
_OTHERS = (10, 62, 64)  # OpenSSL's numbers: expired, another host's, another address's


def reason(error: Exception, timeout_s: float, *, tls: bool = False) -> str:
    """One clause and the error's class. The error's own text is left out: it may hold the URL, or a key.

    `timeout_s` is how long the server had.
    """
    name = type(error).__name__
    if isinstance(error, exceptions.TimeoutError):
        doubt = ", or it speaks no TLS (redis://)" if tls else ""
        return f"no answer within {timeout_s:g} s{doubt}: {name}; ?socket_timeout=SECONDS in the URL gives it longer"
    found = next((why for kind, why in _WHY if isinstance(error, kind)), "") or _told(error)
    return f"{found}: {name}" if found else name


def _told(error: Exception) -> str:
    """What the system says of a connection, or the server of the URL."""
    found = next((found for found in _causes(error) if isinstance(found, OSError) and found.strerror), None)
    if refused := str(getattr(found, "verify_message", "")):  # of TLS: a certificate
        known = getattr(found, "verify_code", None) in _OTHERS
        return refused.rstrip(".") + ("" if known else "; ?ssl_ca_certs=FILE in the URL names who signed it")
    if isinstance(found, FileNotFoundError):
        return "no file of this name, as ssl_ca_certs, ssl_certfile, ssl_keyfile or the path of a socket in the URL"
    return (found.strerror if found else "") or next((why for text, why in _TEXTS if text in str(error)), "")


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    for _ in range(5):
        if found is None:
            return
        yield found
        found = found.__cause__ or found.__context__
