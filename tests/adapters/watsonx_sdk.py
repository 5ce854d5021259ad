"""What stands for ibm_watsonx_ai 1.8: an SDK object that sends a refused call up to 44 times."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx


class Repeating(httpx.HTTPTransport):
    """As IBM's: it sends again by itself."""

    retries = 3

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(self.retries):
            super().handle_request(request).close()
        return super().handle_request(request)


class ARepeating(httpx.AsyncHTTPTransport):
    """The same, asynchronously."""

    retries = 3

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(self.retries):
            await (await super().handle_async_request(request)).aclose()
        return await super().handle_async_request(request)


class Ending(httpx.Client):
    """As IBM's: it closes its connections when it goes."""

    def __del__(self) -> None:
        self.close()


class Decorator:
    """As IBM's, around what the transport does."""

    max_retries: int | None = None

    def rate_limited_retry(self, send: Any) -> Any:
        def again(*args: Any, **kwargs: Any) -> Any:
            for _ in range(10 if self.max_retries is None else self.max_retries):
                send(*args, **kwargs)
            return send(*args, **kwargs)

        return again

    def rate_limited_async_retry(self, send: Any) -> Any:
        async def again(*args: Any, **kwargs: Any) -> Any:
            for _ in range(10 if self.max_retries is None else self.max_retries):
                await send(*args, **kwargs)
            return await send(*args, **kwargs)

        return again

    rate_limited_retry_stream, rate_limited_async_retry_stream = rate_limited_retry, rate_limited_async_retry


def model_inference() -> Any:
    """As a `ModelInference`."""
    told = Decorator()
    api = SimpleNamespace(
        httpx_client=Ending(transport=Repeating()), async_httpx_client=httpx.AsyncClient(transport=ARepeating())
    )
    inner = SimpleNamespace(
        _client=api, _retry_decorator=told, _post_with_retry=told.rate_limited_retry(api.httpx_client.post),
        _async_post_with_retry=told.rate_limited_async_retry(api.async_httpx_client.post),
    )  # fmt: skip
    return SimpleNamespace(_inference=inner)
