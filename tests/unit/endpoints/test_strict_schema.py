"""Which schemas have a strict form, and that it allows the same objects."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import AnyUrl, BaseModel, ConfigDict, Field

from capability_router.endpoints.strict_schema import strict_form


class Kind(Enum):
    BIG = "big"
    SMALL = "small"


class Place(BaseModel):
    """A place."""

    name: str = Field(description="As on a map.")
    size: Kind = Field(default=Kind.BIG, description="How big.")


class Trip(BaseModel):
    day: date
    price: float | None = None
    cost: int = Field(default=3, ge=0)
    via: list[Place] = []
    end: Place = Field(description="Where it ends.")
    note: Literal["a", "b"] = "a"


class Node(BaseModel):
    value: int
    next: Node | None = None


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Free(BaseModel):
    by_name: dict[str, int]


class Untyped(BaseModel):
    a: Any


class Listed(BaseModel):
    a: list  # type: ignore[type-arg]  # of anything, as people write it


class Paired(BaseModel):
    a: tuple[int, str]


class Either(BaseModel):
    pet: Cat | Dog


class Told(BaseModel):
    pet: Cat | Dog = Field(discriminator="kind")


class Page(BaseModel):
    url: AnyUrl


class Linked(BaseModel):
    value: int
    next: Linked | None = Field(default=None, description="The next.")


class Empty(BaseModel):
    pass


class Outer(BaseModel):
    inner: Free


def test_every_object_is_closed_and_all_its_fields_are_required() -> None:
    told = strict_form(Trip.model_json_schema())
    assert told is not None
    place = told["$defs"]["Place"]
    for one in (told, place, told["properties"]["end"]):
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
    assert "default" not in str(told)
    assert told["properties"]["via"]["items"] == {"$ref": "#/$defs/Place"}
    assert told["properties"]["cost"] == {"minimum": 0, "title": "Cost", "type": "integer"}


def test_nothing_stands_beside_a_reference_and_no_description_is_lost() -> None:
    told = strict_form(Trip.model_json_schema())
    assert told is not None
    assert (told["properties"]["end"]["description"], told["properties"]["end"]["type"]) == ("Where it ends.", "object")
    size = told["$defs"]["Place"]["properties"]["size"]
    assert (size["description"], size["enum"]) == ("How big.", ["big", "small"])


@pytest.mark.parametrize("kind", [Node, Linked])
def test_a_class_that_refers_to_itself_has_a_strict_form(kind: type[BaseModel]) -> None:
    told = strict_form(kind.model_json_schema())
    assert told is not None
    assert (told["type"], told["required"]) == ("object", ["value", "next"])


def test_the_schema_that_was_given_is_left_alone() -> None:
    schema = Trip.model_json_schema()
    strict_form(schema)
    assert schema == Trip.model_json_schema()


@pytest.mark.parametrize("kind", [Open, Free, Untyped, Listed, Paired, Either, Told, Page, Empty, Outer])
def test_what_a_server_would_reject_has_none(kind: type[BaseModel]) -> None:
    assert strict_form(kind.model_json_schema()) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}},
        {"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}}]},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/None", "description": "b"}}},
        {"type": "object", "properties": {"a": {"allOf": [{"type": "string"}]}}},
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A", "description": "d"}},
            "$defs": {"A": {"$ref": "#/$defs/A", "title": "t"}},
        },
        {},
    ],
)
def test_neither_has_one_whose_root_is_no_object_or_that_refers_to_nothing(schema: dict[str, Any]) -> None:
    assert strict_form(schema) is None
