"""The strings in nested values: all that is text to who gets it, and no bytes."""

from __future__ import annotations

import base64
from typing import Any
from unittest.mock import MagicMock

import pytest
from pydantic import BaseModel

from capability_router.strings import strings

FILE = base64.b64encode(b"a,b\n1,2").decode()
LONG = '{"who": "?>~"}' * 20
LINES = base64.encodebytes(LONG.encode()).decode()
URL_SAFE = base64.urlsafe_b64encode(LONG.encode()).decode().rstrip("=")
IMAGE = base64.b64encode(bytes(range(256)) * 20).decode()


class Sum(BaseModel):
    """What they come to."""

    total: int


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a", ["a"]), ("", []), (None, []), (3, []), (b"\xffbytes", []), ([["a"], ("b",), {"x": "c"}], ["a", "b", "c"]),
        ({"type": "tool_result", "tool_use_id": "t", "content": "a"}, ["a"]),
        ({"source": {"type": "base64", "media_type": "image/png", "data": IMAGE}}, ["image/png"]),
        ({"image_url": {"url": f"data:image/png;base64,{IMAGE}"}}, []),
        ({"url": "https://a/b.png"}, ["https://a/b.png"]),
        ({"mime_type": "text/csv", "base64": FILE}, ["text/csv", FILE, "a,b\n1,2"]),
        ({"mime_type": "text/csv", "file_data": f"data:text/csv;base64,{FILE}"}, ["text/csv", "a,b\n1,2"]),
        ({"media_type": "text/plain", "data": "no base64"}, ["text/plain", "no base64"]),
        ({"file": {"filename": "a.csv", "file_data": f"data:text/csv;base64,{FILE}"}}, ["a.csv", "a,b\n1,2"]),
        ({"url": f"data:image/png;base64,{FILE}"}, []),
        ({"document": {"format": "txt", "source": {"bytes": b"as it is"}}}, ["txt", "as it is"]),
        ({"mime_type": "Text/CSV", "data": FILE.encode()}, ["Text/CSV", FILE, "a,b\n1,2"]),
        ({"mime_type": "application/json", "data": LINES}, ["application/json", LINES, LONG]),
        ({"mime_type": "text/plain", "data": URL_SAFE}, ["text/plain", LONG]),
        (Sum(total=3), []), (MagicMock(), []), (object(), []),
    ],
)  # fmt: skip
def test_what_is_text_is_given_in_order(value: Any, found: list[str]) -> None:
    assert list(strings(value)) == found


def test_a_class_is_read_as_the_schema_that_is_sent_of_it() -> None:
    assert "What they come to." in list(strings({"response_format": Sum}))


def test_what_holds_itself_is_read_once() -> None:
    ring: list[Any] = ["a"]
    ring.append(ring)
    assert list(strings(ring)) == ["a"]
