"""The text of a stream so far, whichever way its integration gives it."""

from __future__ import annotations

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse

Response = ChatResponse | CompletionResponse


def words_of(response: Response) -> str:
    """The text that a chunk holds: all so far, or its own piece."""
    return (response.message.content if isinstance(response, ChatResponse) else response.text) or ""


class Wording:
    """Most integrations give the text so far with every chunk, some only its increment, some are late with it."""

    __slots__ = ("_said", "text")

    def __init__(self) -> None:
        self._said = self.text = ""

    def take(self, response: Response) -> str:
        """The text so far, with this chunk's."""
        whole = words_of(response)
        self._said += response.delta or ""
        self.text = whole if len(whole) >= len(self._said) else self._said
        return self.text
