"""Tokens of a text, estimated: what is countable in its bytes times what each costs in a current vocabulary.

A tokenizer cuts where letters, digits, signs and spaces meet, so what is counted are mostly such meetings:
a word after a space, a word after a sign, every third digit, a capital inside a word. Rare letters, marks
and other scripts cost extra. The costs were fitted by non-negative least squares against o200k on one half of
what is installed on a machine and judged on the other half: `python -m benchmarks.tokens`.

Every byte is translated to a byte of flags; the translated text, read as one long integer, is then asked for
all its meetings at once: `first & second >> 8` has a bit for each. That takes half the time of
counting pairs, and no longer on texts whose next letter nobody can foresee. Of a long text a sample is read.
"""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Sequence
from operator import mul
from typing import Literal, NamedTuple

SAMPLE_ABOVE = 16_384  # characters
_SAMPLES, _SAMPLE = 32, 512
_FEW_SPACES = 20  # characters to a space, and more: not words

Bucket = Literal["ascii", "structured", "latin_ext", "other_script", "cjk"]
"""What a text consists of, as far as tokenizers differ by it; "structured" is ASCII, a fifth of it digits and signs."""

COSTS: dict[str, float] = {
    "word after space": 1.003, "word after line": 0.668, "word after sign": 0.739, "number after space": 1.639,
    "number after sign": 0.843, "digit in word": 1.369, "sign after space": 0.879, "capital in name": 0.686,
    "capital in jumble": 2.203, "word far in": 0.166, "small letter": 0.000, "eight small letters": 0.241,
    "far from the largest languages": 0.026, "rare letter": 0.432, "three digits": 0.990, "digit left": 0.425,
    "sign": 0.386, "eight signs": 2.707, "four of a rule": 0.061, "line after sign": 0.970, "line": 1.734,
    "line after line": 0.057, "tab": 1.385, "tab after tab": 0.057, "capital after digit": 0.062,
    "four consonants": 0.161, "three capital consonants": 1.194, "four capitals": 0.057, "sixteen capitals": 7.618,
    "sixteen small letters": 5.065,
}  # fmt: skip
"""Tokens for each, in text of any kind."""

COSTS_BEYOND: dict[str, float] = {
    "C2": 1.981, "marked letter": 0.765, "letter among marked": 0.048, "Romanian, Lithuanian": 0.112, "Greek": 0.407,
    "combining mark": 2.205, "Cyrillic": 0.264, "Cyrillic, not Russian": 0.130, "Cyrillic, Serbian": 0.036,
    "Armenian, Hebrew": 0.490, "Arabic": 0.347, "Indic, Thai": 0.415, "Gurmukhi": 0.231, "Georgian, Khmer": 0.375,
    "Burmese": 0.554, "rare script": 2.298, "box": 1.019, "four of a line": 0.341, "symbol": 1.163, "kana": 0.716,
    "Han": 0.733, "traditional Han": 0.236, "Hangul": 0.736, "four bytes": 1.627,
}  # fmt: skip
"""Tokens for each, in text that is not all ASCII."""


class Measured(NamedTuple):
    """`tokens`: estimated, not rounded, at least 1; `bucket`: what the text consists of."""

    tokens: float
    bucket: Bucket


def estimate_tokens(text: str) -> int:
    """Tokens that the text will take in a current model's vocabulary; 0 for an empty one."""
    return round(measure(text).tokens) if text else 0


def measure(text: str) -> Measured:
    """The text's tokens and what it consists of."""
    size = len(text)
    if size > SAMPLE_ABOVE:
        step = (size - _SAMPLE) / (_SAMPLES - 1)
        text = "".join([text[int(i * step) : int(i * step) + _SAMPLE] for i in range(_SAMPLES)])
    plain, beyond = counts(text)
    tokens = sum(map(mul, plain, _COSTS))
    if beyond:
        tokens += sum(map(mul, beyond, _COSTS_BEYOND))
    if size > SAMPLE_ABOVE:
        tokens *= size / len(text)
    most = size if not beyond else 4 * size  # a token is at least a byte
    return Measured(min(max(tokens, 1.0), most), _bucket(plain, beyond, len(text)))


def most_tokens(texts: Iterable[str]) -> int:
    """What to reserve money for at least where a text is unlike all that the estimate knows; 0 for what has spaces.

    Signs and letters of ASCII without spaces between them are sequences, codes or packed data: with the quarter that
    every reservation adds, it is a token for one and a half of their bytes.
    """
    data = "".join(texts).encode("ascii", "ignore")
    spaces = data.count(b" ") + data.count(b"\n") + data.count(b"\t")
    return 0 if _FEW_SPACES * spaces > len(data) else math.ceil(len(data) / (1.25 * 1.5))


