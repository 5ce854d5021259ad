"""Checks whether digits are what they look like: a payment card's number, a bank account's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class _Issuer(NamedTuple):
    """The prefixes from `least` to `most`, whose numbers have one of `lengths`."""

    least: str
    most: str
    lengths: tuple[int, ...]


_ISSUERS = (
    _Issuer("4", "4", (13, 16, 19)),  # Visa
    _Issuer("51", "55", (16,)), _Issuer("2221", "2720", (16,)),  # Mastercard
    _Issuer("34", "34", (15,)), _Issuer("37", "37", (15,)),  # American Express
    _Issuer("6011", "6011", (16,)), _Issuer("644", "659", (16,)),  # Discover
    _Issuer("300", "305", (14,)), _Issuer("36", "36", (14,)), _Issuer("38", "39", (14,)),  # Diners Club
    _Issuer("3528", "3589", (16,)),  # JCB
    _Issuer("62", "62", (16, 17, 18, 19)),  # UnionPay
)  # fmt: skip
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # a digit twice, its own digits added up
_LENGTHS = {
    country: int(length)
    for length, countries in (
        line.split(":")
        for line in (
            "15:NO", "16:BE", "18:DK FI FO GL NL SD", "19:MK SI", "20:AT BA EE KZ LT LU XK", "21:CH HR LI LV",
            "22:BG BH CR DE GB GE IE ME RS VA", "23:AE GI IL IQ TL", "24:AD CZ ES MD PK RO SA SE SK TN VG",
            "25:LY PT ST", "26:IS TR", "27:FR GR IT MC MR SM", "28:AL AZ BY CY DO GT HU LB PL",
            "29:BR EG PS QA UA", "30:JO KW MU", "31:MT SC", "32:LC SV",
        )
    )
    for country in countries.split()
}  # fmt: skip


def is_card(written: str) -> bool:
    """13 to 19 digits, possibly in groups, checked by issuer prefix, length and check digit."""
    digits = "".join(filter(str.isdigit, written))
    return any(_issued(digits, issuer) for issuer in _ISSUERS) and _luhn(digits)


def _issued(digits: str, issuer: _Issuer) -> bool:
    return len(digits) in issuer.lengths and issuer.least <= digits[: len(issuer.least)] <= issuer.most


def _luhn(digits: str) -> bool:
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0


def is_account(text: str, at: int) -> bool:
    """Whether an IBAN begins here, in capitals, possibly in groups; checked by its country's length and check
    digits.
    """
    wanted = _LENGTHS.get(text[at : at + 2])
    if wanted is None:
        return False
    written = list(_written(text, at, wanted))
    if len(written) < wanted:
        return False
    turned = "".join(written[4:] + written[:4])
    return int("".join(str(int(each, 36)) for each in turned)) % 97 == 1


def _written(text: str, at: int, count: int) -> Iterator[str]:
    """This many letters and digits from here, without single spaces; fewer if the word ends before, or is longer."""
    spaced = False
    while count and at < len(text):
        each = text[at]
        at += 1
        if each == " " and not spaced:
            spaced = True
            continue
        if not _in_word(each):
            return
        spaced = False
        count -= 1
        if count or not _in_word(text[at : at + 1]):
            yield each.upper()


def _in_word(each: str) -> bool:
    return each.isascii() and each.isalnum()
