"""The fault of a model whose key could not be had: what the user gave to ask for it (a function, a credential) raised.

Such an error is about the key alone. Its status, as of a token server that rejects its client, is none of the model's,
whose server was never asked.
"""

from __future__ import annotations

from types import FrameType

from capability_router.faults.classify import classify
from capability_router.faults.evidence import links
from capability_router.faults.frames import frames_of, home
from capability_router.faults.kinds import Fault

_ASKING = {
    "capability_router": ("_raw_key", "_checked_key"), "openai": ("refresh_api_key", "get_azure_ad_token"),
    "azure": ("_request_token", "get_token", "get_token_info"), "botocore": ("_protected_refresh",),
    "aiobotocore": ("_protected_refresh",),
}  # fmt: skip
"""A package -> how the names of its functions end that ask for a key, or that check it."""
_ON_THE_WAY = frozenset({"connection", "timeout", "overloaded", "server_error", "rate_limited"})


def key_fault(error: BaseException) -> Fault | None:
    """The fault: "connection" if what gives the key could not be reached or failed, else "auth".

    None for an error from anywhere else, and for an interrupt.
    """
    if not isinstance(error, Exception):
        return None
    evidence = links(error)
    if not any(_asks(frame) for link in evidence for frame in frames_of(link.error)):
        return None
    kind = "connection" if classify(error).kind in _ON_THE_WAY else "auth"
    raised = type(evidence[-1].error).__name__
    return Fault(kind, f"its key could not be had ({raised})", sent=False, error=error)


def _asks(frame: FrameType) -> bool:
    return frame.f_code.co_name.endswith(_ASKING.get(home(frame), ()))
