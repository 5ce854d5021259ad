"""What an imported configuration's notes advise can be done: settings, routing terms, methods and pages are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from capability_router.catalog.card import FIELDS
from capability_router.migration import remarks
from capability_router.router import Router
from capability_router.routing import TERMS
from capability_router.settings.router_yaml import RouterYaml

ROOT = Path(__file__).parents[3]
TABLES = (remarks.DEPLOYMENT, remarks.MODEL_INFO, remarks.ROUTER, remarks.LIBRARY, remarks.SERVER, remarks.BLOCKS)
ADVICE = sorted({told for table in TABLES for _, told in table.values() if told})


def keys(block: str) -> list[str]:
    """The keys within the braces of `name: {key: value, key}`."""
    return [key for part in block.split(",") if re.fullmatch(r"\w+", key := part.partition(":")[0].strip())]


def of_block(name: str) -> Any:
    """The keys that a block takes; a pair of a card's takes its own."""
    if name in FIELDS:
        return {"limits": ("rpm", "tpm", "concurrency"), "price": ("cache_read_mtok",)}[name]
    annotation: Any = RouterYaml.model_fields[name].annotation
    kinds = [kind for kind in (annotation, *getattr(annotation, "__args__", ())) if hasattr(kind, "model_fields")]
    return kinds[0].model_fields


@pytest.mark.parametrize("told", ADVICE)
def test_what_a_note_advises_is_there(told: str) -> None:
    for name, block in re.findall(r"\b([a-z_]+): \{([^{}\[\]]*)\}", told):
        assert name in RouterYaml.model_fields or name in FIELDS, name
        assert [key for key in keys(block) if key not in of_block(name)] == [], told
    for given in re.findall(r"\brouting\((\w+)=", told):
        assert given in TERMS
    for method in re.findall(r"\brouter\.(\w+)\(", told):
        assert callable(getattr(Router, method))
    for page in re.findall(r"\bdocs/[\w/]+\.md", told):
        assert (ROOT / page).is_file()
    assert re.findall(r"\w+=", re.sub(r"\brouting\(.*?\)", "", told)) == [], "a keyword of what?"