def counts(text: str) -> tuple[Sequence[int], Sequence[int]]:
    """What COSTS and COSTS_BEYOND name, counted, in their order; the second is empty for ASCII."""
    data = (" " + text).encode("utf-8", "replace")
    plain = _plain(data)
    return plain, () if text.isascii() else _beyond(data, plain[_SMALL_AT])


# -- any text ---------------------------------------------------------------------------------------

_SMALL, _CAPITAL, _DIGIT, _SIGN, _SPACE, _LINE, _TAB, _RARE = (
    string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation, " ", "\n\r", "\t", "jkqvxzw",
)  # fmt: skip
_LETTER = _SMALL + _CAPITAL
_PAIRS = (
    (_SPACE, _LETTER), (_LINE, _LETTER), (_SIGN + _TAB, _LETTER), (_SPACE, _DIGIT), (_SIGN, _DIGIT), (_LETTER, _DIGIT),
    (_SPACE, _SIGN), (_SMALL, _CAPITAL),
)  # fmt: skip
_ROLES = (_SPACE, _CAPITAL, _DIGIT, _SIGN, _LINE, _RARE, _TAB, _SMALL)
# A space's role has the flag of the first pair, a small letter's that of the last: they are laid over these pairs.


def _flags(sets: Sequence[str]) -> bytes:
    """A table for `translate`: for each byte, which of the sets hold its character, a bit each."""
    return bytes(sum((chr(byte) in members) << bit for bit, members in enumerate(sets)) for byte in range(256))


_FIRST, _SECOND = _flags([first for first, _ in _PAIRS]), _flags([second for _, second in _PAIRS])
_ROLE = _flags(_ROLES)
_FLAG = [int.from_bytes(bytes((1 << bit,)) * (4 * SAMPLE_ABOVE + 8), "little") for bit in range(8)]
_CONSONANT = _flags(["".join(set(_LETTER) - set("aeiouyAEIOUY"))])
_SMALL_ONLY = _flags([_SMALL])
_CAPITALS, _SMALLS = _ROLE[ord("A") : ord("A") + 1] * 16, b"\1" * 16
_RULES = tuple(4 * sign.encode() for sign in "-=*#_~./+")
_DIGITS, _LETTERS, _SIGNS = (_ROLE[ord(c) : ord(c) + 1] * n for c, n in (("0", 3), ("a", 8), ("-", 8)))


