from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from loopback.chat_server import ChatServer


@pytest.fixture
def two() -> Iterator[Callable[[Any, Any], tuple[ChatServer, ChatServer]]]:
    """Starts a server for each of two steps."""
    running: list[ChatServer] = []

    def started(first: Any, second: Any) -> tuple[ChatServer, ChatServer]:
        running.extend((ChatServer(first), ChatServer(second)))
        return running[-2], running[-1]

    yield started
    for server in running:
        server.__exit__()
