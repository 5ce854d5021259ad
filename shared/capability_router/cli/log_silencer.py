"""What a command shows itself is not also logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silence() -> Iterator[None]:
    """The router's and the adapters' logs say nothing inside."""

    def none(_: logging.LogRecord) -> bool:
        return False

    logs = [logging.getLogger(name) for name in ("capability_router", "langchain_router", "llamaindex_router")]
    for each in logs:
        each.addFilter(none)
    try:
        yield
    finally:
        for each in logs:
            each.removeFilter(none)
