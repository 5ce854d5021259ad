"""One mutant, one process: the tests run in a child that imports the changed file instead of the true one.

The child is forked from a parent that has imported what the tests need, but nothing that imports the changed file,
so that a trial costs the tests and little more. Each room has a parent of its own. No file is ever changed on disk.
"""

from __future__ import annotations

import ast
import gc
import importlib.util
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import NoReturn

import hypothesis
import pytest

from benchmarks.mutants.rooms import Room

_CORE = "capability_router"
_OURS = frozenset({"langchain_router", "llamaindex_router", "unit", "property", "tests", "benchmarks", "__main__"})
CORE = Path(__file__).parents[2] / "shared" / "capability_router"
_OPTIONS = (
    "-x", "-q", "--tb=no", "-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", "pytest_asyncio.plugin",
    "-p", "_hypothesis_pytestplugin",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",  # hypothesis is here already
)  # fmt: skip
_MEMORY = 4 << 30


class MutantFinder(MetaPathFinder, SourceLoader):
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


def warm(room: Room) -> float:
    """Run the tests on the true file, then import what they did, but for themselves and what leads to that file.

    The seconds that they took; raises SystemExit if they fail.
    """
    sys.dont_write_bytecode = False
    began = time.monotonic()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _hushed()
        failed = _failed(room.tests)
        os.write(writer, "\n".join(_untouched(room.module)).encode())
        os._exit(failed)
    os.close(writer)
    with os.fdopen(reader) as told:
        names = told.read().split()
    if os.waitpid(child, 0)[1]:
        raise SystemExit(f"{room.file}: its tests fail without any change")
    took = time.monotonic() - began
    for name in names:
        _imported(name)
    gc.freeze()  # what is here already isn't looked through for garbage in each trial
    return took


def _failed(tests: Sequence[str]) -> bool:
    """File by file: most trials end with the first."""
    return any(pytest.main([*_OPTIONS, test]) for test in tests)


def _untouched(module: str) -> list[str]:
    loaded = [name for name, loaded in sys.modules.items() if getattr(loaded, "__spec__", None) is not None]
    core = [name for name in loaded if name.startswith(_CORE)]
    imports = {name: _imports(name) for name in core}
    leads = {module}
    while more := [name for name in core if name not in leads and imports[name] & leads]:
        leads.update(more)
    return [n for n in loaded if n not in leads and n.partition(".")[0] not in _OURS]


def _imports(name: str) -> set[str]:
    """The modules that a module of the core imports when it is imported itself, and the package around it."""
    found = {name.rpartition(".")[0]}
    for node in ast.parse(Path(sys.modules[name].__file__ or "").read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _imported(name: str) -> None:
    try:
        with warnings.catch_warnings(action="ignore"):
            importlib.import_module(name)
    except ImportError:
        return  # a name that only its own package can give; the child imports it then


def tried(tests: Sequence[str], finder: MutantFinder, seconds: float) -> str:
    """The verdict, "killed" or "survived"; "slow" = the tests did not end in `seconds` of work, twice that of time."""
    child = os.fork()
    if child == 0:
        try:
            _run(tests, finder, seconds)
        finally:
            os._exit(1)
    status = _awaited(child, 2 * seconds)
    if status is None or os.WIFSIGNALED(status):
        return "slow"
    return "killed" if os.WEXITSTATUS(status) else "survived"


def _run(tests: Sequence[str], finder: MutantFinder, seconds: float) -> NoReturn:
    _hushed()
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    sys.meta_path.insert(0, finder)
    os._exit(_failed(tests))


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
