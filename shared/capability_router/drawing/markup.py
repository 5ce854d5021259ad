"""HTML and SVG elements as text, escaped by type: everything but Markup is escaped on insertion."""

from __future__ import annotations

import re
from html import escape

_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff"
    r"\u202a-\u202e\u2066-\u2069]"  # writing directions, which would reverse the numbers after a name
)


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: object) -> Markup:
    """The value as literal text; characters that are invalid in a page, or turn its direction, become U+FFFD."""
    return value if isinstance(value, Markup) else Markup(escape(_UNPRINTABLE.sub("\ufffd", str(value)), quote=True))


def join(*parts: object) -> Markup:
    """The parts one after another, each escaped unless it is markup."""
    return Markup("".join(text(part) for part in parts))


def element(name: str, *children: object, **attributes: object) -> Markup:
    """`<name attributes>children</name>`. `class_` is class, `text_anchor` is text-anchor, None is left out."""
    given = ((_named(key), _short(value)) for key, value in attributes.items() if value is not None)
    stated = "".join(f' {key}="{text(value)}"' for key, value in given)
    return Markup(f"<{name}{stated}>{join(*children)}</{name}>")


def _named(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _short(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
