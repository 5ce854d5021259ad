"""Tokens of a text, estimated: what is countable in its bytes times what each costs in a current vocabulary.

A tokenizer cuts where letters, digits, signs and spaces meet, so what is counted are mostly such meetings:
a word after a space, a word after a sign, every third digit, a capital inside a word. Rare letters, marks
and other scripts cost extra. The costs were fitted by non-negative least squares against o200k on one half of
what is installed on a machine and of packages that are fetched, and judged on the other half:
`python -m benchmarks.tokens`. What is not ASCII is counted in scripts.py.

Every byte is translated to a byte of flags, and each flag is read as one long integer that has a bit for each
character: shifted by one character, `&` that of another flag, it has a bit for each of their meetings. That takes less
than half the time of counting pairs, and no longer on texts whose next letter nobody can foresee. Of a long text a
sample is read.
"""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Sequence
from itertools import compress
from operator import mul
from typing import Literal, NamedTuple

from capability_router.tokens.scripts import ASCII, COSTS_BEYOND, beyond

SAMPLE_ABOVE = 16_384  # characters
_SAMPLES, _SAMPLE = 32, 512
_FEW_SPACES = 20  # characters to a space, and more: not words
_SOLID, _ENGLISH = 0.45, 12  # at most, for a letter or sign among words; letters that each "th" takes for English ones
_BEYOND, _FOUR = 0.37, 0.92  # at most, for a byte beyond ASCII, and for a sign of four besides

Bucket = Literal["ascii", "structured", "latin_ext", "other_script", "cjk"]
"""What a text consists of, as far as tokenizers differ by it; "structured" is ASCII, a fifth of it digits and signs."""

COSTS: dict[str, float] = {
    "word after space": 0.937, "word after line": 1.357, "word after sign": 0.578, "number after space": 1.070,
    "word after digit": 0.607, "digit in word": 0.431, "capital in name": 0.473, "capital in jumble": 2.255,
    "nine small letters": 0.713, "small letter of long words": 0.057, "i at an end": 1.074, "rare letter": 0.736,
    "three digits": 0.996, "digit left": 0.471, "lone digit": 0.505, "sign": 0.080, "signs together": 0.968,
    "four of a rule": 0.079, "quote": 0.161, "backslash": 0.550, "spaces together": 0.966, "sixty-four spaces": 0.520,
    "line": 1.265, "line after line": 0.056, "tab": 1.542, "tab after tab": 0.060, "three capital consonants": 1.138,
    "sixteen capitals": 8.177, "sixteen small letters": 3.361, "letter again": 0.001,
}  # fmt: skip
"""Tokens for each, in text of any kind."""


class TokenEstimate(NamedTuple):
    """`tokens`: estimated, not rounded, at least 1; `bucket`: what the text consists of."""

    tokens: float
    bucket: Bucket


def estimate_tokens(text: str) -> int:
    """Tokens that the text will take in a current model's vocabulary; 0 for an empty one."""
    return round(measure(text).tokens) if text else 0


def measure(text: str) -> TokenEstimate:
    """The text's tokens and what it consists of."""
    size = len(text)
    if size > SAMPLE_ABOVE:
        step = (size - _SAMPLE) / (_SAMPLES - 1)
        text = "".join([text[int(i * step) : int(i * step) + _SAMPLE] for i in range(_SAMPLES)])
    plain, beyond = counts(text)
    tokens = sum(map(mul, compress(plain, plain), compress(_COSTS, plain)))  # of most texts, most counts are 0
    if beyond:
        tokens += sum(map(mul, beyond, _COSTS_BEYOND))
    if size > SAMPLE_ABOVE:
        tokens *= size / len(text)
    most = size if not beyond else 4 * size  # a token is at least a byte
    tokens = 1.0 if tokens < 1.0 else tokens
    return TokenEstimate(most if most < tokens else tokens, _bucket(plain, beyond, len(text)))


def most_tokens(texts: Iterable[str]) -> int:
    """What to reserve money for at least: with the quarter that each reservation adds, more than nearly any text takes.

    Not what is likely: words may be as rare and scripts as little known as any that were found. Where letters and signs
    of ASCII have almost no spaces between them, it is two tokens for three of them.
    """
    text = "".join(texts)
    data = text.encode("utf-8", "replace")
    high = b"" if text.isascii() else data.translate(None, ASCII)
    spaces = data.count(b" ") + data.count(b"\n") + data.count(b"\t")
    solid = len(data) - len(high) - spaces
    usual = _FEW_SPACES * spaces > solid + spaces
    plain = _SOLID * max(solid - _ENGLISH * data.count(b"th"), 0) if usual else (solid + spaces) / (1.25 * 1.5)
    return math.ceil(plain + _BEYOND * len(high) + _FOUR * high.count(b"\xf0"))


