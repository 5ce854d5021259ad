"""One mutant, one process: the tests run in a child that imports the changed file instead of the true one.

The child is forked from a parent that has imported what the tests need of other packages, but nothing of the
core, so that a trial costs the tests and little more. The files in the checkout are never touched.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import NoReturn

import hypothesis
import pytest

CORE = Path(__file__).parents[2] / "shared" / "capability_router"
_OPTIONS = (
    "-x", "-q", "--tb=no", "-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", "pytest_asyncio.plugin",
    "-p", "_hypothesis_pytestplugin",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",  # hypothesis is here already
)  # fmt: skip
_MEMORY = 4 << 30


class Changed(MetaPathFinder, SourceLoader):
    """Gives the core's module in its changed form, everything else as it is."""

    def __init__(self, module: str, path: Path, tree: ast.Module) -> None:
        self._module, self._path, self._tree = module, path, tree

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return importlib.util.spec_from_file_location(name, self._path, loader=self) if name == self._module else None

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._tree, str(self._path), "exec", dont_inherit=True)

    def get_filename(self, fullname: str) -> str:
        return str(self._path)

    def get_data(self, path: str) -> bytes:
        return Path(path).read_bytes()


def quietly() -> None:
    """Random tests draw the same cases each time, keep none, and do not look for the smallest that fails."""
    hypothesis.settings.register_profile(
        "mutants", derandomize=True, database=None, phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate)
    )
    hypothesis.settings.load_profile("mutants")


def warm(tests: Sequence[str]) -> None:
    """Import what the tests import, but for the core, the tests and pytest's plug-ins that know of a run."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _hushed()
        pytest.main([*_OPTIONS, "--collect-only", *tests])
        os.write(writer, "\n".join(filter(_foreign, sys.modules)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        names = told.read().split()
    os.waitpid(child, 0)
    for name in names:
        _imported(name)


def _foreign(name: str) -> bool:
    top = name.partition(".")[0]
    ours = ("capability_router", "langchain_router", "llamaindex_router", "unit", "property", "tests", "benchmarks")
    return top not in (*ours, "__main__", "conftest") and getattr(sys.modules[name], "__spec__", None) is not None


def _imported(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError:
        return  # a name that only its own package can give; the child imports it then


def tried(tests: Sequence[str], finder: Changed, seconds: float) -> str:
    """The verdict, "killed" or "survived"; "slow" = the tests did not end in `seconds` of work, thrice that of time."""
    child = os.fork()
    if child == 0:
        try:
            _run(tests, finder, seconds)
        finally:
            os._exit(1)
    status = _awaited(child, 3 * seconds)
    if status is None or os.WIFSIGNALED(status):
        return "slow"
    return "killed" if os.WEXITSTATUS(status) else "survived"


def _run(tests: Sequence[str], finder: Changed, seconds: float) -> NoReturn:
    _hushed()
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sys.meta_path.insert(0, finder)
    os._exit(int(pytest.main([*_OPTIONS, *tests])))


def _hushed() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def _awaited(child: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    pause = 0.005
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(pause)
        pause = min(pause * 1.2, 0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None

