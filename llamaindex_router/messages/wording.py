"""The text of a stream so far, whichever way its integration gives it."""

from __future__ import annotations

from itertools import pairwise

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse, TextBlock

Response = ChatResponse | CompletionResponse


def words_of(response: Response) -> str:
    """The text that a chunk holds: all so far, or its own piece.

    LlamaIndex's MistralAI adds a block with all so far to those before it; only the last one counts then.
    """
    if not isinstance(response, ChatResponse):
        return response.text or ""
    blocks = response.message.blocks
    if len(blocks) < 2:  # as most
        return response.message.content or ""
    texts = [block.text for block in blocks if isinstance(block, TextBlock)]
    grown = len(texts) > 1 and all(after.startswith(before) for before, after in pairwise(texts))
    return texts[-1] if grown else response.message.content or ""


class Wording:
    """Most integrations give the text so far with every chunk, some only its increment, some are late with it.

    One whose text grows by more than the chunk brought has put something of its own between.
    """

    __slots__ = ("_own", "_said", "_unsaid", "_whole", "text")

    def __init__(self) -> None:
        self._said = self.text = ""
        self._whole = self._unsaid = 0  # in characters: of the text as given, and what of it no increment had
        self._own = False

    def take(self, response: Response) -> str:
        """The text so far, with this chunk's."""
        whole, piece = words_of(response), response.delta or ""
        self._said += piece
        self._unsaid += 0 if piece else max(len(whole) - self._whole, 0)
        self._whole = max(len(whole), self._whole)
        self._own = self._own or len(whole) > len(self._said) + self._unsaid
        self.text = whole if len(whole) >= len(self._said) and not self._own else self._said
        return self.text
