"""The versions that are pinned for the two runs are the ends of what pyproject.toml declares."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
FRAMEWORKS = [Requirement(line) for extra in ("langchain", "llamaindex", "openai") for line in EXTRAS[extra]]


def pins(name: str) -> dict[str, Version]:
    """What a constraints file pins wherever Python runs."""
    lines = [Requirement(line) for line in (ROOT / name).read_text().splitlines()]
    return {pin.name: Version(str(pin.specifier).removeprefix("==")) for pin in lines if pin.marker is None}


@pytest.mark.parametrize("declared", FRAMEWORKS, ids=lambda declared: declared.name)
def test_the_lowest_run_is_at_the_declared_floor(declared: Requirement) -> None:
    (floor,) = (Version(part.version) for part in declared.specifier if part.operator == ">=")
    assert pins("constraints-lowest.txt")[declared.name] == floor, "run: make constraints-lowest"


@pytest.mark.parametrize("declared", FRAMEWORKS, ids=lambda declared: declared.name)
def test_the_other_run_is_above_it_and_within_what_is_declared(declared: Requirement) -> None:
    newest = pins("constraints.txt")[declared.name]
    assert newest in declared.specifier
    assert newest > pins("constraints-lowest.txt")[declared.name]
