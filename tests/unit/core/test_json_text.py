"""One reader of JSON, and one kind of error."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import capability_router
import langchain_router
import llamaindex_router
from capability_router.json_text import breaks_off, parsed, parsed_by, tool_arguments

DEEP = "[" * 100_000


@pytest.mark.parametrize("text", ['{"a": [1, null]}', b'{"a": [1, null]}'])
def test_a_value(text: str | bytes) -> None:
    assert parsed(text) == parsed_by(json.loads, text) == {"a": [1, None]}


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", {}),
        (" ", {}),
        ("null", {}),
        ("[]", {}),
        ('""', {}),
        ('{"a": 1}', {"a": 1}),
        ('{"a": "x\n\ty"}', {"a": "x\n\ty"}),
    ],
)
def test_arguments_of_a_tool_may_be_an_empty_value_and_hold_raw_control_characters(
    text: str, arguments: dict[str, Any]
) -> None:
    assert tool_arguments(text) == arguments


@pytest.mark.parametrize("text", ['{"a": 1', '{"a": 1}}', "{'a': 1}", "[1]", '"x"', DEEP])
def test_what_is_no_object_is_no_arguments(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a JSON object|line 1|too deep"):
        tool_arguments(text)


@pytest.mark.parametrize(
    "text", ['{"a": 1', '{"a": "}', '{"a": "x\\', '{"a": [1}', '"x', "{'a': 1", '{"a": "\\"}', DEEP]
)
def test_a_text_with_an_open_bracket_or_string_breaks_off(text: str) -> None:
    assert breaks_off(text)


@pytest.mark.parametrize("text", ['{"a": 1}}', "{'a': 1}", '"x"', '{"a": "{"}', '{"a": "\\\\"}', '{"a": 1} and'])
def test_one_without_does_not(text: str) -> None:
    assert not breaks_off(text)


@pytest.mark.parametrize("text", [DEEP, DEEP + "]" * len(DEEP)])
def test_too_deep_is_no_json(text: str) -> None:
    for read in (parsed, lambda text: parsed_by(json.JSONDecoder().raw_decode, text)):
        with pytest.raises(ValueError, match="nested too deep") as caught:
            read(text)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["", "{", b"\xff", "nul"])
def test_what_is_no_json_says_where(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"char|decode"):
        parsed(text)


def test_what_the_reader_raises_beside_passes() -> None:
    def read(_: str) -> None:
        raise TypeError("of its own")

    with pytest.raises(TypeError, match="of its own"):
        parsed_by(read, "x")


def test_nobody_else_catches_how_deep_json_is() -> None:
    rooms = [Path(str(package.__file__)).parent for package in (capability_router, langchain_router, llamaindex_router)]
    own = re.compile(r"except \((?:ValueError|JSONDecodeError)(?:, TypeError)?, RecursionError\)")
    found = [path for room in rooms for path in room.rglob("*.py") if own.search(path.read_text(encoding="utf-8"))]
    assert found == []
