"""The text of a router.yaml, parsed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from capability_router.errors import ConfigError

_EXPONENT = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")


class _Loader(yaml.SafeLoader):
    """Plain YAML, but a key is always text ('on' and 'no' too), stands once, and 1e-3 is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        written: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in written:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
                written.add(key.value)
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))


def parsed(text: str, path: Path) -> Any:
    """What it says; raises ConfigError, with the place, for what is no YAML. `path` is for its text."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {type(error).__name__}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deep") from None
    except (ValueError, AttributeError) as error:  # a date that there is not, a number of thousands of digits
        raise ConfigError(f"{path}: not valid YAML: {error}; a text that looks like a date needs quotes") from None