def counts(text: str) -> tuple[Sequence[float], Sequence[float]]:
    """What COSTS and COSTS_BEYOND name, counted, in their order; the second is empty for ASCII."""
    data = (" " + text).encode("utf-8", "replace")
    plain = _plain(data)
    return plain, () if text.isascii() else beyond(data)


# -- any text ---------------------------------------------------------------------------------------

_SMALL, _CAPITAL, _DIGIT, _SIGN, _SPACE, _LINE, _TAB, _RARE = (
    string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation, " ", "\n\r", "\t", "jkzJK",
)  # fmt: skip
_ROLES = (_SPACE, _CAPITAL, _DIGIT, _SIGN, _LINE, _RARE + "_", _TAB, _SMALL)
"""A bit each. "_" begins no word, as other signs do: it has the rare letters' bit besides."""


def _flags(sets: Sequence[str]) -> bytes:
    """A table for `translate`: for each byte, which of the sets hold its character, a bit each."""
    return bytes(sum((chr(byte) in members) << bit for bit, members in enumerate(sets)) for byte in range(256))


_ROLE = _flags(_ROLES)
_LONG = 500  # bytes
_ONES = int.from_bytes(b"\1" * _LONG, "little")
_SWAPS = [
    (apart, int.from_bytes(bytes((mask,)) * (SAMPLE_ABOVE // 2 + 1), "little"))
    for apart, mask in ((4, 0b00001111), (2, 0b00110011), (1, 0b01010101))
]
_LOUD = _flags(["".join(set(_CAPITAL) - set("AEIOUY"))])
_SMALL_ONLY = _flags([_SMALL])
_NO_LETTER, _SPACES = bytes(set(range(256)) - set((_SMALL + _CAPITAL).encode())), b" " * 64
_CAPITALS, _SMALLS = _ROLE[ord("A") : ord("A") + 1] * 16, b"\1" * 16
_RULES = tuple(4 * sign.encode() for sign in "-=*#_~./+")
_DIGITS = _ROLE[ord("0") : ord("0") + 1] * 3
_ANY_SIGN, _LOW = _ROLE[ord("-") : ord("-") + 1], _ROLE[ord("_") : ord("_") + 1]
_MANY_SIGNS = _ANY_SIGN * 8


def _plain(data: bytes) -> Sequence[float]:
    roled = data.translate(_ROLE)
    step, (space, capital, digit, sign, line, rare, tab, small) = _planes(roled)
    letter = small | capital
    follows = letter >> step  # a bit where the next one is a letter
    spaces, capitals, digits = (space & follows).bit_count(), capital.bit_count(), digit.bit_count()
    signs, lines, tabs = sign.bit_count(), line.bit_count(), tab.bit_count()
    starts = (line & follows).bit_count() if lines else 0
    inside = small & capital >> step if capitals else 0
    name = (inside & small >> 2 * step).bit_count() if inside else 0
    number, after, within, threes, lone = 0, 0, 0, 0, 0
    if digits:
        number, after, within = _beside_digits(space, digit, digit >> step, letter, follows)
        threes, pairs = roled.count(_DIGITS), digit & digit >> step
        lone = digits - (pairs | pairs << step).bit_count()
    only = data.translate(_SMALL_ONLY)
    nines = only.count(_NINE_SMALLS)
    smalls = only.count(_SMALLS) if nines else 0
    opened, alone, rules, low = 0, 0, 0, 0
    if signs:
        opened, alone = (sign & follows).bit_count(), signs - (sign & sign >> step).bit_count()
        if lows := sign & rare:
            low, roled = lows.bit_count(), roled.replace(_LOW, _ANY_SIGN)
            opened -= (lows & follows).bit_count()
        rules = sum(map(data.count, _RULES)) if signs > 7 and _MANY_SIGNS in roled else 0
    again, longer = space & space >> step, small.bit_count() - 5 * (spaces + starts + opened)
    jumbled = smalls or capitals > 15 or (capitals > 2 and capital & capital >> step)  # capitals one after the other
    return [
        spaces, starts, opened, number, after, within, name, inside.bit_count() - name,
        nines, longer if longer > 0 else 0, data.count(b"i "), rare.bit_count() - low,
        threes, digits - 3 * threes, lone,
        signs - 4 * rules, alone, rules, data.count(b'"'), data.count(b"\\"),
        *(_blanks(data, step, again, sign, line, tab, lines, tabs) if again or lines or tabs else _NO_BLANKS),
        *(_jumbles(data, roled, smalls, capitals) if jumbled else _NO_JUMBLES),
    ]  # fmt: skip


_NINE_SMALLS = _SMALLS[:9]
_NO_BLANKS, _NO_JUMBLES = (0,) * 6, (0,) * 4
"""Of most texts."""


def _planes(roled: bytes) -> tuple[int, Sequence[int]]:
    """For each flag a number that has a bit for each byte, and how many bits further the next byte's is.

    In a short text it is 8 further, where it was read; of a long one it pays to put the bits side by side.
    """
    if len(roled) < _LONG:
        role = int.from_bytes(roled, "little")
        return 8, (
            role & _ONES, role >> 1 & _ONES, role >> 2 & _ONES, role >> 3 & _ONES, role >> 4 & _ONES,
            role >> 5 & _ONES, role >> 6 & _ONES, role >> 7 & _ONES,
        )  # fmt: skip
    planes = [int.from_bytes(roled[first::8], "little") for first in range(8)]
    for apart, mask in _SWAPS:  # in each block of eight bytes, rows of bits become columns
        for low in range(8):
            if not low & apart:
                one, other = planes[low], planes[low + apart]
                moved = (one >> apart ^ other) & mask
                planes[low], planes[low + apart] = one ^ moved << apart, other ^ moved
    return 1, planes


def _beside_digits(space: int, digit: int, digit_next: int, letter: int, follows: int) -> tuple[int, ...]:
    """Numbers after a space, letters after a digit, digits after a letter."""
    return (space & digit_next).bit_count(), (digit & follows).bit_count(), (letter & digit_next).bit_count()


def _blanks(
    data: bytes, step: int, again: int, sign: int, line: int, tab: int, lines: int, tabs: int
) -> tuple[int, ...]:
    """Runs of spaces, ends of lines, tabs: what follows its like, or a sign, is often one token with it."""
    runs, longest, blank, ended, columns = 0, 0, 0, 0, 0
    if again:
        runs, longest = again.bit_count() - (again & again >> step).bit_count(), data.count(_SPACES)
    if lines:
        line_next = line >> step
        blank, ended = (line & line_next).bit_count(), (sign & line_next).bit_count()
    if tabs:
        columns = (tab & tab >> step).bit_count()
    return runs, longest, lines - blank - ended, blank, tabs - columns, columns


def _jumbles(data: bytes, roled: bytes, smalls: int, capitals: int) -> tuple[float, ...]:
    """Letters that make no words: one case without an end, capital consonants, one letter again and again."""
    sixteens = roled.count(_CAPITALS) if capitals > 15 else 0
    again, differ = _again(data) if smalls or sixteens else (0, 1.0)
    if capitals < 3:
        return 0, 0, smalls * differ, again
    loud = int.from_bytes(data.translate(_LOUD), "little")
    threes = (loud & loud >> 8 & loud >> 16).bit_count() * (capitals - 16 * sixteens) // capitals
    return threes, sixteens * differ, smalls * differ, again


def _again(data: bytes) -> tuple[int, float]:
    """Letters that are the same as the one before, where many are; the share of the others."""
    letters = data.translate(None, _NO_LETTER)
    raw = int.from_bytes(letters, "little")
    again = (raw ^ raw >> 8).to_bytes(len(letters), "little").count(0)
    return (again, 1 - again / len(letters)) if 4 * again > len(letters) else (0, 1.0)


# -- what it consists of ----------------------------------------------------------------------------

_COSTS, _COSTS_BEYOND = tuple(COSTS.values()), tuple(COSTS_BEYOND.values())
_THREES_AT = list(COSTS).index("three digits")
_NAMES = list(COSTS_BEYOND)
_CJK = slice(_NAMES.index("kana"), _NAMES.index("Hangul") + 1)
_OTHER = slice(_NAMES.index("Greek"), _NAMES.index("mark of a sentence"))


def _bucket(plain: Sequence[float], beyond: Sequence[float], size: int) -> Bucket:
    if beyond:
        if 10 * sum(beyond[_CJK]) > size:
            return "cjk"
        if 10 * sum(beyond[_OTHER]) > size:
            return "other_script"
        if 100 * sum(beyond[:3]) > size:
            return "latin_ext"
    threes, left, _, signs = plain[_THREES_AT : _THREES_AT + 4]
    return "structured" if 5 * (signs + 3 * threes + left) > size else "ascii"
