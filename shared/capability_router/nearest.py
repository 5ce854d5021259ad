"""What an error says about an unknown name: the nearest known one."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(
    name: object, known: Iterable[str], otherwise: str | None = None, *, tail: str = "", likeness: float = 0.6
) -> str:
    """'; did you mean ...?' with the known word most like `name`, to be appended to an error.

    If none is similar: `otherwise`, by default '; known: ' and all the words in their order. `tail` is written after
    the word, within its quotes. `likeness`: how similar it must be, 0 to 1 (difflib's ratio).
    """
    from difflib import get_close_matches  # only an error needs it

    words = list(known)
    near = get_close_matches(str(name), words, n=1, cutoff=likeness)
    if near:
        return f"; did you mean {near[0] + tail!r}?"
    return f"; known: {', '.join(words)}" if otherwise is None else otherwise
