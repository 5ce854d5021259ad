"""The versions that are pinned for the two runs are the ends of what pyproject.toml declares."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
ITSELF = "capability-router"


def brought(extra: str) -> list[Requirement]:
    """What an extra installs, those that it names included."""
    lines = map(Requirement, EXTRAS[extra])
    return [each for line in lines for each in (_inner(line) if line.name == ITSELF else [line])]


def _inner(line: Requirement) -> list[Requirement]:
    return [each for extra in sorted(line.extras) for each in brought(extra)]


FRAMEWORKS = brought("openai")


def pins(name: str) -> dict[str, Version]:
    """What a constraints file pins wherever Python runs."""
    lines = [Requirement(line) for line in (ROOT / name).read_text().splitlines()]
    return {pin.name: Version(str(pin.specifier).removeprefix("==")) for pin in lines if pin.marker is None}


@pytest.mark.parametrize(("framework", "other"), [("langchain", "llama"), ("llamaindex", "langchain")])
def test_an_extra_of_one_framework_brings_nothing_of_the_other(framework: str, other: str) -> None:
    for extra in (framework, f"{framework}-openai"):
        assert not [each.name for each in brought(extra) if each.name.startswith(other)]
    assert {each.name for each in brought("all")} >= {each.name for each in FRAMEWORKS}


@pytest.mark.parametrize("declared", FRAMEWORKS, ids=lambda declared: declared.name)
def test_the_lowest_run_is_at_the_declared_floor(declared: Requirement) -> None:
    (floor,) = (Version(part.version) for part in declared.specifier if part.operator == ">=")
    assert pins("constraints-lowest.txt")[declared.name] == floor, "run: make constraints-lowest"


@pytest.mark.parametrize("declared", FRAMEWORKS, ids=lambda declared: declared.name)
def test_the_other_run_is_above_it_and_within_what_is_declared(declared: Requirement) -> None:
    newest = pins("constraints.txt")[declared.name]
    assert newest in declared.specifier
    assert newest > pins("constraints-lowest.txt")[declared.name]
