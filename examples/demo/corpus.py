"""The documents that the query engine answers from.

Flask's own documentation (BSD-3-Clause), taken from its source distribution by pip, and this
project's pages. Without access to a package index: the docstrings of an installed package, said so.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

FLASK = "flask==3.1.3"
ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_S = 60
_LEAST_CHARACTERS = 200


@dataclass(frozen=True)
class Page:
    """One document: where it is from and its text."""

    source: str
    text: str


@dataclass(frozen=True)
class Corpus:
    """Pages, what they are, and which set of questions they can answer. `trouble` says what could not be had."""

    name: str
    about: str
    pages: tuple[Page, ...]
    trouble: str = ""


def load(choice: str = "auto") -> Corpus:
    """`auto`: Flask's documentation, or the substitute if it can't be had; `own`: this project's pages alone."""
    own = tuple(_read(ROOT, sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])))
    if choice == "own":
        return Corpus("own", "this project's pages", own)
    try:
        folder = _flask_folder()
    except (OSError, subprocess.SubprocessError, tarfile.TarError) as error:
        return _substitute(own, f"{FLASK} could not be fetched ({_told(error)})")
    flask = tuple(_read(folder, sorted(folder.rglob("*.rst"))))
    return Corpus("flask", f"documentation of {FLASK} (BSD-3-Clause) and this project's pages", (*flask, *own))


def _read(folder: Path, files: list[Path]) -> Iterator[Page]:
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        if len(text) >= _LEAST_CHARACTERS:
            yield Page(str(file.relative_to(folder)), text)


def _cache() -> Path:
    """Inside the virtual environment; else in the user's cache folder."""
    inside = sys.prefix != sys.base_prefix
    return Path(sys.prefix) / "demo-corpus" if inside else Path.home() / ".cache" / "capability-router" / "demo-corpus"


def _flask_folder() -> Path:
    folder = _cache() / FLASK.replace("==", "-")
    if not (folder / "docs").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", ":all:", "--dest", str(folder), FLASK]
        subprocess.run(command, check=True, capture_output=True, timeout=_PATIENCE_S)  # noqa: S603 - fixed words, no shell
        _unpack(next(folder.glob("*.tar.gz")), folder)
    return folder / "docs"


def _unpack(archive: Path, folder: Path) -> None:
    """The archive's docs/**/*.rst; nothing else, and nothing outside the folder."""
    with tarfile.open(archive) as files:
        for member in files:
            top, _, inside = member.name.partition("/")
            if top and member.isfile() and inside.startswith("docs/") and inside.endswith(".rst"):
                member.name = inside
                files.extract(member, folder, filter="data")


def _told(error: Exception) -> str:
    said = getattr(error, "stderr", None) or b""
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def _substitute(own: tuple[Page, ...], trouble: str) -> Corpus:
    """The docstrings of langchain-core (MIT), one page per module."""
    spec = find_spec("langchain_core")
    folder = Path(spec.origin).parent if spec and spec.origin else ROOT
    pages = (Page(page.source, _docstrings(page.text)) for page in _read(folder, sorted(folder.rglob("*.py"))))
    kept = tuple(page for page in pages if len(page.text) >= _LEAST_CHARACTERS)
    return Corpus("langchain", "docstrings of langchain-core (MIT) and this project's pages", (*kept, *own), trouble)


def _docstrings(source: str) -> str:
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef)
    found = (ast.get_docstring(node) for node in ast.walk(ast.parse(source)) if isinstance(node, nodes))
    return "\n\n".join(text for text in found if text)
