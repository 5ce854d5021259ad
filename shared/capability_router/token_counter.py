"""A real tokenizer in the estimate's place, where the user asks for one and one is at hand.

Its count is the text's; parts and tools are still added by their makers' rules, and what is learned of each model
still applies, because no two makers share a vocabulary. It never stops a call: what fails is said once, and estimated.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from capability_router.errors import ConfigError
from capability_router.features import framing
from capability_router.request import Request

log = logging.getLogger("capability_router")
_VOCABULARY = "o200k_base"
_VOCABULARY_FILE = "fb374d419588a4632f3f557e76b4b70aebbca790"  # its address, hashed: so tiktoken names it
Count = Callable[[Request], int | None]
"""Tokens of the messages, with what is laid around them; None = this request is none of its own."""


class TokenCounter:
    """Asks `count` and estimates where that fails; `name` is for the one warning."""

    def __init__(self, count: Count, name: str) -> None:
        self._count, self._name, self._failed = count, name, False

    def __call__(self, request: Request) -> int | None:
        """The count, None to estimate. Requests with attached parts are estimated: counters may fetch those."""
        if request.media:
            return None
        try:
            count = self._count(request)
            return None if count is None else _whole(count)
        except Exception as error:  # noqa: BLE001 - whatever a foreign tokenizer raises, the call goes on
            self._failure(type(error).__name__)
            return None

    def _failure(self, told: str) -> None:
        if not self._failed:
            self._failed = True
            log.warning("the token counter %s failed (%s); tokens are estimated where it does", self._name, told)


def _whole(count: object) -> int:
    if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
        return count
    raise TypeError("a token counter gives a whole number, 0 or more")


def counter_of(setting: Any) -> TokenCounter | None:
    """The counter for the setting `tokens.counter`; None = estimate, or the adapter brings it ("model")."""
    if callable(setting):
        return TokenCounter(_by_text(setting), getattr(setting, "__name__", type(setting).__name__))
    return _tiktoken() if setting == "tiktoken" else None


def _by_text(count: Callable[[str], int]) -> Count:
    return lambda request: sum(_whole(count(text)) for text in request.counted) + framing(request)


def _tiktoken() -> TokenCounter | None:
    """OpenAI's vocabulary, if tiktoken is installed and has it on disk: nothing is ever downloaded."""
    try:
        import tiktoken
    except ImportError:
        raise ConfigError("tokens.counter: tiktoken is not installed; install it, or leave the counter out") from None
    if not _cached().is_file():
        log.warning("tokens.counter is tiktoken, but its vocabulary is not in its cache; tokens are estimated")
        return None
    encoding = tiktoken.get_encoding(_VOCABULARY)
    return TokenCounter(_by_text(lambda text: len(encoding.encode_ordinary(text))), "tiktoken")


def _cached() -> Path:
    """Where tiktoken looks for the vocabulary before it would download it."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    return Path(folder or Path(tempfile.gettempdir(), "data-gym-cache"), _VOCABULARY_FILE)
