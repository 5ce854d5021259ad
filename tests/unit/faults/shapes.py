"""Exceptions built from their description: the names of the classes, the attributes, the answer behind them."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

NOW = 1_792_567_680.0  # Wed, 21 Oct 2026 07:28:00 GMT
CASES: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "corpus.jsonl").read_text("utf-8").splitlines()
]


class Headers:
    """A case-blind mapping as HTTP clients have it, without being a dict."""

    def __init__(self, pairs: Mapping[str, str]) -> None:
        self._pairs = pairs

    def items(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs.items())


class Response:
    """An answer that has been loaded, as httpx and requests keep it."""

    def __init__(self, status_code: int, headers: Mapping[str, str], body: Any) -> None:
        self.status_code, self.headers = status_code, Headers(headers)
        self._content = body.encode() if isinstance(body, str) else json.dumps(body).encode()


def class_of(told: list[str]) -> type[BaseException]:
    """A class with these names in its MRO; the last is a builtin."""
    *ours, last = told
    made: type[BaseException] = getattr(builtins, last.removeprefix("builtins:"))
    for name in reversed(ours):
        module, _, bare = name.partition(":")
        made = type(bare, (made,), {"__module__": module, "__init__": _keep_args})
    return made


def _keep_args(self: BaseException, *args: Any) -> None:
    self.args = args


def build(raised: Mapping[str, Any]) -> BaseException:
    """The exception, with its cause or context."""
    error = class_of(raised["classes"])(*raised.get("args", ()))
    for name, value in raised.get("attrs", {}).items():
        setattr(error, name, value)
    if "response" in raised and not raised.get("response_of_cause"):
        error.response = Response(**raised["response"])  # type: ignore[attr-defined]  # as the clients' errors have it
    if "cause" in raised:
        error.__cause__ = build(raised["cause"])
    if "context" in raised:
        error.__context__ = build(raised["context"])
    error.__suppress_context__ = raised.get("suppress", "cause" in raised)
    return error
