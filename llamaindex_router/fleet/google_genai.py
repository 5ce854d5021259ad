"""What GoogleGenAI leaves out of its streams: the end.

Gemini often ends a stream with a chunk that has a terminal reason and the final counts but no parts, and
the integration passes on only chunks with parts. Without that end a whole answer can't be told from one
that was cut off, so the client below notes it in the attempt's channel on its way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from inspect import isawaitable
from typing import Any

from capability_router.sdks.google_retries import config_without_retries
from llamaindex_router.side_channel import current_channel


class ObservedClient:
    """A google-genai client, sync or async, that does what it did, once, and notes how streams end."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def aio(self) -> ObservedClient:
        """The asynchronous side."""
        return ObservedClient(self._client.aio)

    @property
    def chats(self) -> ObservedChats:
        """The chats, overheard."""
        return ObservedChats(self._client.chats)

    @property
    def models(self) -> ObservedModels:
        """The models, by which objects are streamed, overheard."""
        return ObservedModels(self._client.models)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class ObservedChats:
    """Makes chats whose streams are overheard."""

    def __init__(self, chats: Any) -> None:
        self._chats = chats

    def create(self, **settings: Any) -> ObservedChat:
        """A chat, each message of which is sent once."""
        config = config_without_retries(settings.get("config"))
        return ObservedChat(self._chats.create(**{**settings, "config": config}))


class ObservedModels:
    """Calls outside of chats."""

    def __init__(self, models: Any) -> None:
        self._models = models

    def generate_content_stream(self, **request: Any) -> Any:
        """The chunks, or in async what gives them when awaited."""
        return _overheard(self._models.generate_content_stream(**_once(request)))

    def generate_content(self, **request: Any) -> Any:
        """The reply, or in async what gives it when awaited."""
        return self._models.generate_content(**_once(request))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._models, name)


class ObservedChat:
    """One chat. Each chunk of a stream is noted when it is pulled, which happens inside the attempt."""

    def __init__(self, chat: Any) -> None:
        self._chat = chat

    def send_message_stream(self, *given: Any, **options: Any) -> Any:
        """The chunks, or in async what gives them when awaited."""
        return _overheard(self._chat.send_message_stream(*given, **options))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chat, name)


def _once(request: dict[str, Any]) -> dict[str, Any]:
    return {**request, "config": config_without_retries(request.get("config"))}


def _overheard(opened: Any) -> Any:
    return _awaited(opened) if isawaitable(opened) else _noted(opened)


def _noted(chunks: Iterator[Any]) -> Iterator[Any]:
    for chunk in chunks:
        _note(chunk)
        yield chunk


async def _awaited(opened: Any) -> AsyncIterator[Any]:
    return _anoted(await opened)


async def _anoted(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for chunk in chunks:
        _note(chunk)
        yield chunk


def _note(chunk: Any) -> None:
    current_channel().overheard = True
    candidates = getattr(chunk, "candidates", None)
    blocked = getattr(getattr(chunk, "prompt_feedback", None), "block_reason", None)
    if blocked or (candidates and getattr(candidates[0], "finish_reason", None)):
        current_channel().end = chunk
