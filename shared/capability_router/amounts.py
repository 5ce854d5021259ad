"""Formats amounts for people: money, counts, shares, times."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Context, Decimal

_DAY = 86_400
_EXACT = Context(prec=100)  # the caller's own context may round


def money(pico: int) -> str:
    """Picodollars as USD: cents from a dollar on, below it four significant digits."""
    if pico < 0:
        return f"-{money(-pico)}"
    dollars = pico / 1e12
    if pico == 0:
        return "$0"
    if dollars >= 1:
        return f"${dollars:,.2f}"
    digits = next((n for n in range(4, 12) if dollars >= 10.0 ** (3 - n)), 12)
    return f"${dollars:.{digits}f}"


def exact(dollars: Decimal | float) -> str:
    """USD with every digit, for exact comparisons: "$0.0153875"."""
    return f"${Decimal(str(dollars)).normalize(_EXACT):f}"


def count(number: int) -> str:
    """With thousands separated."""
    return f"{number:,}"


def counted(number: int, noun: str, several: str = "") -> str:
    """A number with its noun: "1 request", "2,000 requests"; `several`: the plural, if it is not formed with an s."""
    return f"{number:,} {noun if number == 1 else several or f'{noun}s'}"


def brief(number: int) -> str:
    """A count shortened to its first digits: "24.4 M"; in full below 100,000."""
    for power, unit in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if number >= max(10**power, 100_000):
            return f"{number / 10**power:,.4g} {unit}"
    return count(number)


def share(part: float, whole: float) -> str:
    """A percentage; "–" if the whole is 0."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def seconds(value: float | None) -> str:
    """A duration: ms below a second, then seconds; "–" when unknown."""
    if value is None:
        return "–"
    if value < 0.01:
        return f"{value * 1000:.2g} ms"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s" if value < 100 else f"{value:,.0f} s"


def offset(value: float) -> str:
    """A time since the beginning: "0.25 s", "12.3 s", "3:05 min", "2:30 h", "3 d 04 h"."""
    whole = round(value)
    if value < 1:
        return f"{value:.2g} s"
    if whole < 120:
        return f"{round(value, 1):g} s"
    if whole < 7_200:
        return f"{whole // 60}:{whole % 60:02d} min"
    if whole < 2 * _DAY:
        return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
    return f"{whole // _DAY} d {whole % _DAY // 3600:02d} h"


def stamp(unix: float) -> str:
    """A point in time, UTC."""
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S} UTC"


def time_of(unix: float) -> str:
    """A month, day and time without the year, UTC."""
    return f"{datetime.fromtimestamp(round(unix), UTC):%m-%d %H:%M:%S}"
