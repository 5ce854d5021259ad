"""ChatWatsonx's retries, which no field of the model reaches: ten of its SDK at 429, 503, 504 and 520, and around each

of these three of its HTTP transport at 401 and most of 5xx, so that one call may become forty-four.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from capability_router.connections.shared_clients import without_end


def silence(model: Any) -> None:
    """Give the model an SDK object that repeats nothing, over the same connections. Does nothing to other versions."""
    outer: Any = getattr(model, "watsonx_model", None)
    inner: Any = getattr(outer, "_inference", None)
    if getattr(inner, "_retry_decorator", None) is None:
        return
    model.watsonx_model = quiet = copy(outer)
    quiet._inference = _silent(inner)


def _silent(inner: Any) -> Any:
    below, once = copy(inner), copy(inner._retry_decorator)
    once.max_retries = 0
    http, ahttp = map(_sending_once, (inner._client.httpx_client, inner._client.async_httpx_client))
    below._retry_decorator = once
    below._post_with_retry = once.rate_limited_retry(http.post)
    below._stream_with_retry = once.rate_limited_retry_stream(http.stream)
    below._async_post_with_retry = once.rate_limited_async_retry(ahttp.post)
    below._async_stream_with_retry = once.rate_limited_async_retry_stream(ahttp.stream)
    return below


def _sending_once(client: Any) -> Any:
    """An httpx client whose transport repeats nothing; the client itself if its transport is the user's own."""
    if not getattr(getattr(client, "_transport", None), "retries", 0):
        return client
    silent = without_end(copy(client))
    silent._transport = copy(client._transport)
    silent._transport.retries = 0
    return silent
