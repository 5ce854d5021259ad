"""What is countable of a text that is not all ASCII: letters with marks, and the leading bytes of other scripts.

Where a leading byte stands for several scripts, what follows it tells them apart; they are looked for, the most usual
first, until all are found.
"""

from __future__ import annotations

from collections.abc import Sequence

COSTS_BEYOND: dict[str, float] = {
    "C2": 1.687, "western mark": 0.789, "eastern mark": 0.613, "letter among marked": 0.022,
    "Romanian, Lithuanian": 0.056, "Slovak": 0.030, "Catalan": 0.035, "Latvian": 0.036, "Estonian": 0.024,
    "Danish, Norwegian": 0.009, "Greek": 0.402, "combining mark": 2.197, "Cyrillic": 0.242, "Cyrillic of Asia": 0.838,
    "Cyrillic, not Russian": 0.107, "Cyrillic, Serbian": 0.055, "Cyrillic, Belarusian": 0.134,
    "Cyrillic capital": 0.449, "Armenian": 0.318, "Hebrew": 0.434, "Arabic": 0.352, "Urdu": 0.060, "Kurdish": 0.241,
    "Syriac, Thaana": 2.209, "Devanagari": 0.357, "Devanagari, not Hindi": 0.065, "Thai": 0.453, "Bengali": 0.404,
    "Tamil": 0.375, "Telugu": 0.437, "Gujarati": 0.443, "Malayalam": 0.355, "Kannada": 0.401, "Gurmukhi": 0.653,
    "Sinhala": 0.609, "Lao": 1.892, "Oriya": 1.185, "Tibetan": 1.526, "Vietnamese": 0.096, "Georgian": 0.342,
    "Burmese": 0.553, "Khmer": 0.466, "Ethiopic": 2.252, "rare script": 3.228, "mark of a sentence": 1.096,
    "box": 0.918, "four of a line": 0.519, "sign of mathematics": 2.522, "symbol": 2.191, "kana": 0.706, "stop": 1.537,
    "Han": 0.635, "traditional Han": 0.249, "Hangul": 0.731, "selector": 5.792, "form": 2.215, "emoji": 1.019,
    "four bytes": 4.195,
}  # fmt: skip
"""Tokens for each, in text that is not all ASCII."""


def _leads(*bounds: int) -> bytes:
    return b"".join(bytes(range(first, after)) for first, after in zip(bounds[::2], bounds[1::2], strict=True))


def _after(lead: int, *bounds: int) -> tuple[bytes, ...]:
    return tuple(bytes((lead, follows)) for follows in _leads(*bounds))


ASCII = bytes(range(0x80))
_LATIN = bytes(range(0x80, 0xCA))  # what follows a lead, and the leads of marked Latin letters
_MARKED = _leads(0xC3, 0xCA)
_FAR = (
    _leads(0xCE, 0xD0), _leads(0xCA, 0xCE), _leads(0xD0, 0xD2), _leads(0xD2, 0xD4), _leads(0xD4, 0xD6),
    _leads(0xD6, 0xD8), _leads(0xD8, 0xDC), _leads(0xDC, 0xE0), b"\xe0", b"\xe1", b"\xe2", b"\xe3",
    _leads(0xE4, 0xEA), b"\xea", _leads(0xEB, 0xEE), b"\xef", _leads(0xF0, 0xF5),
)  # fmt: skip
_KIND = bytes(next((kind for kind, leads in enumerate(_FAR) if byte in leads), 255) for byte in range(256))
_E0 = (
    _after(0xE0, 0xA4, 0xA6), _after(0xE0, 0xB8, 0xBA), _after(0xE0, 0xA6, 0xA8), _after(0xE0, 0xAE, 0xB0),
    _after(0xE0, 0xB0, 0xB2), _after(0xE0, 0xAA, 0xAC), _after(0xE0, 0xB4, 0xB6), _after(0xE0, 0xB2, 0xB4),
    _after(0xE0, 0xA8, 0xAA), _after(0xE0, 0xB6, 0xB8), _after(0xE0, 0xBA, 0xBC), _after(0xE0, 0xAC, 0xAE),
)  # fmt: skip
_E1 = (
    _after(0xE1, 0xBA, 0xBC), _after(0xE1, 0x83, 0x84), _after(0xE1, 0x80, 0x83), _after(0xE1, 0x9E, 0xA0),
    _after(0xE1, 0x88, 0x8E),
)  # fmt: skip
_E2 = (_after(0xE2, 0x80, 0x81), _after(0xE2, 0x94, 0x96), _after(0xE2, 0x86, 0x8C), _after(0xE2, 0xB4, 0xC0))
_BARS = tuple(4 * sign.encode() for sign in "─═")
_TRADITIONAL = tuple(sign.encode() for sign in "無個這為檔")  # often in traditional Chinese, never in simplified
_YERU, _JE, _SHORT_U = "ы".encode(), "ј".encode(), "ў".encode()  # often in Russian, in Serbian, in Belarusian
_CAPITALS = bytes(1 if 0x90 <= byte < 0xB0 else 2 * (byte == 0xD0) for byte in range(256))  # of Cyrillic, if after 2
_HINDI = tuple(word.encode() for word in ("है", "में", "के"))
_URDU, _KURDISH = "ے".encode(), tuple(map(str.encode, "ێۆ"))  # often in these, else seldom
_EASTERN, _SLOVAK = tuple(map(str.encode, "țţăė")), "ľ".encode()
_HORN = "ư".encode()  # often in Vietnamese, in no other language
_LATVIAN, _ESTONIAN, _NORDIC = tuple(map(str.encode, "āēī")), "õ".encode(), tuple(map(str.encode, "øå"))
_TILDE, _SOFT = "ã".encode(), "ö".encode()  # often in Portuguese and Vietnamese, in Swedish
_CATALAN = b" amb "


