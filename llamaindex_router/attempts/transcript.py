"""Reads one attempt's answer chunk by chunk, and gives it as the core's Reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.bridge.pydantic import BaseModel

from capability_router.faults.offered_tools import Offered, strange
from capability_router.request import ENDED_WELL, Finish, Reply, Usage, service_tier
from llamaindex_router.messages.fields import field
from llamaindex_router.messages.handover import key_of
from llamaindex_router.messages.plain_chunk import is_plain_chunk
from llamaindex_router.messages.stream_text import Response, StreamText, chunk_text
from llamaindex_router.messages.streamed_arguments import StreamedArguments
from llamaindex_router.messages.structured_replies import CapturedResponses
from llamaindex_router.messages.tool_calls import tool_calls_of
from llamaindex_router.messages.usage import bill_of, counts_of, finish_of, refuses, tier_of, usage_of

_SILENT = ("text", "cache")


class Transcript:
    """Reads chat and completion responses; keeps the last text, message, terminal reason and token counts.

    `tools`: the names of the offered tools. A call of another tool is malformed. In a stream such calls alone are not
    content, so that another model may still answer. `complete`: the last chunk has come, with or without a terminal
    reason.
    """

    __slots__ = (
        "_bill", "_carried", "_counts", "_finish", "_message", "_model", "_pieces", "_raw", "_refused", "_taken",
        "_tier", "_tools", "_worded", "_wording", "complete",
    )  # fmt: skip

    def __init__(self, tools: Offered = None) -> None:
        self._tools = tools
        self._bill: Decimal | None = None
        self._counts: dict[str, Any] = {}
        self._finish: Finish | None = None
        self._message: ChatMessage | None = None
        self._model, self._tier, self._wording, self._pieces = "", "", StreamText(), StreamedArguments()
        self._carried = self._refused = self._worded = self._taken = self._raw = self.complete = False

    def take(self, response: Response) -> bool:
        """Read a chunk; True if it carries text, reasoning, a tool call or other content."""
        raw, kwargs = response.raw, [response.additional_kwargs or {}]
        self._taken, self._raw = True, self._raw or _has_room(raw)
        if isinstance(response, ChatResponse):
            self._message = response.message
            kwargs.append(response.message.additional_kwargs)
        self._model = self._model or str(field(raw, "model") or "")
        self._wording.take(response)
        if is_plain_chunk(raw) and not any(kwargs):
            self._tier, self._worded = service_tier(field(raw, "service_tier")) or self._tier, True
        else:
            self._take_beside(raw, kwargs)
        carries = _tells(response.delta) or _tells(chunk_text(response)) or self._speaks(response)
        carries = carries and (self._carried or not self._only_calls_of_others(response))
        self._carried = self._carried or carries
        return carries

    def _take_beside(self, raw: Any, kwargs: Sequence[Mapping[str, Any]]) -> None:
        """Read the token counts, terminal reason and other data beside the text."""
        self._take_counts(raw, *kwargs)
        self._finish = finish_of(raw, *kwargs) or self._finish
        self._pieces.take(raw)
        self._worded = self._worded or _chunked(raw)
        self._refused = self._refused or refuses(raw)

    def ended(self, raw: Any) -> None:
        """Read the last raw chunk of a stream, if its integration dropped it; None = it has not come yet."""
        if raw is not None:
            self._take_counts(raw)
            self._finish = finish_of(raw) or self._finish

    def _take_counts(self, raw: Any, *kwargs: Mapping[str, Any]) -> None:
        self._counts.update(counts_of(raw, *kwargs))
        self._tier = tier_of(raw) or self._tier
        bill = bill_of(raw, self._counts)
        self._bill = self._bill if bill is None else bill

    def _speaks(self, response: Response) -> bool:
        message = self._message
        if _thinks(response.additional_kwargs, message.additional_kwargs if message is not None else None):
            return True
        if message is None:
            return False
        return bool(message.additional_kwargs.get("tool_calls")) or any(map(_full, message.blocks))

    def _only_calls_of_others(self, response: Response) -> bool:
        """Whether all content so far is calls of tools that were not offered, by their names so far."""
        message, tools = self._message, self._tools
        if tools is None or message is None or _tells(response.delta) or _tells(chunk_text(response)):
            return False
        if _thinks(response.additional_kwargs, message.additional_kwargs) or any(
            map(_full_beside_calls, message.blocks)
        ):
            return False
        calls = tool_calls_of(message)
        return bool(calls) and all(strange(call.name, tools) for call in calls)

    @property
    def usage(self) -> Usage | None:
        """The tokens reported so far; None when nothing was."""
        return usage_of(self._counts, self._tier)

    @property
    def finish(self) -> Finish | None:
        """The terminal reason; None while there is none. OpenAI's refusals end with "stop" and count as REFUSAL."""
        refused = self._refused and self._finish is Finish.STOP
        return Finish.REFUSAL if refused else self._finish

    @property
    def _hollow(self) -> bool:
        """Whether there was no chunk, or only Chat Completions chunks without content and terminal reason."""
        return (self._worded or not self._taken) and not self._carried and self._finish is None

    def reply(self) -> Reply:
        """The answer so far as a Reply."""
        calls = tool_calls_of(self._message) if self._message is not None else []
        # While pieces of a call may still come it is not malformed: only an ended reply is judged.
        ended = calls if self._finish or self.complete else ()
        cut = min(self._pieces.broken, len(ended))  # an integration may have repaired them
        wrong = [call for call in ended if call.malformed]
        broken = max(len(wrong), cut)
        unoffered = sum(not call.malformed and strange(call.name, self._tools) for call in ended)
        seen = bool(wrong) and not (cut or unoffered or any(call.hidden for call in wrong))
        return Reply(
            usage=self.usage,
            finish=self.finish,
            text=self._wording.text,
            # one broken call makes all unusable: agents repair the broken ones and run all
            tool_calls=0 if broken else len(calls) - unoffered,
            malformed_tool_calls=broken + unoffered,
            tool_call_ids=tuple(map(key_of, calls)),
            model=self._model,
            cost_usd=self._bill,
            hollow=self._hollow,
            carried=self._carried,
            mute=self._taken and not self._raw,
            unoffered_tool_calls=unoffered,
            other=self._holds_other(),
            mismatch_streamed=seen and self.finish in ENDED_WELL,
        )

    def _holds_other(self) -> bool:
        """Whether it contains images, sound, documents, or a tool call in the old form, so that it isn't empty."""
        message = self._message
        if message is None:
            return False
        media = any(block.block_type in ("image", "audio", "video", "document") for block in message.blocks)
        return media or bool(message.additional_kwargs.get("function_call"))


