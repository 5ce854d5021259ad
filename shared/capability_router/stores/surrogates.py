"""Names as every store and file can hold them."""

from __future__ import annotations


def sound(text: str) -> str:
    """Without halves of surrogate pairs, as are left of a text that was cut within an emoji: each becomes "?"."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
