"""Switches off the retries of watsonx's SDK, which no setting of the wrappers around it reaches.

It makes ten retries of its own at 429, 503, 504 and 520, and in each of these three of its HTTP transport at 401 and
most of 5xx, so one call may become forty-four. Nothing of the SDK is imported.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from capability_router.sdks.shared_clients import without_finalizer


def model_without_retries(model: Any) -> Any:
    """An SDK object like this `ModelInference` that sends each call once, over the same connections; the same if it is
    none.
    """
    inner: Any = getattr(model, "_inference", None)
    if getattr(inner, "_retry_decorator", None) is None:
        return model
    quiet = copy(model)
    quiet._inference = _silent(inner)
    return quiet


def _silent(inner: Any) -> Any:
    below, once = copy(inner), copy(inner._retry_decorator)
    once.max_retries = 0
    http, ahttp = map(_transported_once, (inner._client.httpx_client, inner._client.async_httpx_client))
    below._retry_decorator = once
    below._post_with_retry = once.rate_limited_retry(http.post)
    below._stream_with_retry = once.rate_limited_retry_stream(http.stream)
    below._async_post_with_retry = once.rate_limited_async_retry(ahttp.post)
    below._async_stream_with_retry = once.rate_limited_async_retry_stream(ahttp.stream)
    return below


def _transported_once(client: Any) -> Any:
    """An httpx client whose transport has no retries; the client itself if its transport is the user's own."""
    if not getattr(getattr(client, "_transport", None), "retries", 0):
        return client
    silent = without_finalizer(copy(client))
    silent._transport = copy(client._transport)
    silent._transport.retries = 0
    return silent
