"""Books and sayings in many languages, where Debian's packages of them are: debian-handbook and fortunes-*."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.tokens.sample import Sample, cut

_HANDBOOK, _SAYINGS = "usr/share/doc/debian-handbook/html", "usr/share/games/fortunes"
_PARAGRAPH = re.compile(r'<div class="para">(.*?)</div>', re.DOTALL)
_TAG, _SPACE = re.compile(r"<[^>]*>"), re.compile(r"\s+")
_LEAST = 60  # characters of a paragraph
_OTHERS = {"brasil": "pt", "chinese": "zh-CN", "tang300": "zh-CN", "song100": "zh-CN"}


def prose(dice: random.Random, roots: tuple[Path, ...]) -> Iterator[Sample]:
    """Pieces of chapters and of collections; the source is the chapter, in every language, or the collection."""
    for root in roots:
        for folder in sorted((root / _HANDBOOK).glob("*-*")):
            lang = folder.name if folder.name.startswith("zh") else folder.name.partition("-")[0]
            for page in sorted(folder.glob("*.html")):
                yield from _pieces(f"prose {lang}", f"handbook {page.stem}", _paragraphs(page, lang), dice, 2)
        for path in sorted((root / _SAYINGS).rglob("*")):
            lang = path.parent.name if path.parent.name != "fortunes" else _OTHERS.get(path.stem, "en")
            if path.is_file() and path.suffix in ("", ".u8") and len(lang) in (2, 5):
                yield from _pieces(f"prose {lang}", f"sayings {path.stem}", _sayings(path, lang), dice, 8)


def _pieces(kind: str, source: str, parts: list[str], dice: random.Random, most: int) -> Iterator[Sample]:
    dice.shuffle(parts)
    text = "\n\n".join(parts)
    for _ in range(min(len(text) // 1_000, most)):
        yield cut(kind, source, text, dice)


def _paragraphs(page: Path, lang: str) -> list[str]:
    found = (html.unescape(_SPACE.sub(" ", _TAG.sub("", p))).strip() for p in _PARAGRAPH.findall(page.read_text()))
    return [
        p for p in found if len(p) >= _LEAST // (3 if lang in ("ja", "ko", "zh-CN", "zh-TW") else 1) and _is(lang, p)
    ]


def _is(lang: str, paragraph: str) -> bool:
    """Parts that nobody has translated stand there in English."""
    return lang == "en" or not re.search(r"\b(?:the|of|and|with)\b", paragraph)


def _sayings(path: Path, lang: str) -> list[str]:
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        return []
    return [s.strip() for s in text.split("\n%\n") if len(s) >= 20] if lang != "en" or path.suffix == ".u8" else []
