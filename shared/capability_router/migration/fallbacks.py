"""The fallbacks of a group: LiteLLM's lists, general ones and those for certain errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capability_router.migration.note import ImportNotes
from capability_router.migration.source import Place

ANY = "*"
Chains = dict[str, list[str]]
"""Group -> the groups that are asked after it, in order; "*" -> after any that has none of its own."""


def chains(value: Any, place: Place, notes: ImportNotes) -> Chains:
    """From `[{group: [other, ...]}, ...]`; a list of names alone holds for every group."""
    found: Chains = {}
    if value is None:
        return found
    if not isinstance(value, list):
        notes.left_out(place, "it is no list of {group: [other group, ...]}", "write it so")
        return found
    plain = [item for item in value if isinstance(item, str)]
    if plain:
        found[ANY] = plain
    for number, item in enumerate(value):
        for group, targets, at in _parted(item, (*place, number), notes):
            found.setdefault(group, []).extend(_targets(targets, at, notes))
    return found


def _parted(item: Any, place: Place, notes: ImportNotes) -> Iterator[tuple[str, Any, Place]]:
    """The groups of one item, with what is asked after them."""
    if isinstance(item, Mapping) and "model" in item and not isinstance(item.get("model"), list):
        yield ANY, [item], place
    elif isinstance(item, Mapping):
        yield from ((str(group), targets, (*place, str(group))) for group, targets in item.items())
    elif not isinstance(item, str):
        notes.left_out(place, "it is no {group: [other group, ...]}", "write it so")


def _targets(value: Any, place: Place, notes: ImportNotes) -> Iterator[str]:
    listed = value if isinstance(value, list) else [value]
    for number, target in enumerate(listed):
        at = (*place, number) if isinstance(value, list) else place
        if isinstance(target, str):
            yield target
        elif isinstance(target, Mapping) and isinstance(target.get("model"), str):
            others = [key for key in target if key != "model"]
            if others:
                why = "a fallback is another model for the same request; its own parameters are not sent"
                notes.left_out((*at, str(others[0])), why, "make such a request in your code")
            yield target["model"]
        else:
            notes.left_out(at, "it names no group", "write the name of a group")


def after(group: str, lists: Chains, original: str = "") -> list[str]:
    """The groups that are asked after this one.

    Its own list, else that of the group that was `original`ly asked for, else the one for any. A list may name a group
    without its provider, as LiteLLM looks it up.
    """
    names = (group, group.partition("/")[2], original, original.partition("/")[2], ANY)
    own = next((lists[name] for name in names if name and lists.get(name)), [])
    return [name for name in own if name != group]
