"""Shows the refusal in a message of ChatEndpoint as a standard content block, which middleware looks for.

langchain-core does so for messages of the provider "openai" only.
"""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, content
from langchain_core.messages.block_translators import get_translator, register_translator

_STANDARD = hasattr(content, "RefusalContentBlock")  # langchain-core has none before its 1.7.5


def show_refusals(provider: str) -> None:
    """Register the blocks for messages of this provider. A translator that another package registered stays."""
    if _STANDARD and get_translator(provider) is None:
        register_translator(provider, _with_refusal, _with_refusal)


def _with_refusal(message: AIMessage) -> list[Any]:
    """Core's own blocks, followed by the refusal. NotImplementedError lets core make its own blocks alone."""
    beside = dict(message.additional_kwargs)
    refusal = beside.pop("refusal", None)
    if not isinstance(refusal, str) or not refusal:
        raise NotImplementedError
    blocks = message.model_copy(update={"additional_kwargs": beside}).content_blocks
    return [*blocks, {"type": "refusal", "refusal": refusal}]
