"""SDK clients that repeat by themselves, by their shapes: Stainless', Zhipu's, AI21's."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from tenacity import AsyncRetrying, Retrying, retry_if_result, stop_after_attempt

from capability_router.sdks.client_retries import client_without_retries


class Part:
    """A resource of a client; it keeps the client's method, as Zhipu's do."""

    def __init__(self, client: Any) -> None:
        self._client, self._post = client, client.post


class Zhipu:
    """Repeats at any status from 500, and closes its connections when it goes."""

    def __init__(self, max_retries: int) -> None:
        self.max_retries, self.sent = max_retries, list[int]()
        self.chat, self.files = Part(self), Part(self)

    def post(self) -> int:
        self.sent.extend([500] * (1 + self.max_retries))
        return self.sent[-1]

    def __del__(self) -> None:
        self.sent.append(-1)


class Jurassic:
    """Tenacity around what sends; AsyncRetrying wraps it twice in some versions."""

    def __init__(self, retrying: type[Retrying] | type[AsyncRetrying]) -> None:
        self.sent = list[int]()
        again = retrying(stop=stop_after_attempt(3), retry=retry_if_result(lambda status: status == 500))
        self._request: Any = again.wraps(self._asend if retrying is AsyncRetrying else self._send)
        self.chat = Part(self)

    def _send(self) -> int:
        self.sent.append(500)
        return 500

    async def _asend(self) -> int:
        return self._send()

    def post(self) -> Any:
        return self._request()


def test_a_client_whose_parts_hold_it_gets_a_second_root_over_the_same_connections() -> None:
    loud = Zhipu(3)
    quiet = client_without_retries(loud)
    assert quiet.chat._post() == 500
    assert loud.sent == [500]
    assert loud.max_retries == 3
    assert loud.chat._client is loud
    del quiet
    gc.collect()  # it and its parts hold each other
    assert loud.sent == [500]


def test_what_sends_stands_behind_its_decorators() -> None:
    loud, aloud = Jurassic(Retrying), Jurassic(AsyncRetrying)
    assert client_without_retries(loud).chat._post() == 500
    assert asyncio.run(client_without_retries(aloud).chat._post()) == 500
    assert (loud.sent, aloud.sent) == ([500], [500])


def test_a_client_that_repeats_nothing_stays_as_it_is() -> None:
    for client in (Zhipu(0), object(), None):
        assert client_without_retries(client) is client


def test_a_client_that_can_not_be_renewed_keeps_its_retries() -> None:
    class Stubborn(Zhipu):
        def with_options(self, **_: Any) -> Any:
            raise TypeError("more than its options are wanted")

    client = Stubborn(2)
    assert client_without_retries(client) is client