class ObjectTranscript:
    """Reads the objects of a structured call. The token counts come from the LLM's own responses (`tapped`).

    LlamaIndex creates objects of the requested class from incomplete JSON, which it repairs, once their fields have
    begun. So an object in a stream may be incomplete; the end of the stream decides.
    """

    __slots__ = ("_beneath", "_kind", "_object", "_unseen", "tapped")

    def __init__(self, kind: type[Any]) -> None:
        self._kind = kind
        self._object: Any = None
        self._beneath = Transcript()  # for a stream without LlamaIndex's events: read by its last raw chunk
        self._unseen = False
        self.tapped = CapturedResponses()

    def take(self, value: Any) -> bool:
        """Read the object so far; True once one of its fields has a value."""
        self._object = value
        known = value.model_fields_set if isinstance(value, BaseModel) else ()
        return not isinstance(value, BaseModel) or any(getattr(value, name) is not None for name in known)

    def ended(self, raw: Any) -> None:
        """Read the last raw chunk of the stream below, which sends no events; None = it has not come yet."""
        self._unseen = True
        self._beneath.ended(raw)

    def reply(self) -> Reply:
        """The answer so far; complete if there is an object of the requested class and its stream has ended.

        While the object is incomplete, LlamaIndex uses a class in which every field is optional.
        """
        seen = [_replied(response) for response in self.tapped.responses]
        last, found, kind = seen[-1] if seen else Reply(), self._found, type(self._objects[0]).__name__
        proved = found and (self.tapped.whole if self._streamed else True)
        return Reply(
            usage=_total([r.usage for r in (*seen, self._beneath.reply()) if r.usage is not None]),
            finish=Finish.STOP if proved else self._end or last.finish,
            text=self.tapped.text or last.text or self.tapped.arguments or (kind if found else ""),
            model=last.model,
            cost_usd=last.cost_usd,
            mute=not (self._streamed or seen),
            parse_error="" if found or self._object is None else self._misfit(kind),
            mismatch_streamed=self._streamed and not self._fits and self._ended_well,
        )

    def _misfit(self, kind: str) -> str:
        return f"{kind}_of_JSON_that_breaks_off" if self._fits else f"gave_{kind}"

    @property
    def withheld(self) -> Finish | None:
        """The terminal reason, if it is a refusal or a content filter and there is no complete object; else None."""
        tapped = self.tapped
        if self._found or not (tapped.responses or self._unseen):
            return None
        end = self._end or (_replied(tapped.responses[-1]).finish if tapped.responses else None)
        if end is Finish.STOP and tapped.refused:
            return Finish.REFUSAL
        return end if end in (Finish.REFUSAL, Finish.CONTENT_FILTER) else None

    @property
    def _streamed(self) -> bool:
        return self.tapped.latest is not None or self._unseen

    @property
    def _end(self) -> Finish | None:
        """The terminal reason of the stream below; None = it has not ended, or its model gives none."""
        return self._beneath.finish if self._unseen else self.tapped.finish

    @property
    def _ended_well(self) -> bool:
        """Whether the JSON is whole; if that is unknown, whether the stream has the reason of a whole answer."""
        whole = None if self._unseen else self.tapped.whole
        return self._end in ENDED_WELL if whole is None else whole

    @property
    def _objects(self) -> list[Any]:
        return self._object if isinstance(self._object, list) and self._object else [self._object]

    @property
    def _fits(self) -> bool:
        return all(isinstance(value, self._kind) for value in self._objects)

    @property
    def _found(self) -> bool:
        """Whether there is an object of the requested class that was not made from JSON that broke off."""
        return self._fits and not (self._end in _CUT if self._unseen else self.tapped.whole is False)


