from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from capability_router.simulator.reading.question import PromptQuestion
from capability_router.simulator.reading.schema import Filler

TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict, "null": type(None)}

leaves = st.one_of(
    st.sampled_from([{"type": t} for t in ("string", "integer", "number", "boolean", "null")]),
    st.lists(st.text(max_size=5), min_size=1, max_size=3).map(lambda values: {"enum": values}),
    st.integers().map(lambda value: {"const": value}),
    st.tuples(st.integers(0, 5), st.integers(0, 5)).map(
        lambda span: {"type": "integer", "minimum": span[0], "maximum": span[0] + span[1]}
    ),
    st.integers(0, 9).map(lambda least: {"type": "string", "minLength": least, "maxLength": least + 3}),
)
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("abcdef"), inner, max_size=3).map(
            lambda p: {"type": "object", "properties": p, "required": sorted(p)}
        ),
        inner.map(lambda item: {"type": "array", "items": item, "minItems": 1}),
        inner.map(lambda item: {"anyOf": [item, {"type": "null"}]}),
    ),
    max_leaves=8,
)


def fits(value: Any, schema: dict[str, Any]) -> bool:
    if "anyOf" in schema:
        return any(fits(value, option) for option in schema["anyOf"])
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return value in schema["enum"]
    kind = schema["type"]
    if kind == "object":
        return all(fits(value[n], schema["properties"][n]) for n in schema["required"])
    if kind == "array":
        return len(value) >= schema.get("minItems", 0) and all(fits(v, schema["items"]) for v in value)
    if kind in ("integer", "number"):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    if kind == "string":
        return isinstance(value, str) and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**6)
    return isinstance(value, TYPES[kind])


def asked(text: str) -> PromptQuestion:
    return PromptQuestion(text, "", "chat", text)


@given(schemas, st.text(max_size=80), st.booleans())
def test_values_fit_their_schema(schema: dict[str, Any], text: str, wrong: bool) -> None:
    assert fits(Filler(asked(text), schema, wrong=wrong).fill(schema), schema)


def test_references_and_recursion() -> None:
    properties = {"v": {"type": "integer"}, "n": {"$ref": "#/$defs/node"}}
    node = {"type": "object", "properties": properties, "required": ["v", "n"]}
    schema = {"$defs": {"node": node}, "$ref": "#/$defs/node"}
    assert Filler(asked("5"), schema).fill(schema)["v"] == 5
    assert Filler(asked("x")).fill({"$ref": "#/nowhere"}) is not None


def test_values_come_from_the_text() -> None:
    text = "Book a table at 'Chez Nous' for 4 people on 2026-05-01 in Paris, email ada@example.org, size: large"
    schema = {
        "type": "object",
        "properties": {
            "people": {"type": "integer"}, "restaurant": {"type": "string"},
            "day": {"type": "string", "format": "date"}, "city": {"type": "string"}, "email": {"type": "string"},
            "size": {"enum": ["small", "large"]},
        },
        "required": ["people", "restaurant", "day", "city", "email", "size"],
    }  # fmt: skip
    assert Filler(asked(text)).fill(schema) == {
        "people": 4, "restaurant": "Chez Nous", "day": "2026-05-01", "city": "Paris", "email": "ada@example.org",
        "size": "large",
    }  # fmt: skip


def test_optional_properties_are_left_out_unless_stated() -> None:
    schema = {
        "type": "object", "required": ["city"],
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "default": "C"}},
    }  # fmt: skip
    assert Filler(asked("Weather in Rome")).fill(schema) == {"city": "Rome"}
    assert Filler(asked("Weather in Rome, unit: F")).fill(schema) == {"city": "Rome", "unit": "F"}
