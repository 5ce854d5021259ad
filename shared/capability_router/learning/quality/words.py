"""The words of a text as numbers: found, hashed and counted in a handful of array operations.

A word is a run of letters and digits. Every other character but spaces is a word of its own, and so is each letter of
a script without spaces. All words that begin with a digit are one: the number itself teaches nothing. The hash of a
word is a polynomial in its bytes: differences of one running sum give all of them at once. It is the same in every
process and on every machine.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Hashes = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

MOST_CHARACTERS = 8_000
_HEAD = 2_000  # of a longer text, this much of its beginning is read, and the rest from its end
_BASE = 0x9E3779B97F4A7C15  # odd: it has an inverse modulo 2**64
_INVERSE = pow(_BASE, -1, 1 << 64)
_MIXERS = tuple(np.uint64(m) for m in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93))
_NUMBER = np.uint64(0x5851F42D4C957F2D)
_SPACE, _SIGN, _LETTER, _DIGIT, _ALONE = range(5)


class HashedWords(NamedTuple):
    """A text's bytes, ASCII letters in lower case (`plain`: unchanged), and per word its hash and its length."""

    data: Bytes
    plain: Bytes
    hashes: Hashes
    lengths: NDArray[np.intp]


def words(text: str) -> HashedWords:
    """The words of a text in order; of a long text its beginning and its end."""
    plain = np.frombuffer(bounded(text).encode("utf-8", "replace"), np.uint8)
    data = _LOWER[plain]
    kind = _KIND[data]
    before = np.empty_like(kind)
    before[:1], before[1:] = _SPACE, kind[:-1]
    joined = ((kind == _LETTER) | (kind == _DIGIT)) & (before >= _LETTER)
    starts = np.flatnonzero((kind != _SPACE) & ~joined)
    ends = _ends(starts, kind)
    hashes = _hashes(data, starts, ends)
    hashes[kind[starts] == _DIGIT] = _NUMBER
    return HashedWords(data, plain, hashes, ends - starts)


def pairs(hashes: Hashes) -> Hashes:
    """Hashes of adjacent words."""
    return _mixed(hashes[:-1] * _MIXERS[2] + hashes[1:])


def word_hash(word: str) -> int:
    """The hash of this one word in `words`; of two words, their hash in `pairs`."""
    found = words(word).hashes
    return int(found[0] if len(found) == 1 else pairs(found)[0])


def signed(hashes: Hashes, size: int) -> Array:
    """A vector of `size` (a power of two) for a bag of hashes, normalised: 1 + log of the count of each, signed."""
    each, count = np.unique(hashes, return_counts=True)
    weight = 1.0 + np.log(count)
    weight[(each >> np.uint64(63)).astype(bool)] *= -1.0
    vector = np.bincount((each & np.uint64(size - 1)).astype(np.intp), weight, size)
    return unit(vector.astype(np.float64))


def unit(vector: Array) -> Array:
    """Normalised to length 1; zeros stay zeros."""
    length = float(np.sqrt(vector @ vector))
    return vector / length if length > 0.0 else vector


def bounded(text: str) -> str:
    """A long text's first 2,000 and last 5,999 characters, with a space between."""
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:_HEAD]} {text[_HEAD - MOST_CHARACTERS + 1 :]}"


def _ends(starts: NDArray[np.intp], kind: Bytes) -> NDArray[np.intp]:
    """Where each word ends: at the next start, or at the first byte that is neither letter nor digit."""
    breaks = np.flatnonzero(kind <= _SIGN)
    nexts = np.append(starts[1:], len(kind))
    gap = np.append(breaks, len(kind))[np.searchsorted(breaks, starts, side="right")]
    return np.asarray(np.minimum(nexts, gap), np.intp)


def _hashes(data: Bytes, starts: NDArray[np.intp], ends: NDArray[np.intp]) -> Hashes:
    sums = np.zeros(len(data) + 1, np.uint64)
    np.cumsum((data + np.uint64(1)) * _powers(_BASE, _POWERS, len(data)), out=sums[1:])
    return _mixed((sums[ends] - sums[starts]) * _powers(_INVERSE, _INVERSES, len(data))[starts])


def _mixed(hashes: Hashes) -> Hashes:
    hashes = (hashes ^ (hashes >> np.uint64(30))) * _MIXERS[0]
    hashes = (hashes ^ (hashes >> np.uint64(27))) * _MIXERS[1]
    return hashes ^ (hashes >> np.uint64(31))


_POWERS: list[Hashes] = []
_INVERSES: list[Hashes] = []


def _powers(base: int, known: list[Hashes], count: int) -> Hashes:
    """base ** 0, 1, ... modulo 2**64; cached, because every text needs a prefix of the same series."""
    if not known or len(known[0]) < count:
        row = np.full(max(count, 2_048), base, np.uint64)
        row[0] = 1
        known[:] = [np.cumprod(row, dtype=np.uint64)]
    return known[0][:count]


def _kinds() -> Bytes:
    """The kind of each byte; the first byte of a character of three bytes or more, from U+2000 on, is a word of its
    own.
    """
    kind = np.full(256, _SIGN, np.uint8)
    kind[:33], kind[127] = _SPACE, _SPACE
    kind[48:58] = _DIGIT
    kind[65:91] = kind[97:123] = kind[128:] = _LETTER
    kind[0xE2:] = _ALONE
    return kind


_KIND = _kinds()
_LOWER = np.arange(256, dtype=np.uint8)
_LOWER[65:91] += 32
