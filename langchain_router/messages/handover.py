"""Converts a conversation with one provider for another one.

A provider rejects reasoning that another one has signed, and records of another one's server-side tools. These are
removed; texts, tool calls and their results stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from capability_router.catalog.aliases import canonical, needs_prefix_mark
from langchain_router.messages.kinds import is_ai
from langchain_router.partners.dialects import DIALECTS, dialect_of

_SHARED = {"text", "tool_use", "tool_call", "tool_call_chunk", "input_json_delta"}
"""Kinds of blocks that every provider's package can send; all others are specific to their provider."""

_AUTHORS = {dialect.provider: dialect.author for dialect in DIALECTS if dialect.author}
"""The provider name in a class's messages, if it differs from the provider that the class states."""


def continued(prefix: str, provider: str) -> AIMessage:
    """The beginning of an answer, as the last message of the request that asks for the rest.

    Spaces at its end are removed, because Anthropic rejects them.
    """
    mark = {"prefix": True} if needs_prefix_mark(provider) else {}
    return AIMessage(prefix.rstrip(), additional_kwargs=mark)


def converted_history(
    messages: Sequence[BaseMessage], provider: str, model: BaseChatModel | None = None
) -> tuple[list[BaseMessage], int]:
    """The messages for this provider, and how many blocks of other providers were removed or changed.

    `provider`: the one on the candidate's card. `model`: gives the provider name that its class uses.
    """
    dropped = 0
    out: list[BaseMessage] = []
    for message in messages:
        if not is_ai(type(message)) or isinstance(message.content, str) or _own(message, provider, model):
            out.append(message)
            continue
        foreign = sum(not _shared(block) for block in message.content)
        dropped += foreign
        kept = [own for block in message.content if (own := _plain(block)) is not None]
        if kept or message.tool_calls:  # type: ignore[attr-defined]  # a model's. A turn of which nothing is left has no valid form anywhere
            out.append(message.model_copy(update={"content": kept}) if foreign else message)
    return out, dropped


def _own(message: BaseMessage, provider: str, model: BaseChatModel | None) -> bool:
    """Whether the message is from that provider, or from an unknown one."""
    author = message.response_metadata.get("model_provider")
    if not isinstance(author, str) or not provider or dialect_of(model).routes:
        return True  # a nested router converts the messages itself, for the model that it chooses
    stated = model._get_ls_params().get("ls_provider") if model is not None else None
    names = {canonical(name) for name in (provider, stated) if name}
    noted = canonical(str((message.response_metadata.get("router") or {}).get("provider") or ""))
    if noted in _AUTHORS or noted in _AUTHORS.values():
        return noted in names
    return canonical(author) in names | {_AUTHORS[name] for name in names if name in _AUTHORS}


def _shared(block: Any) -> bool:
    return not isinstance(block, dict) or block.get("type") in _SHARED


def _plain(block: Any) -> Any:
    """The block in a form that every provider understands; None = there is none."""
    if _shared(block):
        return block
    return {"type": "text", "text": block["refusal"]} if block.get("type") == "refusal" else None
