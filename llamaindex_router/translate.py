"""A LlamaIndex call in the core's terms: what its messages hold and what they ask of a model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole

from capability_router.catalog.card import ModelCard
from capability_router.request import Need, Request, has_api_key, requested_answers, requested_service_tier
from capability_router.routing import Routing
from capability_router.tokens.attached import AttachedPart, attached
from llamaindex_router.attempts.continuation import CONTINUED
from llamaindex_router.call import LLMCall
from llamaindex_router.messages.fields import field, possible_fields
from llamaindex_router.messages.handover import answered_keys
from llamaindex_router.messages.other_texts import beside
from llamaindex_router.tokens import counted

MEDIA_NEEDS = {
    "image": Need.IMAGE_INPUTS,
    "pdf": Need.PDF_INPUTS,
    "audio": Need.AUDIO_INPUTS,
    "video": Need.VIDEO_INPUTS,
}
OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "num_predict")
_TOOL_ROLES = (MessageRole.TOOL, MessageRole.FUNCTION)
_NESTING = ("content", "cited_content")


def request_of(
    call: LLMCall[Any],
    routing: Routing,
    max_tokens: int | None = None,
    cards: Sequence[ModelCard] = (),
    *,
    screens: bool = False,
    own_prompt: str = "",
) -> Request:
    """The request the core plans on. `max_tokens` is the router's own default for the answer's length.

    `cards`: the models whose windows the prompt may fill; near one it is counted, else the core estimates.
    `screens`: a screen looks at it, and so at all that is sent. `own_prompt`: what a model itself may put in front.
    """
    messages = [m for m in call.messages if isinstance(m, ChatMessage)]
    parts = tuple(part for m in messages for part in _media(m.blocks))
    media = tuple(part.kind for part in parts)
    texts = tuple(m if isinstance(m, str) else text_of(m) for m in call.messages)
    roles = tuple("user" if isinstance(m, str) else m.role.value for m in call.messages)
    said = _said(call.kwargs)
    tools, longest = _schemas(call), _max_tokens(said, max_tokens)
    return Request(
        texts=texts,
        needs=_needs(call, media),
        media=media,
        attached=parts,
        tools=tools,
        tool_names=tuple(str(tool.metadata.name) for tool in call.tools),
        max_tokens=longest,
        service=requested_service_tier(said) if said else "",
        answers=requested_answers(said) if said else None,
        own_key=has_api_key(said) if said else False,
        input_tokens=None if media else counted((own_prompt, *texts) if own_prompt else texts, tools, cards, longest),
        stream=call.stream,
        resumable=call.stream and call.method in CONTINUED,
        turns=sum(m.role == MessageRole.USER for m in messages) or 1,
        in_tool_loop=bool(messages) and messages[-1].role in _TOOL_ROLES,
        follows=answered_keys(messages),
        routing=routing,
        model=str(call.kwargs.get("model") or ""),
        payload=call,
        roles=roles,
        beside=_beside(call, messages) if screens else (),
        own_prompt=own_prompt,
    )


def _beside(call: LLMCall[Any], messages: Sequence[ChatMessage]) -> tuple[str, ...]:
    """Without the schemas that are read, and what a template puts into its messages."""
    said = (call.kwargs.get("llm_kwargs") or {}) if call.structured else call.kwargs
    read = () if call.structured or call.tools else ("tools",)
    blocks = [block for message in messages for block in blocks_of(message.blocks)]
    return beside(messages, blocks, {name: value for name, value in said.items() if name not in read})


def text_of(message: ChatMessage) -> str:
    """All text the model will read in a message: also tool calls' arguments and cited parts."""
    parts = [_text(block) for block in blocks_of(message.blocks)]
    calls = () if any(b.block_type == "tool_call" for b in message.blocks) else _raw_calls(message)
    return "\n".join(part for part in (*parts, *calls) if part)


def blocks_of(blocks: Sequence[Any]) -> Iterator[Any]:
    """The blocks and those nested in them (citable documents, citations)."""
    for block in blocks:
        yield block
        for name in possible_fields(block, _NESTING):  # which a text has not, and it would take longest to say so
            inner = field(block, name)
            if inner is not None and not isinstance(inner, str):
                yield from blocks_of(inner if isinstance(inner, list) else [inner])


def _text(block: Any) -> str:
    kind = block.block_type
    if kind == "tool_call":
        return f"{block.tool_name} {block.tool_kwargs}"
    return str((block.text if kind == "text" else block.content if kind == "thinking" else "") or "")


def _raw_calls(message: ChatMessage) -> tuple[str, ...]:
    calls = message.additional_kwargs.get("tool_calls")
    return tuple(str(call) for call in calls) if isinstance(calls, list) else ()


def _media(blocks: Sequence[Any]) -> Iterator[AttachedPart]:
    for block in blocks_of(blocks):
        kind = getattr(block, "block_type", "")
        if kind in ("image", "audio", "video"):
            yield attached(kind, getattr(block, kind, None) or _data_url(block), getattr(block, "detail", None))
        elif kind == "document" and not str(block.document_mimetype or "").startswith("text/"):
            yield attached("pdf", block.data)


def _data_url(block: Any) -> str | None:
    """Some give an image as a data URL; what is behind another one is not looked at."""
    url = str(getattr(block, "url", None) or "")
    return url if url.startswith("data:") else None


def _needs(call: LLMCall[Any], media: Sequence[str]) -> Need:
    needs = Need.STREAMING if call.stream else Need.NONE
    for kind in media:
        needs |= MEDIA_NEEDS[kind]
    if not (call.kwargs or call.tools or call.structured):  # as most calls; to join flags is slow
        return needs
    keywords = {**call.kwargs, **(call.kwargs.get("llm_kwargs") or {})} if call.structured else call.kwargs
    if call.tools or keywords.get("tools"):
        needs |= Need.TOOL_CALLING | _choice(keywords)
    if call.structured:
        needs |= Need.STRUCTURED_OUTPUT
    if keywords.get("reasoning_effort") not in (None, "none"):
        needs |= Need.REASONING_OUTPUT
    return needs | _format(keywords.get("response_format"))


def _said(keywords: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**(keywords.get("llm_kwargs") or {}), **keywords} if keywords else keywords


def _choice(keywords: Mapping[str, Any]) -> Need:
    forced = keywords.get("tool_required") or keywords.get("tool_choice") not in (None, "auto", "none")
    return Need.TOOL_CHOICE if forced else Need.NONE


def _format(asked: Any) -> Need:
    if asked is None:
        return Need.NONE
    kind = asked.get("type") if isinstance(asked, Mapping) else "json_schema"
    return {"json_object": Need.JSON_MODE, "text": Need.NONE}.get(str(kind), Need.STRUCTURED_OUTPUT)


def _schemas(call: LLMCall[Any]) -> str:
    """The tools' or the answer's schema as text: it is sent along and counts as input."""
    if call.structured:
        return json.dumps(call.args[0].model_json_schema(), default=str)
    if call.tools:
        return "\n".join(_tool_text(tool.metadata) for tool in call.tools)
    specs = call.kwargs.get("tools")
    return json.dumps(specs, default=str) if specs else ""


def _tool_text(metadata: Any) -> str:
    schema = metadata.fn_schema_str if metadata.fn_schema is not None else ""
    return f"{metadata.name} {metadata.description} {schema}"


def _max_tokens(keywords: Mapping[str, Any], default: int | None) -> int | None:
    if not keywords:
        return default
    stated = (keywords.get(name) for name in OUTPUT_LIMITS)
    return next((n for n in stated if isinstance(n, int) and n > 0), default)
