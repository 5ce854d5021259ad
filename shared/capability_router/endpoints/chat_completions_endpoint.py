"""The built-in clients as an Endpoint of the core: makes the calls of one Chat Completions request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from capability_router.endpoints.errors import EndpointError
from capability_router.endpoints.exchange import Exchange
from capability_router.endpoints.openai_compatible import OpenAICompatible
from capability_router.endpoints.timeouts import TimeoutsLike
from capability_router.errors import ConfigError
from capability_router.faults import Fault, classify
from capability_router.faults.key_errors import key_fault
from capability_router.request import Request


class Chosen(Protocol):
    """The candidate to call."""

    @property
    def id(self) -> str:
        """The model card's id."""
        ...


class LaunchLike(Protocol):
    """The parts of a Launch that are needed here."""

    @property
    def candidate(self) -> Chosen:
        """The candidate to call."""
        ...

    @property
    def timeouts(self) -> TimeoutsLike:
        """The attempt's four timeouts."""
        ...


class ChatCompletionsEndpoint:
    """Makes the attempts of one request over the clients in `clients` (candidate id -> client).

    The request's payload is a Chat Completions body, as `request_from_chat` makes it. The chunks
    are Deltas.
    """

    def __init__(
        self, request: Request, clients: Mapping[str, OpenAICompatible],
        classify: Callable[[BaseException], Fault] = classify,
    ) -> None:  # fmt: skip
        if not isinstance(request.payload, Mapping):
            raise ConfigError("the request's payload must be a Chat Completions body; make it with request_from_chat")
        self._request, self._clients, self._classify = request, clients, classify

    def __repr__(self) -> str:
        return f"ChatCompletionsEndpoint({self._request!r}, {list(self._clients)})"

    def start(self, launch: LaunchLike) -> Exchange:
        """An attempt on the launch's candidate. Nothing is sent before its chunks are iterated."""
        client = self._clients.get(launch.candidate.id)
        if client is None:
            raise ConfigError(f"model {launch.candidate.id!r} has no endpoint; known: {', '.join(self._clients)}")
        return client.start(self._request.payload, stream=self._request.stream, timeouts=launch.timeouts)

    def fault(self, error: BaseException) -> Fault | None:
        """The error as a fault of the server or its key; None if it is none (a cancellation, a body not in JSON)."""
        return self._classify(error) if isinstance(error, EndpointError) else key_fault(error)
