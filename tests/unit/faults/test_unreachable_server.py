"""Why a server could not be reached, of what clients keep behind their own errors."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from capability_router.faults import classify
from capability_router.faults.unreachable_server import why_unreached


class APIConnectionError(Exception):
    """As a client's, which says nothing itself."""


def bad_certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed: sk-geheim")
    error.verify_code = code
    return error


def handshake(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "sk-geheim")
    error.reason = reason  # type: ignore[assignment]  # None, where OpenSSL gave none
    return error


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (bad_certificate(10), "its certificate has expired; renew it, or set this machine's clock"),
        (bad_certificate(9), "its certificate is not valid yet; check this machine's clock"),
        (bad_certificate(62), "its certificate is for another host; use the certificate's host name"),
        (bad_certificate(64), "its certificate is for another host; use the certificate's host name"),
        (bad_certificate(18), "its certificate is not trusted here; add the CA that signed it to"),
        (bad_certificate(20), "its certificate is not trusted here; add the CA that signed it to"),
        (handshake("WRONG_VERSION_NUMBER"), "it does not speak TLS at this port"),
        (handshake("TLSV1_ALERT_PROTOCOL_VERSION"), "TLS failed: TLSV1_ALERT_PROTOCOL_VERSION"),
        (handshake("a sk-geheim"), "TLS failed ("),
        (handshake(None), "TLS failed"),
        (socket.gaierror(-2, "sk-geheim"), "its host name could not be looked up; check base_url and network"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "to sk-geheim"), "Connection refused"),
        (OSError("sk-geheim"), "APIConnectionError from OSError"),
        (OSError(-7, "sk-geheim"), "APIConnectionError from OSError"),
    ],
)
def test_the_cause_is_told_in_words_of_our_own(cause: Exception, told: str) -> None:
    error = APIConnectionError("Connection error.")
    error.__cause__ = cause
    fault = classify(error)
    assert fault.kind == "connection"
    assert fault.detail.startswith(told)
    assert "APIConnectionError" in fault.detail
    assert "geheim" not in fault.told


def test_what_an_error_is_about_counts_as_a_cause() -> None:
    """As in requests' errors over urllib3's."""
    inner = ValueError("Max retries exceeded")
    inner.reason = TypeError(ConnectionResetError(errno.ECONNRESET, "x"))  # type: ignore[attr-defined]  # as urllib3's has it
    assert why_unreached(APIConnectionError(inner)) == "Connection reset by peer"


def test_errors_that_go_round_in_a_circle_end() -> None:
    first, second = APIConnectionError("a"), APIConnectionError("b")
    first.__cause__, second.__cause__ = second, first
    assert why_unreached(first) == ""


def test_another_fault_is_not_explained_by_a_connection() -> None:
    error = APIConnectionError("a page")
    error.status_code = 503  # type: ignore[attr-defined]  # it was reached after all
    error.__cause__ = ConnectionRefusedError(errno.ECONNREFUSED, "x")
    assert "refused" not in classify(error).detail.lower()
