"""Checks the sizes that this repository keeps to: a file's code lines, a function's lines, a room's files.

    python scripts/house.py

Code lines are those that are neither blank, nor comment, nor docstring. Ends with status 1 and a line per excess.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

PACKAGES = ("shared/capability_router", "langchain_router", "llamaindex_router")
FILE_LINES, FUNCTION_LINES, MEDIAN_LINES, ROOM_FILES = 400, 45, 7, 24
# Flat: one noun each, beside the rooms.
ROOMY = {"shared/capability_router": 20}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    """Print each excess; the number of them decides the status."""
    files = [path for package in PACKAGES for path in sorted(Path(package).rglob("*.py"))]
    read = {path: path.read_text(encoding="utf-8") for path in files}
    trees = {path: ast.parse(text) for path, text in read.items()}
    excesses = [*_rooms(files), *_files(read, trees), *_functions(read, trees)]
    for excess in excesses:
        print(excess)
    return min(len(excesses), 1)


def _rooms(files: list[Path]) -> Iterator[str]:
    for room in sorted({path.parent for path in files}):
        count = sum(path.parent == room and path.name != "__init__.py" for path in files)
        if count > (most := ROOMY.get(room.as_posix(), ROOM_FILES)):
            yield f"{room}: {count} files, at most {most}"


def _files(read: dict[Path, str], trees: dict[Path, ast.Module]) -> Iterator[str]:
    for path, text in read.items():
        if (count := len(code(text, trees[path]))) > FILE_LINES:
            yield f"{path}: {count} code lines, at most {FILE_LINES}"


def _functions(read: dict[Path, str], trees: dict[Path, ast.Module]) -> Iterator[str]:
    sizes = []
    for path, tree in trees.items():
        lines = code(read[path], tree)
        for node in ast.walk(tree):
            if isinstance(node, Function):
                size = sum(node.lineno <= number <= (node.end_lineno or 0) for number in lines)
                sizes.append(size)
                if size > FUNCTION_LINES:
                    yield f"{path}:{node.lineno}: {node.name} has {size} code lines, at most {FUNCTION_LINES}"
    if median(sizes) > MEDIAN_LINES:
        yield f"functions: the median is {median(sizes)} code lines, at most {MEDIAN_LINES}"


def code(text: str, tree: ast.Module) -> set[int]:
    """The numbers of the lines that are code."""
    told = {line for node in ast.walk(tree) if (doc := _docstring(node)) for line in range(doc[0], doc[1] + 1)}
    lines = enumerate(text.splitlines(), 1)
    return {number for number, line in lines if line.strip() and not line.strip().startswith("#")} - told


def _docstring(node: ast.AST) -> tuple[int, int] | None:
    if not isinstance(node, ast.Module | ast.ClassDef | Function) or not node.body:
        return None
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first.lineno, first.end_lineno or first.lineno
    return None


if __name__ == "__main__":
    sys.exit(main())
