"""What an import takes: python -m benchmarks.overhead.imports [--rounds 15]

Each in a process of its own, in turn, after what stands in the second column; a first round, not counted, writes the
bytecode. Milliseconds of processor time (median), resident MiB, and the modules that it loads: of the standard
library, ours, of third parties.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from typing import Any, NamedTuple

from benchmarks.option import at_least_one

_PROGRAM = """
import json, os, sys, time

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

before, asked = sys.argv[1:]
exec(before)
known, held, began = set(sys.modules), resident(), time.process_time()
exec(asked)
taken, then, modules = time.process_time() - began, resident(), sorted(set(sys.modules) - known)
print(json.dumps({"ms": taken * 1e3, "then": then, "mib": then - held, "modules": modules}))
"""
OURS = ("capability_router", "langchain_router", "llamaindex_router")
CHAT_MODEL, LLM = "from langchain_core.language_models import BaseChatModel", "from llama_index.core.llms import LLM"
HEADS = ("import", "after", "ms", "target", "MiB added", "MiB then", "modules: standard, ours, others")


class Import(NamedTuple):
    """`most_ms`: the target, if it has one. `standard`: whether the standard library's modules were loaded before."""

    asked: str
    after: str = ""
    most_ms: float | None = None
    standard: bool = False


IMPORTS = (
    Import("import capability_router", most_ms=30), Import("import capability_router", most_ms=30, standard=True),
    Import("from capability_router import Router"),
    Import("import langchain_core"), Import(CHAT_MODEL), Import("import langchain_router", "import langchain_core", 30),
    Import("from langchain_router import ChatRouter", CHAT_MODEL),
    Import("import llama_index.core"), Import("import llamaindex_router", "import llama_index.core"),
    Import("from llamaindex_router import RouterLLM", LLM),
)  # fmt: skip


def loaded(each: Import, before: str = "") -> dict[str, Any]:
    """What the process found that did the import."""
    command = [sys.executable, "-c", _PROGRAM, before or each.after, each.asked]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # empty is unset; else each round compiles all of it
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603 - the text above
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _standard(modules: list[str]) -> list[str]:
    return [name for name in modules if name.partition(".")[0] in sys.stdlib_module_names]


def _before(each: Import) -> str:
    """What is run before: what it comes after, and the standard library's modules where they don't count."""
    if not each.standard:
        return each.after
    own = loaded(each)["modules"]
    return "; ".join([*(f"import {name}" for name in _standard(own)), each.after])


def table(rounds: int) -> Iterator[str]:
    """As Markdown."""
    yield f"| {' | '.join(HEADS)} |"
    yield f"|{'---|' * len(HEADS)}"
    before = {each: _before(each) for each in IMPORTS}
    seen: dict[Import, list[dict[str, Any]]] = {each: [] for each in IMPORTS}
    for turn in range(rounds + 1):
        for each in IMPORTS:
            found = loaded(each, before[each])
            if turn:
                seen[each].append(found)
    yield from (_row(each, found) for each, found in seen.items())


def _row(each: Import, found: list[dict[str, Any]]) -> str:
    after = "its modules of the standard library" if each.standard else f"`{each.after}`" if each.after else ""
    most = "" if each.most_ms is None else f"{each.most_ms:g}"
    modules = found[0]["modules"]
    ours, standard = [name for name in modules if name.partition(".")[0] in OURS], _standard(modules)
    counts = f"{len(standard)}, {len(ours)}, {len(modules) - len(ours) - len(standard)}"
    ms, mib, then = (median(each[what] for each in found) for what in ("ms", "mib", "then"))
    return f"| `{each.asked}` | {after} | {ms:.1f} | {most} | {mib:.1f} | {then:.0f} | {counts} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead.imports", description=__doc__)
    parser.add_argument("--rounds", type=at_least_one, default=15)
    for line in table(parser.parse_args().rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
