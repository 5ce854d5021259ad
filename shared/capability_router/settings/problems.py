"""Errors of settings: where, what is wrong, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.settings.units import shown

_MANY = 10
Location = tuple[int | str, ...]


def unknown(name: str, known: Iterable[str]) -> str:
    """The name, and the nearest known one or all of them."""
    return f"{name!r}{nearest(name, known)}"


def config_error(error: ValidationError, schema: type[BaseModel], source: str) -> ConfigError:
    """One ConfigError for all that is wrong, a line for each problem, without a value that may be secret."""
    found = error.errors(include_url=False)
    lines = list(dict.fromkeys(_problem(item["type"], item["loc"], item, schema) for item in found))
    more = [f"and {len(lines) - _MANY} more"] if len(lines) > _MANY else []
    prefix = f"{source}: " if source else ""
    return ConfigError(f"\n{' ' * 2}".join([f"{prefix}{lines[0]}", *lines[1:_MANY], *more]))


def _problem(kind: str, place: Location, item: Mapping[str, Any], schema: type[BaseModel]) -> str:
    if kind == "extra_forbidden":
        return _unknown_key(place, schema)
    where = path(place)
    if kind == "value_error":
        return f"{where} {item['ctx']['error']}".strip()
    if kind == "missing":
        return f"{where} is missing"
    wanted = _WANTED.get(kind, "something else")
    block = _block(place, schema) if kind == "model_type" else None
    keys = f" with keys such as {', '.join(list(block.model_fields)[:4])}" if block else ""
    return f"{where} must be {wanted}{keys}, got {shown(item['input'])}"


_WANTED = {
    "model_type": "a mapping", "mapping_type": "a mapping", "dict_type": "a mapping",
    "tuple_type": "a list", "list_type": "a list", "string_type": "a text", "float_type": "a number",
    "float_parsing": "a number",
}  # fmt: skip


def _unknown_key(place: Location, schema: type[BaseModel]) -> str:
    *above, name = place
    block = _block(tuple(above), schema) or schema
    right = home(str(name), schema) if not above else ""
    if right:
        return f"unknown setting {name!r}: it belongs in {right}; write {right}: {{{name}: ...}}"
    return f"{path(place)}: unknown key{nearest(name, block.model_fields)}"


def home(name: str, schema: type[BaseModel]) -> str:
    """The block in which this key would be right; '' = none."""
    blocks = {field: _model(info.annotation) for field, info in schema.model_fields.items()}
    return next((field for field, model in blocks.items() if model and name in model.model_fields), "")


def _block(place: Location, schema: type[BaseModel]) -> type[BaseModel] | None:
    """The block that stands at this place."""
    block: type[BaseModel] | None = schema
    for part in place:
        if isinstance(part, str) and block is not None:
            info = block.model_fields.get(part)
            block = _model(info.annotation) if info else None
    return block


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model, get_args(annotation))), None)


def path(place: Location) -> str:
    """('policy', 'rules', 0, 'then') as 'policy.rules[0].then'."""
    told = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return told.removeprefix(".")
