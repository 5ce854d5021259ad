"""A conversation that one provider began, made fit for another.

Reasoning is signed by the provider that made it, and the records of its own server-side tools mean
nothing elsewhere: another provider rejects both. The text, the tool calls and their results stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from capability_router.catalog.aliases import canonical, marks_beginnings
from langchain_router.messages.kinds import is_ai
from langchain_router.partners.dialects import DIALECTS, dialect_of

_SHARED = {"text", "tool_use", "tool_call", "tool_call_chunk", "input_json_delta"}
"""Blocks of an assistant's turn that every provider's package can write; all others are their provider's own."""

_AUTHORS = {dialect.provider: dialect.author for dialect in DIALECTS if dialect.author}
"""Whom the messages of a LangChain class name as their provider, where it states another one itself."""


def continued(prefix: str, provider: str) -> AIMessage:
    """The beginning of an answer, as the last message of a request to go on with it.

    Without spaces at its end, which Anthropic refuses there.
    """
    mark = {"prefix": True} if marks_beginnings(provider) else {}
    return AIMessage(prefix.rstrip(), additional_kwargs=mark)


def handed_over(
    messages: Sequence[BaseMessage], provider: str, model: BaseChatModel | None = None
) -> tuple[list[BaseMessage], int]:
    """The messages for this provider, and how many blocks of others were left out or reworded; 0 = as they were.

    `provider` is the one that the candidate's card states; `model` says by what name its class goes.
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
    """Whether it is that provider's own turn; True also if its provider is unknown."""
    author = message.response_metadata.get("model_provider")
    if not isinstance(author, str) or not provider or dialect_of(model).routes:
        return True  # a router within the router does it itself, for the model that it chooses
    stated = model._get_ls_params().get("ls_provider") if model is not None else None
    names = {canonical(name) for name in (provider, stated) if name}
    noted = canonical(str((message.response_metadata.get("router") or {}).get("provider") or ""))
    if noted in _AUTHORS or noted in _AUTHORS.values():
        return noted in names
    return canonical(author) in names | {_AUTHORS[name] for name in names if name in _AUTHORS}


def _shared(block: Any) -> bool:
    return not isinstance(block, dict) or block.get("type") in _SHARED


def _plain(block: Any) -> Any:
    """The block as every provider understands it; None = it has no such form."""
    if _shared(block):
        return block
    return {"type": "text", "text": block["refusal"]} if block.get("type") == "refusal" else None
