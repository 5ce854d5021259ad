"""What is asked: a short question, and prompts of a given size that differ from each other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import count, repeat
from pathlib import Path

PROMPT = "What is the capital of France, and why is it known for its museums? Please be brief."
_TEXTS = Path(__file__).parents[2] / "docs"


@lru_cache(maxsize=1)
def _text() -> str:
    """The pages of this repository, one after the other."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(_TEXTS.glob("*.md")))


def prompt(characters: int, number: int) -> str:
    """A piece of the pages; another number is another piece, so that nothing remembered of one helps the next."""
    text = _text()
    start = number * 1_009 % (len(text) - characters)
    return text[start : start + characters]


def same() -> Iterator[str]:
    """The short question, again and again."""
    return repeat(PROMPT)


def of_size(kb: int) -> Iterator[str]:
    """Of so many thousand characters, each another piece."""
    return (prompt(kb * 1_000, number) for number in count())
