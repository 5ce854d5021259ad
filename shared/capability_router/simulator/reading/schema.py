"""Values for a JSON schema, taken from the words of the prompt where the types fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from capability_router.simulator.reading.arithmetic import expression
from capability_router.simulator.reading.prose import cjk_runs, joined, keywords, passage, sentences, summary
from capability_router.simulator.reading.question import PromptQuestion

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w]|\.\d)")
_QUOTED = re.compile(
    r"\"([^\"\n]{1,120})\"|“([^”\n]{1,120})”|「([^」\n]{1,120})」|(?<!\w)'([^'\n]{1,120})'(?!\w)|`([^`\n]{1,120})`"
)
_NAMES = re.compile(r"(?<![.!?\n]\s)(?<!^)\b[A-Z][\w'’-]+(?:\s+(?:[A-Z][\w'’-]+|of|de|van)(?=\s+[A-Z]|\b))*")
_PLACE = re.compile(r"\b(?:in|at|for|from|to|near)\s+([A-Z][\w'’-]+(?:[ ,]+[A-Z][\w'’-]+)*)")
_FORMATS = {
    "date": (re.compile(r"\b\d{4}-\d{2}-\d{2}\b"), "2026-01-01"),
    "date-time": (re.compile(r"\b\d{4}-\d{2}-\d{2}T[\d:.]+Z?"), "2026-01-01T00:00:00Z"),
    "email": (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w"), "someone@example.com"),
    "uri": (re.compile(r"https?://[^\s)\"'>]+"), "https://example.com/"),
    "uuid": (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "00000000-0000-4000-8000-000000000000"),
    "time": (re.compile(r"\b\d{2}:\d{2}(?::\d{2})?\b"), "12:00:00"),
}
_FORMAT_OF = {"email": "email", "url": "uri", "date": "date", "day": "date", "time": "time"}
_PLACES = ("city", "location", "place", "country", "town", "region", "destination", "origin")
_ASKING = ("query", "question", "input", "prompt", "topic", "search", "request", "q")
_TELLING = ("answer", "response", "explanation", "reason", "description", "result", "output", "evidence", "rationale")
_DEEP = 8


class Filler:
    """Fills one schema (or several in a row) from one prompt; numbers and quotations are used up in order."""

    def __init__(self, asked: PromptQuestion, root: Mapping[str, Any] | None = None, *, wrong: bool = False) -> None:
        self._asked, self._root, self._wrong = asked, root or {}, wrong
        question = asked.question if len(asked.question) > 3 else asked.whole
        self._text = f"{asked.found}\n{question}" if asked.found else question  # newer knowledge goes first
        self._numbers = [float(n) if "." in n else int(n) for n in _NUMBER.findall(self._text)]
        self._quoted = ["".join(groups) for groups in _QUOTED.findall(question)]

    def fill(self, schema: Mapping[str, Any], name: str = "", depth: int = 0) -> Any:
        """A value that fits the schema."""
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._enum(schema["enum"])
        kind = _kind(schema)
        if depth > _DEEP and kind in ("object", "array"):
            return {} if kind == "object" else []
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        return self._leaf(kind, schema, name)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        for _ in range(_DEEP):
            reference = schema.get("$ref")
            options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
            if reference:
                schema = self._referred(str(reference))
            elif options:
                rest = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf", "allOf")}
                schema = {**rest, **next((o for o in options if o.get("type") != "null"), options[0])}
            else:
                break
        return schema

    def _referred(self, reference: str) -> Mapping[str, Any]:
        node: Any = self._root
        for step in reference.lstrip("#/").split("/"):
            node = node.get(step, {}) if isinstance(node, Mapping) else {}
        return node if isinstance(node, Mapping) else {}

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = schema.get("required", [])
        wanted = [n for n in properties if n in required or (not required and "default" not in properties[n])]
        wanted += [n for n in properties if n not in wanted and self._stated(n)]
        return {n: self.fill(properties[n], n, depth + 1) for n in properties if n in wanted}

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        item = self._resolved(schema.get("items") or {"type": "string"})
        least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
        found = self._several(_kind(item), item) or [self.fill(item, name, depth + 1)]
        while len(found) < least:
            found.append(self.fill(item, name, depth + 1))
        return found[: max(most, least, 1)]

    def _several(self, kind: str, item: Mapping[str, Any]) -> list[Any]:
        """The names or numbers in the text, when any string or number will do."""
        if item.keys() & {"const", "enum", "format", "minLength", "maxLength"}:
            return []
        if kind == "string":
            return list(self._named() or keywords(self._text))
        return [self._number(kind, item) for _ in tuple(self._numbers)] if kind in ("integer", "number") else []

    def _leaf(self, kind: str, schema: Mapping[str, Any], name: str) -> Any:
        if kind in ("integer", "number"):
            return self._number(kind, schema, name)
        if kind == "boolean":
            return (re.search(r"\b(?:not|no|false|without|off)\b", self._text, re.I) is None) != self._wrong
        return None if kind == "null" else self._string(schema, name)

    def _enum(self, values: list[Any]) -> Any:
        low = self._asked.whole.lower()
        fits = [v for v in values if str(v).lower() in low] or list(values)
        return fits[0] if not self._wrong else next((v for v in values if v != fits[0]), fits[0])

    def _number(self, kind: str, schema: Mapping[str, Any], name: str = "") -> float | int:
        stated = _NUMBER.search(self._stated(name))
        number: float | int = float(stated.group()) if stated else self._numbers.pop(0) if self._numbers else 3
        number = number + 1 if self._wrong else number
        number = min(max(number, schema.get("minimum", number)), schema.get("maximum", number))
        return int(number) if kind == "integer" or number == int(number) else number

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        text = self._stated(name) or self._formatted(schema, name) or self._worded(name.lower())
        if self._wrong:
            text = "unknown" if not schema.get("format") else text
        text = text.ljust(schema.get("minLength", 0), ".")
        return text[: schema.get("maxLength", 2_000)]

    def _stated(self, name: str) -> str:
        """What the text says of a property by its name: "age: 36", "age is 36", "age = 36"."""
        plain = re.escape(name.replace("_", " ")).replace(r"\ ", "[ _]")
        pattern = rf"\b{plain}\"?\s*(?::|=|\bis\b|\bof\b)\s*([^,;\n?]{{1,120}})"
        found = re.search(pattern, self._text, re.I) if name else None
        return found.group(1).strip(" .\"'") if found else ""

    def _formatted(self, schema: Mapping[str, Any], name: str) -> str:
        form = _FORMATS.get(schema.get("format") or _FORMAT_OF.get(name.lower(), ""))
        found = form[0].search(self._asked.whole) if form else None
        if found:
            return found.group()
        return form[1] if form and schema.get("format") else ""

    def _worded(self, name: str) -> str:
        if self._quoted:
            return self._quoted.pop(0)
        if "expression" in name or "formula" in name:
            return expression(self._text) or self._text
        if name in _ASKING:
            return self._asked.question
        place = _PLACE.search(self._text)
        if place and any(word in name for word in _PLACES):
            return place.group(1).rstrip(", ")
        return self._told(name) or self._any_words()

    def _told(self, name: str) -> str:
        choices = sentences(self._asked.material)
        if choices and "summary" in name:
            return joined(summary(choices))
        return joined(passage(self._asked.question, choices)) if name in _TELLING else ""

    def _any_words(self) -> str:
        found = cjk_runs(self._text) or self._named() or keywords(self._text) or [self._asked.question[:80]]
        return found[0] if found[0] else "text"

    def _named(self) -> list[str]:
        return list(dict.fromkeys(m.group() for m in _NAMES.finditer(self._text)))


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if kind is None:
        return "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)
