"""A JSON schema in the strict form of OpenAI's structured outputs, to which the model is then held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DROPPED = frozenset({"default", "examples"})  # say nothing of which answers fit, and the strict form has none of them
_KEPT = frozenset({
    "type", "title", "description", "enum", "const", "pattern", "format", "multipleOf", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems",
})  # fmt: skip
_READ = frozenset({"$ref", "$defs", "properties", "required", "additionalProperties", "items", "anyOf"})
_FORMATS = frozenset({"date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_DEFS = "#/$defs/"


class _UnsupportedSchema(Exception):
    """The schema has something that the strict form can't express."""


def strict_form(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same objects, each closed and with all its fields required; None if the strict form can't express them.

    Free keys, tuples and unions of several objects can't be: a server would reject the call.
    """
    try:
        whole = _StrictConverter(schema.get("$defs", {})).node(schema)
    except _UnsupportedSchema:
        return None
    return whole if whole.get("type") == "object" else None


class _StrictConverter:
    """Converts a schema's nodes. `within`: the definitions that are being written in place of their reference."""

    __slots__ = ("_defs",)

    def __init__(self, defs: Mapping[str, Any]) -> None:
        self._defs = defs

    def node(self, node: Any, within: tuple[str, ...] = ()) -> dict[str, Any]:
        if not isinstance(node, Mapping) or not node.keys() <= _DROPPED | _KEPT | _READ:
            raise _UnsupportedSchema
        told = {key: value for key, value in node.items() if key not in _DROPPED}
        if "$ref" in told:
            return self._reference(told, within)
        if not ("type" in told or "anyOf" in told) or told.get("format", "date") not in _FORMATS:
            raise _UnsupportedSchema
        if told.get("type") == "object":
            told |= self._object(told, within)
        elif told.get("type") == "array":
            told["items"] = self.node(told.get("items"), within)
        if "anyOf" in told:
            told["anyOf"] = self._union(told["anyOf"], within)
        if "$defs" in told:
            told["$defs"] = {name: self.node(one) for name, one in told["$defs"].items()}
        return told

    def _reference(self, told: dict[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
        ref = str(told.pop("$ref"))
        if not told:
            return {"$ref": ref}
        meant = self._defs.get(ref.removeprefix(_DEFS))
        if meant is None or ref in within:
            raise _UnsupportedSchema
        return self.node({**meant, **told}, (*within, ref))  # nothing may stand beside a reference

    def _object(self, told: Mapping[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
        properties = told.get("properties")
        if not properties or told.get("additionalProperties", False) is not False:
            raise _UnsupportedSchema
        fields = {name: self.node(one, within) for name, one in properties.items()}
        return {"properties": fields, "required": list(fields), "additionalProperties": False}

    def _union(self, members: Any, within: tuple[str, ...]) -> list[dict[str, Any]]:
        told = [self.node(member, within) for member in members]
        if sum("$ref" in member or member.get("type") == "object" for member in told) > 1:
            raise _UnsupportedSchema
        return told
