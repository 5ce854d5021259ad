"""AWS clients repeat by themselves what failed, as they were told when they were made.

A botocore client can't be told otherwise later. Its repetitions are a handler of an event, so a client that shares all
but its events with the first one, and lacks that handler, sends each call once. Nothing of botocore is imported.
"""

from __future__ import annotations

from copy import copy
from typing import Any


def without_retries(client: Any) -> Any:
    """A botocore client that does what this one does, once; the same if it is none. The given one stays as it is."""
    meta, endpoint = _part(client, "meta"), _part(client, "_endpoint")
    events, model = getattr(meta, "events", None), getattr(meta, "service_model", None)
    if endpoint is None or events is None or model is None:
        return client
    name, own, sent_once = model.service_id.hyphenize(), copy(events), copy(endpoint)
    own.unregister(f"needs-retry.{name}", unique_id=f"retry-config-{name}")
    sent_once._event_emitter = own
    twin = object.__new__(type(client))  # to copy it would ask for attributes that it looks up in what it lacks yet
    twin.__dict__.update(client.__dict__, _endpoint=sent_once)
    return twin


def config_without_retries(config: Any) -> Any:
    """A botocore configuration like this one for clients that send each call once; the same if it is none."""
    merge = getattr(config, "merge", None)
    return config if merge is None else merge(type(config)(retries={"total_max_attempts": 1}))


def _part(thing: Any, name: str) -> Any:
    """An attribute that is there: a botocore client answers for others with an event."""
    return getattr(thing, "__dict__", {}).get(name)
