"""Phone numbers, by the package `phonenumbers`: only numbers that are valid in their country count."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from capability_router.errors import ConfigError

_WORLDWIDE = re.compile(r"\+[0-9](?:[ ().\-/]{0,2}[0-9]){6,14}+")
_NATIONAL = re.compile(r"[(0-9](?<![0-9A-Za-z+.-].)[ ]?(?:[ ().\-/]{0,2}[0-9]){6,14}+(?:(?=x[0-9])|(?![0-9A-Za-z]))")
_OTHER = re.compile(r"[0-9]+(?:\.[0-9]+)?$|[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])")  # plain digits are anything; a date
_AROUND = 8  # characters after a number that tell a date with its time from it

_MISSING = (
    "screen looks for pii.phone, which needs phonenumbers: install capability-router[screen], or name the other labels "
    "that it is to look for (screen.labels)"
)
Phones = Callable[[str], int]
"""The number of phone numbers in a text."""


def phones(region: str | None) -> Phones:
    """With a region such as "US", also numbers in that country's national notation, in groups. Raises ConfigError."""
    try:
        import phonenumbers as package  # here: only detectors of telephone numbers need it
    except ModuleNotFoundError as error:
        raise ConfigError(_MISSING) from error
    if region is not None and region not in package.SUPPORTED_REGIONS:
        raise ConfigError(f"screen.phone_region must be a country's two letters such as 'US', got {region!r}")

    def valid(written: str) -> bool:
        try:
            return package.is_valid_number(package.parse(written, None))
        except package.NumberParseException:
            return False

    def local(text: str, at: re.Match[str]) -> bool:
        if _OTHER.match(at[0]):
            return False
        piece = text[at.start() : at.end() + _AROUND]
        strictly = package.Leniency.STRICT_GROUPING
        found = package.PhoneNumberMatcher(piece, region, strictly, 1)
        return found.has_next() and found.next().start == 0

    def count(text: str) -> int:
        known = [at for at in _WORLDWIDE.finditer(text) if valid(at[0])] if "+" in text else []
        rest = _without(text, known) if known and region else text
        return len(known) + (sum(local(rest, at) for at in _NATIONAL.finditer(rest)) if region else 0)

    return count


def _without(text: str, found: Sequence[re.Match[str]]) -> str:
    """Without these, of which the end looks like another; they follow each other."""
    starts, ends = [*(at.start() for at in found), len(text)], [0, *(at.end() for at in found)]
    return "\n".join(text[begin:end] for begin, end in zip(ends, starts, strict=True))
