"""The text of a stream so far, for integrations that give it in different ways."""

from __future__ import annotations

from itertools import pairwise

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse, TextBlock

Response = ChatResponse | CompletionResponse


def chunk_text(response: Response) -> str:
    """The text in a chunk: all so far, or only its own piece.

    LlamaIndex's MistralAI adds, with each chunk, a block with all text so far; then only the last block counts.
    """
    if not isinstance(response, ChatResponse):
        return response.text or ""
    blocks = response.message.blocks
    if len(blocks) < 2:  # the usual case
        return response.message.content or ""
    texts = [block.text for block in blocks if isinstance(block, TextBlock)]
    grown = len(texts) > 1 and all(after.startswith(before) for before, after in pairwise(texts))
    return texts[-1] if grown else response.message.content or ""


class StreamText:
    """Joins the text. Most integrations give all text so far with every chunk, some only the increment, some later.

    If the text grows by more than the increments, the integration has inserted text of its own; then they are joined.
    """

    __slots__ = ("_own", "_said", "_unsaid", "_whole", "text")

    def __init__(self) -> None:
        self._said = self.text = ""
        self._whole = self._unsaid = 0  # characters: of the given text, and those that were in no increment
        self._own = False

    def take(self, response: Response) -> str:
        """Read a chunk; returns the text so far."""
        whole, piece = chunk_text(response), response.delta or ""
        self._said += piece
        self._unsaid += 0 if piece else max(len(whole) - self._whole, 0)
        self._whole = max(len(whole), self._whole)
        self._own = self._own or len(whole) > len(self._said) + self._unsaid
        self.text = whole if len(whole) >= len(self._said) and not self._own else self._said
        return self.text
