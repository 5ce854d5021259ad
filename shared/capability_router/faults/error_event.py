"""An error event inside a stream, for packages that raise nothing over it."""

from __future__ import annotations

from typing import Any

from capability_router.faults.durations import wait_in_text

_READ = 2_000  # characters of the provider's text


class ErrorEvent(RuntimeError):
    """An error event inside a stream that began well, which its integration hands on as one more chunk, or passes over.

    It has the provider's code and the wait that it asks for: its other words may quote the prompt. `says`: its text.
    """

    status_code = 200

    def __init__(self, code: str, says: object = None) -> None:
        super().__init__(f"an error event in the stream: {code or 'without a code'}")
        self.code = code
        error: dict[str, Any] = {"code": code, "type": "server_error"}
        wait = wait_in_text(says[:_READ].lower()) if isinstance(says, str) else None
        self.body = {"error": error if wait is None else {**error, "retry_after": wait}}
