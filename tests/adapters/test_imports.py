"""Importing an adapter, or the core, loads nothing until one of its names is used; each public name is there."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

PACKAGES = {"capability_router": {"capability_router.routing"}, "langchain_router": set(), "llamaindex_router": set()}
LOADED = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*sorted(name for name in sys.modules if name.startswith(sys.argv[1] + ".")))
"""
NEEDED = {"capability_router.errors", "capability_router.nearest", "capability_router.frozen_value"}
"""What `routing(...)` is made with."""


@pytest.mark.parametrize("package", PACKAGES)
def test_an_import_loads_next_to_nothing(package: str) -> None:
    command = [sys.executable, "-c", LOADED, package]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - the text above
    loaded = set(done.stdout.split())
    assert loaded - NEEDED == PACKAGES[package]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))
    assert all(getattr(module, name) is not None for name in module.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Rooter'"):
        module.Rooter  # noqa: B018 - asking is what fails