_CUT = (Finish.LENGTH, Finish.CONTENT_FILTER, Finish.REFUSAL)


def _replied(response: Response) -> Reply:
    transcript = Transcript()
    transcript.take(response)
    return transcript.reply()


def _total(usages: list[Usage]) -> Usage | None:
    return Usage.together(usages) if usages else None


def _tells(text: str | None) -> bool:
    """Whether it is more than white space, which alone is no answer."""
    return bool(text and not text.isspace())


def _has_room(raw: Any) -> bool:
    """Whether the raw reply can have a terminal reason: not Cohere's generations, and not a missing one."""
    return raw is not None and not (type(raw) is dict and "generations" in raw)


def _chunked(raw: Any) -> bool:
    """Whether it is a Chat Completions chunk. A choice with a `message` is a complete reply in one chunk."""
    choices = field(raw, "choices")
    if choices is None:
        return False
    return not (isinstance(choices, (list, tuple)) and any(field(choice, "message") is not None for choice in choices))


def _thinks(*told: Mapping[str, Any] | None) -> bool:
    return any(kwargs and kwargs.get("thinking_delta") for kwargs in told)


def _full_beside_calls(block: Any) -> bool:
    return block.block_type != "tool_call" and _full(block)


def _full(block: Any) -> bool:
    kind = block.block_type
    return bool(block.content) if kind == "thinking" else kind not in _SILENT