def beyond(data: bytes) -> Sequence[float]:
    """What COSTS_BEYOND names, counted, in its order; only the first ten where all letters are Latin."""
    high = data.translate(None, ASCII)
    leads, western, horns = high.translate(None, _LATIN), high.count(b"\xc3"), high.count(_HORN)
    marked = len(high) - len(high.translate(None, _MARKED))
    return (
        high.count(b"\xc2"), max(western - 40 * horns, 0), max(marked - western - 40 * horns, 0),
        max(min(25 * marked, len(data)) - 150 * data.count(b" de "), 0) if marked else 0,
        min(40 * sum(map(high.count, _EASTERN)), len(data)) if marked > western and not horns else 0,
        *(_latin(data, high, western, marked, horns) if marked else (0,) * 5),
        *(_far(high, leads) if leads else ()),
    )  # fmt: skip


def _latin(data: bytes, high: bytes, western: int, marked: int, horns: int) -> Sequence[float]:
    """Bytes of text in languages that cost more than their letters with marks tell."""
    if marked > western:
        latvian = min(32 * sum(map(high.count, _LATVIAN)), len(data))
        return min(150 * high.count(_SLOVAK), len(data)), 0, latvian, 0, 0
    if horns:
        return 0, 0, 0, 0, 0
    estonian, nordic = high.count(_ESTONIAN), sum(map(high.count, _NORDIC))
    estonian -= estonian and high.count(_TILDE)
    nordic -= nordic and high.count(_SOFT)
    catalan = min(300 * data.count(_CATALAN), len(data)) if 100 * western > len(data) else 0
    return 0, catalan, 0, min(max(90 * estonian, 0), len(data)), min(max(50 * nordic, 0), len(data))


def _far(high: bytes, leads: bytes) -> Sequence[float]:
    kinds = leads.translate(_KIND)
    (
        greek, combining, russian, asian, armenian, hebrew, arabic, syriac, e0, e1, e2, kana,
        han, ea, hangul, forms, four,
    ) = [kinds.count(kind) for kind in range(len(_FAR))]  # fmt: skip
    cyrillic = russian + asian
    indic, (vietnamese, *asians, rare) = _split(high, e0, _E0), _split(high, e1, _E1)
    marks, box, maths, african, symbols = _split(high, e2, _E2)
    bars = sum(map(high.count, _BARS)) if box else 0
    stops = high.count(b"\xe3\x80") if kana else 0
    traditional = min(60 * sum(map(high.count, _TRADITIONAL)), han) if han > 10 * kana else 0
    yi = ea if ea > hangul else 0  # Korean has fewer of these than of its others
    emoji = high.count(b"\xf0\x9f") if four else 0
    selectors = high.count(b"\xef\xb8\x8f") if forms else 0
    return (
        greek, combining, cyrillic, asian, *(_cyrillic(high, cyrillic) if cyrillic else (0,) * 4), armenian, hebrew,
        arabic, *(_arabic(high, arabic) if arabic else (0, 0)), syriac, indic[0], _not_hindi(high, indic[0]),
        *indic[1:], vietnamese, *asians, rare + african + yi, marks, box - 4 * bars, bars, maths, symbols,
        kana - stops, stops, han, traditional, ea + hangul - yi, selectors, forms - selectors, emoji, four - emoji,
    )  # fmt: skip


def _cyrillic(high: bytes, letters: int) -> tuple[int, ...]:
    """Of so many letters: those not in Russian, in Serbian, in Belarusian; and the capitals, as names have."""
    return (
        max(letters - 80 * high.count(_YERU), 0), min(40 * high.count(_JE), letters),
        min(60 * high.count(_SHORT_U), letters), high.translate(_CAPITALS).count(b"\2\1"),
    )  # fmt: skip


def _arabic(high: bytes, letters: int) -> tuple[int, ...]:
    """Of so many letters: those in Urdu, in Kurdish."""
    return min(20 * high.count(_URDU), letters), min(16 * sum(map(high.count, _KURDISH)), letters)


def _not_hindi(high: bytes, letters: int) -> int:
    return max(letters - 24 * sum(map(high.count, _HINDI)), 0) if letters else 0


def _split(high: bytes, size: int, scripts: Sequence[Sequence[bytes]]) -> Sequence[int]:
    """How many of so many letters are of each script, and how many of none."""
    if not size:
        return (0,) * (len(scripts) + 1)
    found = []
    for pairs in scripts:
        found.append(sum(map(high.count, pairs)) if size > 0 else 0)
        size -= found[-1]
    return [*found, max(size, 0)]
