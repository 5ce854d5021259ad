"""JSON that is nested deeper than it can be read, as of a model that repeats "[" to its end, is JSON that is broken."""

from __future__ import annotations

import json

import pytest
from langchain_core.messages import AIMessage

from capability_router.endpoints import reply_assembler
from capability_router.endpoints.wire import ToolCallDelta
from langchain_router.messages.broken_json import parser_repairs
from langchain_router.messages.raw_calls import RawCall
from llamaindex_router.messages.tool_calls import ParsedToolCall, arguments_of


def _too_deep() -> int:
    """How deep JSON is that can't be read: Python 3.14 reads as deep as its stack has room for."""
    for depth in (9_000, 20_000, 50_000, 100_000, 1_000_000):
        try:
            json.loads('{"a":' * depth)
        except RecursionError:
            return depth
        except ValueError:
            continue  # read to its end, which is missing
    raise AssertionError("JSON of any depth can be read here")


_DEEP = _too_deep()
deep = pytest.mark.parametrize("deep", ["[" * _DEEP, '{"a":' * _DEEP], ids=["lists", "objects"])


@deep
def test_it_is_a_call_that_breaks_off_to_each_reader(deep: str) -> None:
    assert not reply_assembler.PartialToolCall(ToolCallDelta(0, "id", "look", deep)).well_formed
    assert RawCall("id", "look", deep).broken
    assert ParsedToolCall("id", "look", deep).malformed


@deep
def test_there_is_nothing_to_repair(deep: str) -> None:
    assert arguments_of(deep) == {}
    assert not parser_repairs(AIMessage(deep))
