"""Another program's configuration file: plain values, and the line of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from capability_router.errors import ConfigError

Place = tuple[str | int, ...]
"""("model_list", 0, "litellm_params", "model")."""
_LARGEST, _MANY, _DEEP = 8_000_000, 200_000, 40


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """`values`: what the file holds, a mapping. `lines`: place -> line, counted from 1."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int | None:
        """Its line, or else the line of what contains it."""
        return next((found for cut in range(len(place), 0, -1) if (found := self.lines.get(place[:cut]))), None)


def read(path: Path) -> ConfigSource:
    """The file as YAML or JSON. Raises ConfigError, which quotes nothing of it, because it may hold secrets."""
    text = _text(path)
    values, lines = _json(text, path) if text.lstrip()[:1] == "{" else _yaml(text, path)
    if not isinstance(values, Mapping):
        kind = "empty" if values is None else f"a {type(values).__name__}"
        raise ConfigError(f"{path} is {kind}; a configuration is a mapping with a `model_list`")
    return ConfigSource(path, values, lines)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if len(raw) > _LARGEST:
            raise ConfigError(f"{path} has {len(raw):,} bytes; a configuration has no more than {_LARGEST:,}")
        return raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        why = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ConfigError(f"{path} can't be read: {why}") from None


def _json(text: str, path: Path) -> tuple[Any, dict[Place, int]]:
    """JSON; its lines come from YAML, if that can read it too (JSON is nearly a subset)."""
    try:
        values = json.loads(text)
    except ValueError:
        return _yaml(text, path)
    except RecursionError:
        raise ConfigError(f"{path} is nested deeper than {_DEEP} levels") from None
    try:
        return values, _yaml(text, path)[1]
    except ConfigError:
        _within(values, path)
        return values, {}


def _yaml(text: str, path: Path) -> tuple[Any, dict[Place, int]]:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, {}
        lines = _counted(node, path)
        _name_keys(node)
        return loader.construct_document(node), lines
    except ConfigError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: not valid YAML") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: not valid YAML ({type(error).__name__})") from None
    except RecursionError:
        raise ConfigError(f"{path} is nested deeper than {_DEEP} levels") from None
    finally:
        loader.dispose()


def _counted(node: yaml.Node, path: Path) -> dict[Place, int]:
    """The lines; raises ConfigError for a file that expands without end, as recursive anchors do."""
    lines: dict[Place, int] = {}
    for seen, (place, line) in enumerate(_places(node, ()), 1):
        lines.setdefault(place, line)
        if seen > _MANY or len(place) > _DEEP:
            what = f"nested deeper than {_DEEP} levels" if len(place) > _DEEP else f"more than {_MANY:,} values"
            raise ConfigError(f"{path} is {what}" if len(place) > _DEEP else f"{path} has {what}")
    return lines


def _name_keys(node: yaml.Node) -> None:
    """A key is its text as written: also `on`, `1` and a date."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            key.tag = "tag:yaml.org,2002:str"
        _name_keys(value)
    for item in node.value if isinstance(node, yaml.SequenceNode) else ():
        _name_keys(item)


def _places(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            yield inner, key.start_mark.line + 1
            yield from _places(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _places(value, (*place, number))


def _within(values: Any, path: Path, deep: int = 0) -> None:
    if deep > _DEEP:
        raise ConfigError(f"{path} is nested deeper than {_DEEP} levels")
    for value in values.values() if isinstance(values, Mapping) else values if isinstance(values, list) else ():
        _within(value, path, deep + 1)
