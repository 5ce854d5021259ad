"""What is asked: a short question, and prompts of a given size that differ from each other."""

from __future__ import annotations

from functools import lru_cache
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
