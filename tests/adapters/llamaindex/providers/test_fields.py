"""A field of what an integration answers is read wherever its class keeps it."""

from __future__ import annotations

from collections import ChainMap
from types import SimpleNamespace

import pytest
from pydantic import BaseModel, ConfigDict, PrivateAttr

from llamaindex_router.messages.fields import field, possible_fields


class Kept(BaseModel):
    """As clients make theirs: own fields, a property, something private, and what it does not know."""

    model_config = ConfigDict(extra="allow")
    total: int = 1
    _hidden: int = PrivateAttr(2)

    @property
    def usage(self) -> int:
        return 3


class Answering(BaseModel):
    """Has its own way to find a name."""

    def __getattr__(self, name: str) -> str:
        return f"found {name}"


@pytest.mark.parametrize("name", ["total", "_hidden", "usage", "more", "missing", "model_dump", "_missing"])
def test_a_field_of_a_model_is_what_python_finds(name: str) -> None:
    for thing in (Kept(more=4), Kept.model_construct(more=4), Kept.model_construct()):
        assert field(thing, name) == getattr(thing, name, None)


def test_a_field_is_found_wherever_a_thing_keeps_it() -> None:
    assert field(Answering(), "usage") == "found usage"
    assert field(ChainMap({"usage": 5}), "usage") == 5
    assert field(SimpleNamespace(usage=6), "usage") == 6
    assert [field(thing, "usage") for thing in (SimpleNamespace(), {}, None, "text")] == [None] * 4


NAMES = ("total", "usage", "more", "missing", "_hidden")


def test_what_a_class_never_has_is_not_looked_for() -> None:
    assert possible_fields(Kept(), NAMES) == ("total", "usage", "_hidden")
    for thing in (Kept(more=4), Answering(), ChainMap({"usage": 5}), SimpleNamespace(usage=6), {}):
        assert possible_fields(thing, NAMES) == NAMES


@pytest.mark.parametrize("thing", [Kept(), Kept(more=4), Kept.model_construct(more=4)])
def test_nothing_is_left_out_that_is_there(thing: Kept) -> None:
    told = {name for name in NAMES if field(thing, name) is not None}
    assert told <= set(possible_fields(thing, NAMES))
