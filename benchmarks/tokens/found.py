"""Texts that are on the machine: sources and documents of installed packages, manual pages, translations."""

from __future__ import annotations

import gettext
import gzip
import random
import re
import site
import sysconfig
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmarks.tokens.sample import Sample, cut

_MOST_FILES = 4_000  # looked at for one kind
_MOST_BYTES = 400_000
_LEAST = 120  # characters
_FEW = 6  # of fewer packages than this, each file is a source of its own
_PYTHON = (sysconfig.get_path("stdlib"), *site.getsitepackages(), "/usr/lib/python3/dist-packages")
_NODE = ("/usr/lib/node_modules", "/usr/local/lib/node_modules", "/usr/share/nodejs", "/usr/share/javascript")
_SHARE = ("/usr/share", "/usr/lib", "/etc", *_PYTHON, *_NODE)
_RUST = tuple(str(p) for p in Path.home().glob(".rustup/toolchains/*/share/doc/rust/html"))

FILES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "python": (_PYTHON, ("*.py",)),
    "python stubs": (_PYTHON, ("*.pyi",)),
    "javascript": (_NODE, ("*.js", "*.cjs", "*.mjs")),
    "typescript": (_NODE, ("*.ts",)),
    "C": (("/usr/include", "/usr/local/include", *_PYTHON), ("*.h", "*.c", "*.hpp")),
    "perl": (("/usr/share/perl", "/usr/share/perl5"), ("*.pm", "*.pl")),
    "shell": (("/usr/share", "/etc", "/usr/lib"), ("*.sh", "*.bash", "*.postinst", "*.zsh")),
    "vimscript": (("/usr/share/vim",), ("*.vim",)),
    "cmake": (("/usr/share",), ("*.cmake",)),
    "SQL": (("/usr/share",), ("*.sql",)),
    "CSS": (_SHARE, ("*.css",)),
    "HTML": ((*_SHARE, *_RUST), ("*.html",)),
    "XML": (_SHARE, ("*.xml", "*.svg")),
    "JSON": (_SHARE, ("*.json",)),
    "YAML": (_SHARE, ("*.yaml", "*.yml")),
    "TOML, ini": (_SHARE, ("*.toml", "*.ini", "*.cfg", "*.conf")),
    "CSV": (_SHARE, ("*.csv", "*.tsv", "*.tab")),
    "markdown": ((*_PYTHON, *_NODE, "/usr/share/doc"), ("*.md",)),
    "restructured text": ((*_PYTHON, "/usr/share/doc"), ("*.rst",)),
    "plain text": ((*_PYTHON, "/usr/share/doc", "/usr/share/perl"), ("*.txt", "README", "copyright", "*.pod")),
    "change logs": (("/usr/share/doc",), ("changelog*.gz", "NEWS*.gz", "changelog", "CHANGES*")),
    "logs": (("/var/log",), ("*.log", "*.log.1")),
}  # fmt: skip
LATIN = [
    "de",
    "fr",
    "es",
    "it",
    "pt_BR",
    "nl",
    "sv",
    "da",
    "nb",
    "fi",
    "pl",
    "cs",
    "sk",
    "hu",
    "ro",
    "tr",
    "vi",
    "id",
    "hr",
    "et",
    "lt",
    "ca",
]
SCRIPTS = {
    "cyrillic, greek": ["ru", "uk", "bg", "sr", "el"],
    "arabic, hebrew": ["ar", "fa", "he"],
    "indic, south-east asian": ["hi", "bn", "ta", "te", "mr", "gu", "pa", "kn", "ml", "th", "km", "my", "ka", "am"],
    "CJK": ["zh_CN", "zh_TW", "ja", "ko"],
}
LANGUAGES = dict.fromkeys(LATIN, "latin languages") | {lang: g for g, ls in SCRIPTS.items() for lang in ls}
_MANUALS = {"en": "man1", **{lang: f"{lang}/man1" for lang in ("de", "fr", "es", "pl", "ru", "zh_CN", "ja", "ko")}}


def from_files(kind: str, dice: random.Random) -> Iterator[Sample]:
    """A piece of each of many files; the source is the package that a file belongs to."""
    roots, patterns = FILES[kind]
    paths = sorted(
        {p for root in roots for pattern in patterns for p in islice(Path(root).rglob(pattern), _MOST_FILES)}
    )
    dice.shuffle(paths)
    paths = paths[:_MOST_FILES]
    names = {path: _package(path, roots) for path in paths}
    few = len(set(names.values())) < _FEW
    for path in paths:
        text = read(path)
        if len(text) >= _LEAST:
            yield cut(kind, f"{path.parent.name}/{path.stem}" if few else names[path], text, dice)


def _package(path: Path, roots: tuple[str, ...]) -> str:
    root = max((r for r in roots if path.is_relative_to(r)), key=len)
    parts = path.relative_to(root).parts
    top = next((p for p in parts if p not in ("doc", "node_modules", "npm", "share")), parts[0])
    return re.split(r"[-.]", top)[0].lower()


def read(path: Path) -> str:
    """The file's first characters; nothing where it can't be read as UTF-8."""
    try:
        if not path.is_file() or path.stat().st_size > 20 * _MOST_BYTES:
            return ""
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(_MOST_BYTES)
        return data.decode("utf-8") if len(data) < _MOST_BYTES else data.decode("utf-8", "ignore")
    except (OSError, UnicodeDecodeError, EOFError):
        return ""


def manuals(dice: random.Random) -> Iterator[Sample]:
    """Manual pages without their typesetting commands: plain prose with many names of options."""
    for lang, folder in _MANUALS.items():
        for path in sorted(Path("/usr/share/man", folder).glob("*.gz")):
            text = _plain_roff(read(path))
            if len(text) >= 4 * _LEAST:
                yield cut(f"manuals {lang}", path.name.partition(".")[0], text, dice)


def _plain_roff(text: str) -> str:
    lines = (re.sub(r"^\.[A-Za-z]+ ?|\\f.|\\-|\\&|\\\(..", "", line) for line in text.splitlines())
    return "\n".join(line for line in lines if len(line) > 3 and not line.startswith((".", "'", '"')))


def translations(dice: random.Random) -> Iterator[Sample]:
    """What programs say in other languages: the longer messages, put together; the source is the program."""
    for lang in LANGUAGES:
        for path in sorted(Path("/usr/share/locale", lang, "LC_MESSAGES").glob("*.mo")):
            said = messages(path)
            dice.shuffle(said)
            text = "\n".join(said)
            for _ in range(min(len(text) // 1_500, 3)):
                yield cut(lang, path.stem, text, dice)


def messages(path: Path) -> list[str]:
    """What a compiled catalog of translations says, without what is short or full of formats."""
    try:
        with path.open("rb") as file:
            catalog = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]  # no public way to list it
    except (OSError, UnicodeDecodeError, ValueError):
        return []
    pairs = ((k, v.strip()) for k, v in catalog.items() if isinstance(k, str) and isinstance(v, str) and k)
    return [said for asked, said in pairs if said != asked and len(said) >= 30 and said.count("%") < 3]
