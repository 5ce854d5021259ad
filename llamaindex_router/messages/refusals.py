"""Finds a refusal that an integration hands on as an answer without content, as `DashScope` does.

Its SDK raises nothing: its reply has the status, the code and the words of the refusal. Of a stream in sync
the integration hands on the SDK's generator in place of that reply, which the generator still holds.
"""

from __future__ import annotations

from types import GeneratorType
from typing import Any

from llamaindex_router.errors import RefusedAnswer
from llamaindex_router.messages.fields import field

_HELD = "rsp"
"""The variable of the generator."""


def refusal_in(raw: Any) -> RefusedAnswer | None:
    """The refusal in a raw reply; None if it is none."""
    if type(raw) is GeneratorType:
        frame = raw.gi_frame
        raw = None if frame is None else frame.f_locals.get(_HELD)
    status = field(raw, "status_code") if raw is not None else None
    if not isinstance(status, int) or status < 400 or field(raw, "output"):
        return None
    return RefusedAnswer(int(status), *(str(field(raw, name) or "") for name in ("code", "message")))
