"""The text of the router.yaml of an import: how to use it, what to set, what was not kept, the settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from capability_router.drawing.table import folded, printable
from capability_router.migration.endpoint_resolver import PACKAGES
from capability_router.migration.litellm import ImportResult
from capability_router.migration.note import KINDS, ImportNote, merged
from capability_router.migration.provider import own_keys
from capability_router.settings.source import VARIABLE

_WIDTH, _NAMES = 118, 40
_HEADS = {
    "secret": "Secrets that stood in the source in plain (not copied):",
    "to do": "To do before the first call:",
    "left out": "Not carried over:",
    "differs": "Carried over, but not the same in everything:",
}


def page(found: ImportResult) -> str:
    """YAML with comments."""
    head = "\n".join("#" if not line else f"# {line}" for line in _comments(found))
    body = "".join(_block(name, value) for name, value in found.settings.items())
    return f"{head}\n\n{body}"


def variables(settings: Mapping[str, Any]) -> list[str]:
    """The environment variables that settings need, in order."""
    named = [str(model.get("model", "")).partition(":") for model in settings["models"] if "endpoint" not in model]
    keys = [
        own_keys(provider)[0]
        for provider, colon, _ in named
        if colon and own_keys(provider) and not PACKAGES.get(provider)
    ]
    return list(dict.fromkeys([*keys, *_variables(settings)]))


def _variables(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (name for mark, name, _ in VARIABLE.findall(value) if not mark)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from [inner] if key == "api_key_env" else _variables(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _variables(inner)


def _comments(found: ImportResult) -> Iterator[str]:
    yield f"Made of {printable(found.source.name)} by `capability-router import litellm`. Look it over, then"
    yield "`capability-router check --config THIS_FILE`."
    yield ""
    yield from _asking(found)
    needed = variables(found.settings)
    if needed:
        yield ""
        yield from folded(f"It reads these environment variables: {', '.join(needed)}", _WIDTH)
    for head, told in sections(found.notes, _WIDTH):
        yield from ("", head, *told)


def sections(notes: Sequence[ImportNote], width: int | None) -> Iterator[tuple[str, list[str]]]:
    """A head for each kind of note, and its notes, each with its line, what, why and what to do."""
    rows = merged(notes)
    for kind in KINDS:
        told = [line for note in rows if note.kind == kind for line in _told(note, width)]
        if told:
            yield _HEADS[kind], told


def _asking(found: ImportResult) -> Iterator[str]:
    if found.group is not None:
        yield from folded(f"This router is what {printable(found.group)!r} was: ask it for nothing else.", _WIDTH)
        return
    names = list(found.names)
    example = json.dumps(next((name for name in names if len(found.names[name]) > 1), names[0]), ensure_ascii=False)
    yield "What LiteLLM was asked for as `model` is required here as a tag:"
    yield "  from capability_router import routing"
    yield "  llm = ChatRouter.from_config(THIS_FILE)      # or RouterLLM.from_config(...)"
    yield f"  with routing(require_tags=[{printable(example)}]): llm.invoke(...)"
    yield "A request that requires none may go to any model, those that stand first in the file first."
    more = f", and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    shown = ", ".join(map(printable, names[:_NAMES])) + more
    yield from folded(f"Names: {shown}", _WIDTH)


def _told(note: ImportNote, width: int | None) -> Iterator[str]:
    where = f"line {note.line}: " if note.line else ""
    first, *rest = folded(f"{where}{note.what}: {note.told()}", None if width is None else width - 2)
    yield f"- {first}"
    yield from (f"  {line}" for line in rest)


def _block(name: str, value: Any) -> str:
    flow = None if isinstance(value, (Mapping, list)) else False
    text: str = yaml.dump(
        {name: _plain(value)}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH,
        default_flow_style=flow,
    )  # fmt: skip
    return text


def _plain(value: Any) -> Any:
    """Without shared objects, which YAML would write as anchors."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


class _Dumper(yaml.SafeDumper):
    """Indents lists under their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)


def as_json(found: ImportResult) -> dict[str, Any]:
    """The same for a program, JSON-safe."""
    names: dict[str, Sequence[str]] = dict(found.names)
    return {
        "source": str(found.source), "settings": _plain(found.settings), "names": names,
        "variables": variables(found.settings), "notes": [note.to_dict() for note in found.notes],
    }  # fmt: skip
