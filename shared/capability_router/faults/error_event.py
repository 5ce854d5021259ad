"""An error event inside a stream, for packages that raise nothing over it."""

from __future__ import annotations


class ErrorEvent(RuntimeError):
    """An error event inside a stream that began well, which its integration hands on as one more chunk, or passes over.

    It has the provider's code alone: its words may quote the prompt.
    """

    status_code = 200

    def __init__(self, code: str) -> None:
        super().__init__(f"an error event in the stream: {code or 'without a code'}")
        self.body = {"error": {"code": code, "type": "server_error"}}
