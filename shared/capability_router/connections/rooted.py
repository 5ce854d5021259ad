"""SDK clients that repeat by themselves, made to send once, whichever provider they are of.

Most are generated alike and have `with_options`. Others (Zhipu's, AI21's) are a client whose parts hold it: of these a
second root is made, over the same connections, with parts of its own. No SDK is imported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from typing import Any

from capability_router.connections.shared_clients import without_end

_log = logging.getLogger(__name__)


def sending_once(client: Any) -> Any:
    """A client that does what this one does, once, over the same connections; the same if it repeats nothing."""
    repeats, single = getattr(client, "max_retries", 0), _unrepeated(client)
    if not (type(repeats) is int and repeats > 0) and single is None:
        return client
    try:
        renew = getattr(client, "with_options", None)
        return renew(max_retries=0) if callable(renew) else _second_root(client, single)
    except Exception as error:  # noqa: BLE001 - an unknown class may raise anything; its retries are then its own
        _log.warning("%s keeps its own retries (%s)", type(client).__name__, type(error).__name__)
        return client


def _second_root(client: Any, single: Callable[..., Any] | None) -> Any:
    quiet = without_end(copy(client))
    if single is None:
        quiet.max_retries = 0
    else:
        quiet._request = single
    for name, part in vars(client).items():
        if getattr(part, "_client", None) is client:
            setattr(quiet, name, type(part)(quiet))
    return quiet


def _unrepeated(client: Any) -> Callable[..., Any] | None:
    """What sends, behind tenacity's decorators: around a coroutine there are two."""
    send = outer = getattr(client, "__dict__", {}).get("_request")
    while hasattr(send, "retry") and callable(once := getattr(send, "__wrapped__", None)):
        send = once
    return None if send is outer else send
