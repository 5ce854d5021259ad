"""Switches off the retries of AWS clients, which are configured when a client is made.

A botocore client can't be reconfigured later. Its retries are an event handler, so a client that shares everything but
the events with the first one, and lacks that handler, sends each call once. Nothing of botocore is imported.
"""

from __future__ import annotations

from copy import copy
from typing import Any


def without_retries(client: Any) -> Any:
    """A botocore client like this one that sends each call once; anything else is returned as it is.

    The given client is unchanged.
    """
    meta, endpoint = _part(client, "meta"), _part(client, "_endpoint")
    events, model = getattr(meta, "events", None), getattr(meta, "service_model", None)
    if endpoint is None or events is None or model is None:
        return client
    name, own, sent_once = model.service_id.hyphenize(), copy(events), copy(endpoint)
    own.unregister(f"needs-retry.{name}", unique_id=f"retry-config-{name}")
    sent_once._event_emitter = own
    twin = object.__new__(type(client))  # `copy` would look up attributes that the new object does not have yet
    twin.__dict__.update(client.__dict__, _endpoint=sent_once)
    return twin


def config_without_retries(config: Any) -> Any:
    """A botocore configuration like this one for clients that send each call once; the same object if it is none."""
    merge = getattr(config, "merge", None)
    return config if merge is None else merge(type(config)(retries={"total_max_attempts": 1}))


def _part(thing: Any, name: str) -> Any:
    """An attribute that exists: for any other name a botocore client emits an event."""
    return getattr(thing, "__dict__", {}).get(name)
