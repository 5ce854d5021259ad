"""Switches off the retries of an SDK's client, whichever provider it is for.

Most SDKs are generated alike and have `with_options`. In others (Zhipu's, AI21's) the client has parts that refer to
it: there a second client is made, over the same connections, with its own parts. No SDK is imported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from typing import Any

from capability_router.sdks.shared_clients import without_finalizer

_log = logging.getLogger(__name__)


def client_without_retries(client: Any) -> Any:
    """A client like this one that sends each call once, over the same connections.

    The same client if it has no retries, or if they can't be switched off (which is logged).
    """
    repeats, single = getattr(client, "max_retries", 0), _unrepeated(client)
    if not (type(repeats) is int and repeats > 0) and single is None:
        return client
    try:
        renew = getattr(client, "with_options", None)
        return renew(max_retries=0) if callable(renew) else _second_root(client, single)
    except Exception as error:  # noqa: BLE001 - an unknown class may raise anything; then it keeps its retries
        _log.warning("%s keeps its own retries (%s)", type(client).__name__, type(error).__name__)
        return client


def _second_root(client: Any, single: Callable[..., Any] | None) -> Any:
    quiet = without_finalizer(copy(client))
    if single is None:
        quiet.max_retries = 0
    else:
        quiet._request = single
    for name, part in vars(client).items():
        if getattr(part, "_client", None) is client:
            setattr(quiet, name, type(part)(quiet))
    return quiet


def _unrepeated(client: Any) -> Callable[..., Any] | None:
    """The sending function inside tenacity's decorators: a coroutine function has two of them."""
    send = outer = getattr(client, "__dict__", {}).get("_request")
    while hasattr(send, "retry") and callable(once := getattr(send, "__wrapped__", None)):
        send = once
    return None if send is outer else send