def _plain(data: bytes) -> Sequence[int]:
    roled = data.translate(_ROLE)
    first = int.from_bytes(data.translate(_FIRST), "little")
    second = int.from_bytes(data.translate(_SECOND), "little")
    role = int.from_bytes(roled, "little")
    met = first & second >> 8
    far = (met & role << 8 & _FLAG[0]).bit_count()
    inside = (met & _FLAG[7]).bit_count()
    name = (met & role >> 16 & _FLAG[7]).bit_count() if inside else 0
    _, capitals, digits, signs, lines, rare, tabs, small = [(role & flag).bit_count() for flag in _FLAG]
    pairs = [(met & flag).bit_count() for flag in _FLAG[:7]]
    threes = roled.count(_DIGITS) if digits > 2 else 0
    eights = roled.count(_SIGNS) if signs > 7 else 0
    rules = sum(map(data.count, _RULES)) if eights else 0
    return [
        *pairs, name, inside - name, far,
        small, roled.count(_LETTERS), max(small - 40 * data.count(b"th") - 150 * data.count(b" de "), 0),
        rare, threes, digits - 3 * threes, signs - 4 * rules, max(eights - rules // 2, 0), rules,
        *_ends(role, lines, tabs), *_jumbles(data, roled, role, small, capitals),
    ]  # fmt: skip


def _ends(role: int, lines: int, tabs: int) -> tuple[int, ...]:
    """Ends of lines and tabs: what follows its like, or a sign, is often one token with it."""
    blank = (role & role >> 8 & _FLAG[4]).bit_count()
    ended = (role << 1 & role >> 8 & _FLAG[4]).bit_count()
    columns = (role & role >> 8 & _FLAG[6]).bit_count() if tabs else 0
    return ended, lines - blank - ended, blank, tabs - columns, columns


def _jumbles(data: bytes, roled: bytes, role: int, small: int, capitals: int) -> tuple[int, ...]:
    """Letters that make no words: many consonants, or one case without an end."""
    consonant = int.from_bytes(data.translate(_CONSONANT), "little")
    two = consonant & consonant >> 8
    fours = (two & two >> 16).bit_count()
    smalls = data.translate(_SMALL_ONLY).count(_SMALLS) if small > 15 else 0
    if capitals < 3:
        return 0, fours, 0, 0, 0, smalls
    sixteens = roled.count(_CAPITALS) if capitals > 15 else 0
    loud = consonant << 1 & role
    threes = (loud & loud >> 8 & loud >> 16).bit_count() * (capitals - 16 * sixteens) // capitals
    after_digit = (role >> 1 & role >> 8 & _FLAG[1]).bit_count()
    return after_digit, fours, threes, roled.count(_CAPITALS[:4]) - 4 * sixteens, sixteens, smalls


# -- text that is not all ASCII ---------------------------------------------------------------------


def _leads(first: int, after: int) -> bytes:
    return bytes(range(first, after))


_LATIN = bytes(range(0xCA))  # ASCII, what follows a lead, and the leads of marked Latin letters
_MARKED, _FAR_LEADS = _leads(0xC3, 0xCA), (
    _leads(0xCE, 0xD0), _leads(0xCA, 0xCE), _leads(0xD0, 0xD4), _leads(0xD4, 0xD8), _leads(0xD8, 0xE0),
    b"\xe0", b"\xe1", b"\xe2", b"\xe3",
    bytes((*range(0xE4, 0xEA), 0xEF)), _leads(0xEA, 0xEE), _leads(0xF0, 0xF5),
)  # fmt: skip
_TRADITIONAL = tuple(sign.encode() for sign in "無個這為檔")  # often in traditional Chinese, never in simplified
_YERU, _JE = "ы".encode(), "ј".encode()  # often in Russian, often in Serbian
_EASTERN = ("ț".encode(), "ţ".encode(), "ė".encode())
_HORN = "ư".encode()  # often in Vietnamese, in no other language
_BURMESE, _GEORGIAN_KHMER = (b"\xe1\x80", b"\xe1\x81"), (b"\xe1\x83", b"\xe1\x9e", b"\xe1\x9f")
_RARE_E0 = tuple(bytes((0xE0, after)) for after in (0xBA, 0xBB, 0xBC, 0xBD, 0xBE))  # Lao, Tibetan
_BOX, _BARS = (b"\xe2\x94", b"\xe2\x95"), tuple(4 * sign.encode() for sign in "─═")
_NONE_FAR = (0,) * 20


def _beyond(data: bytes, small: int) -> Sequence[int]:
    marked = len(data) - len(data.translate(None, _MARKED))
    leads = data.translate(None, _LATIN)
    return (
        data.count(b"\xc2"),
        max(marked - 40 * data.count(_HORN), 0),
        max(min(25 * marked, small) - 150 * data.count(b" de "), 0),
        min(40 * sum(map(data.count, _EASTERN)), small) if marked else 0,
        *(_far(data, leads) if leads else _NONE_FAR),
    )


def _far(data: bytes, leads: bytes) -> Sequence[int]:
    size = len(leads)
    greek, combining, cyrillic, hebrew, arabic, indic, more, symbols, kana, han, hangul, four = [
        size - len(leads.translate(None, members)) for members in _FAR_LEADS
    ]
    not_russian = cyrillic - min(80 * data.count(_YERU), cyrillic) if cyrillic else 0
    serbian = min(40 * data.count(_JE), cyrillic) if cyrillic else 0
    gurmukhi = data.count(b"\xe0\xa8") + data.count(b"\xe0\xa9") if indic else 0
    rare = sum(map(data.count, _RARE_E0)) if indic else 0
    vietnamese = data.count(b"\xe1\xba") + data.count(b"\xe1\xbb") if more else 0
    burmese = sum(map(data.count, _BURMESE)) if more > vietnamese else 0
    known = sum(map(data.count, _GEORGIAN_KHMER)) if more > vietnamese else 0
    box = sum(map(data.count, _BOX)) if symbols else 0
    bars = sum(map(data.count, _BARS)) if box else 0
    traditional = min(60 * sum(map(data.count, _TRADITIONAL)), han) if han > 10 * kana else 0
    return (
        greek, combining, cyrillic, not_russian, serbian, hebrew, arabic, indic - rare, gurmukhi, known, burmese,
        rare + more - vietnamese - known - burmese, box - 4 * bars, bars, symbols - box, kana,
        han, traditional, hangul, four,
    )  # fmt: skip


# -- what it consists of ----------------------------------------------------------------------------

_COSTS, _COSTS_BEYOND = tuple(COSTS.values()), tuple(COSTS_BEYOND.values())
_THREES_AT, _SMALL_AT = (list(COSTS).index(name) for name in ("three digits", "small letter"))


def _bucket(plain: Sequence[int], beyond: Sequence[int], size: int) -> Bucket:
    if beyond:
        c2, marked, _, _, greek, _, cyrillic, _, _, hebrew, arabic, indic, _, *more = beyond
        *more, _, _, _, kana, han, _, hangul, _ = more
        if 10 * (kana + han + hangul) > size:
            return "cjk"
        if 10 * (greek + cyrillic + hebrew + arabic + indic + sum(more)) > size:
            return "other_script"
        if 100 * (marked + c2) > size:
            return "latin_ext"
    threes, left, signs = plain[_THREES_AT : _THREES_AT + 3]
    return "structured" if 5 * (signs + 3 * threes + left) > size else "ascii"
