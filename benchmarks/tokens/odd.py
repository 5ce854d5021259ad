"""Texts that look like nothing a sentence or a program consists of: sequences, codes, rules, runs, rare scripts."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable, Iterable, Iterator

from benchmarks.tokens.found import FILES
from benchmarks.tokens.generated import KINDS as GENERATED
from benchmarks.tokens.sample import Sample

_SMALL, _CAPITAL = string.ascii_lowercase, string.ascii_uppercase
_ETHIOPIC = [chr(first + i) for first in range(0x1200, 0x1358, 8) for i in range(7)]
_CHEROKEE = [chr(i) for i in range(0x13A0, 0x13F0)]
_COMBINING = [chr(i) for i in range(0x300, 0x370)]
_NAMES = "src tests docs main.py index.html README.md build data model view router core".split()  # noqa: SIM905 - shorter
Make = Callable[[random.Random, int], str]


def _of(letters: str) -> Make:
    return lambda dice, size: "".join(dice.choices(letters, k=size))


def _fasta(dice: random.Random, size: int) -> str:
    letters = dice.choice(("ACGT", "ACDEFGHIKLMNPQRSTVWY"))
    rows = ("".join(dice.choices(letters, k=60)) for _ in range(size // 61 + 1))
    return f">seq{dice.randint(1, 9999)} chain {dice.choice('ABC')}\n" + "\n".join(rows)


def _capital_words(dice: random.Random, size: int) -> str:
    return " ".join("".join(dice.choices(_CAPITAL, k=dice.randint(3, 10))) for _ in range(size // 7))


def _rules(dice: random.Random, size: int) -> str:
    share, longest = dice.uniform(0.3, 1), dice.choice((79, 79, 400))
    rows = (
        dice.choice("-=*#_~") * dice.randint(10, longest)
        if dice.random() < share
        else " ".join(dice.choices(_NAMES, k=4))
        for _ in range(size // 35)
    )
    return "\n".join(rows)


def _runs(dice: random.Random, size: int) -> str:
    return "".join(
        dice.choice(("\n", "\t")) * dice.randint(30, 300) + dice.choice(_NAMES) for _ in range(size // 160 + 1)
    )


def _boxes(dice: random.Random, size: int) -> str:
    bar = dice.choice("─═")
    rows = (
        dice.choice((f"├── {dice.choice(_NAMES)}", f"│   └── {dice.choice(_NAMES)}", f"┌{bar * dice.randint(8, 40)}┐",
                     f"│ {dice.choice(_NAMES):<14} │ {dice.randint(1, 999):>6} │", f"╚{bar * dice.randint(8, 40)}╝"))
        for _ in range(size // 25)
    )  # fmt: skip
    return "\n".join(rows)


def _script(letters: list[str]) -> Make:
    def make(dice: random.Random, size: int) -> str:
        return " ".join("".join(dice.choices(letters, k=dice.randint(2, 6))) for _ in range(size // 5))

    return make


def _zalgo(dice: random.Random, size: int) -> str:
    text = " ".join(dice.choices(_NAMES, k=size // 20 + 1))
    return "".join(c + "".join(dice.choices(_COMBINING, k=dice.randint(1, 5))) for c in text)


_MAKE: dict[str, Make] = {
    "protein": _of("ACDEFGHIKLMNPQRSTVWY"), "DNA": _of("ACGT"), "FASTA": _fasta, "random letters": _of(_SMALL),
    "random capitals": _of(_CAPITAL), "capital words": _capital_words,
    "base32": lambda dice, size: base64.b32encode(dice.randbytes(size * 5 // 8)).decode(),
    "base85": lambda dice, size: base64.b85encode(dice.randbytes(size * 4 // 5)).decode(),
    "rules of signs": _rules, "runs of newlines, tabs": _runs,
    "box drawing": _boxes, "Ethiopic letters": _script(_ETHIOPIC), "Cherokee letters": _script(_CHEROKEE),
    "zalgo": _zalgo,
}  # fmt: skip
_SPREAD = {"CRLF": ("\n", "\r\n"), "blank-line code": ("\n", "\n\n")}
_CODE = ("python", "javascript", "C", "shell", "SQL", "CSS")
KINDS = (*_MAKE, *_SPREAD)
_EACH = 60
SHORT = "short "
_SHORTEST, _LONGEST = 100, 300


def odd(seed: int) -> Iterator[Sample]:
    """Sixty samples of every kind; each a source of its own."""
    for kind, make in _MAKE.items():
        for i in range(_EACH):
            dice = random.Random(f"{seed} {kind} {i}")
            yield Sample(kind, f"{kind} {i}", make(dice, int(100 * 20 ** dice.random())))


def shortened(samples: Iterable[Sample], seed: int) -> Iterator[Sample]:
    """Pieces of 100 to 300 characters of the natural texts, each on its source's side."""
    dice = random.Random(seed)
    for kind, source, text in samples:
        size = dice.randint(_SHORTEST, _LONGEST)
        if len(text) > 2 * _SHORTEST and natural(kind):
            start = text.find(" ", dice.randrange(max(len(text) - size, 1))) + 1
            piece = text[start : start + size]
            if len(piece) >= _SHORTEST // 2:
                yield Sample(f"{SHORT}{_language(kind)}", source, piece)


def natural(kind: str) -> bool:
    """What people wrote to be read: prose, manuals, documents, programs' messages."""
    return kind not in (*FILES, *GENERATED) or kind in ("markdown", "plain text", "restructured text")


def _language(kind: str) -> str:
    return "en" if kind in FILES else kind.removeprefix("prose ").removeprefix("manuals ")


def spread(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Code with other ends of lines, and with a blank line after each, on its source's side."""
    for sample in samples:
        if sample.kind in _CODE:
            for kind, (end, other) in _SPREAD.items():
                yield Sample(kind, sample.source, sample.text.replace(end, other))
