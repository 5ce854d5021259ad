"""Converts a LangChain model's messages and chunks to the core's Reply. It does not change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from capability_router.endpoints.chain_usage import (
    Counting,
    StreamUsage,
    cost_of,
    counted,
    states,
    tier_of,
    under,
    usage_in_metadata,
    with_cached,
)
from capability_router.faults.offered_tools import Offered, strange
from capability_router.json_text import breaks_off
from capability_router.request import BROKEN_ENDS, ENDED_WELL, ENDS, Finish, Reply, Usage, service_tier
from langchain_router.messages.kinds import is_ai, is_chunk
from langchain_router.messages.raw_calls import RawCalls

_UNTOLD = frozenset({"FINISH_REASON_UNSPECIFIED", "null"})
"""Google's and Alibaba's values for "no reason yet", which ChatVertexAI and ChatTongyi hand on."""
_REASON_KEYS = ("finish_reason", "stop_reason", "done_reason", "stopReason")


def finish_of(metadata: Mapping[str, Any]) -> Finish | None:
    """The terminal reason in a `response_metadata`, under any of its names; None = there is none."""
    if metadata.get("done_reason") == "load":
        return None  # Ollama has loaded the model and answered nothing
    for key in _REASON_KEYS:
        if (word := metadata.get(key)) and str(word) not in _UNTOLD:
            return ENDS.get(str(word).lower(), Finish.OTHER)
    if metadata.get("done") is True:
        return Finish.STOP  # Ollama's, before it gave reasons
    return _responses_finish(metadata)


def _responses_finish(metadata: Mapping[str, Any]) -> Finish | None:
    """The terminal reason from the `status` of OpenAI's Responses API, or from Gemini's blocked prompt."""
    status = metadata.get("status")
    if status == "incomplete":
        details = metadata.get("incomplete_details")
        why = details.get("reason") if isinstance(details, Mapping) else None
        return ENDS.get(str(why), Finish.OTHER)
    if status:
        return Finish.STOP if status == "completed" else BROKEN_ENDS.get(str(status))
    blocked = metadata.get("prompt_feedback")  # Gemini's, of a prompt that it gives no candidate for
    return Finish.CONTENT_FILTER if isinstance(blocked, Mapping) and blocked.get("block_reason") else None


def carries_content(message: AIMessage) -> bool:
    """Whether it contains text, reasoning or a tool call (not just a role, an id or usage)."""
    return _filled(message.content) or _beside(message)


def _filled(content: Any) -> bool:
    return bool(content) if isinstance(content, str) else any(map(_full, content))


def _tells(content: Any, full: Callable[[Any], bool]) -> bool:
    """Whether a text, or one of the blocks that are full, is more than white space."""
    if isinstance(content, str):
        return bool(content.strip())
    return any(full(each) and not _blank(each) for each in content)


def _beside(message: AIMessage) -> bool:
    """Whether there is a tool call or reasoning beside the content."""
    if message.tool_calls or (is_chunk(type(message)) and message.tool_call_chunks):  # type: ignore[attr-defined]  # a chunk
        return True
    return bool(message.additional_kwargs.get("reasoning_content") or message.invalid_tool_calls)


def _refuses(block: Any) -> bool:
    """Whether it is a refusal block of OpenAI's Responses API, or a standard block that wraps one."""
    if not isinstance(block, Mapping):
        return False
    inner = block.get("value") if block.get("type") == "non_standard" else block
    return isinstance(inner, Mapping) and inner.get("type") == "refusal"


def _full(block: Any) -> bool:
    if not isinstance(block, dict):
        return bool(block)
    if _refuses(block) or (block.get("type") == "non_standard" and not block.get("value")):
        return False  # the latter begins a block of which only the end will tell what it is
    values = (block.get(key) for key in ("text", "thinking", "reasoning"))
    told = [value for value in values if isinstance(value, str)]
    return any(told) if told or block.get("type") in ("text", "thinking", "reasoning") else True


def _blank(content: Any) -> bool:
    """Whether it is only white space: a text, a block of text or a list of these. An empty one is not.

    A stream of white space alone is no answer, so it is held until other content comes.
    """
    if isinstance(content, str):
        return content.isspace()
    if isinstance(content, Mapping):
        text = content.get("text") if content.get("type") == "text" else None
        return isinstance(text, str) and text.isspace()
    return bool(content) and all(map(_blank, content))


def _as_said(message: BaseMessage) -> AIMessage:
    return AIMessage(
        message.content, additional_kwargs=message.additional_kwargs, response_metadata=message.response_metadata
    )


def _holds_other(message: AIMessage) -> bool:
    """Whether it contains an image, sound or other content than text, as a block or beside the content."""
    content, beside = message.content, message.additional_kwargs
    if not isinstance(content, str) and any(isinstance(b, dict) and b.get("type") in _OTHER for b in content):
        return True
    return bool(beside and not _BESIDE.isdisjoint(beside) and any(beside.get(name) for name in _BESIDE))


_OTHER = frozenset({
    "image", "image_url", "output_image", "image_generation_call", "audio", "output_audio", "media", "video", "file",
    "executable_code", "code_execution_result", "server_tool_call", "server_tool_result", "server_tool_use",
})  # fmt: skip
_BESIDE = frozenset({"audio", "function_call", "tool_outputs"})
"""Content that ChatOpenAI puts into `additional_kwargs`, with the old form of a tool call."""


def _full_beside_calls(block: Any) -> bool:
    """Whether it carries anything but a part of a tool call, in any provider's form."""
    return _full(block) and not (isinstance(block, dict) and block.get("type") in _CALLS)


_CALLS = ("tool_call", "tool_call_chunk", "tool_use", "input_json_delta", "function_call", "custom_tool_call")


class ReplyReader:
    """Collects a reply from messages or chunks, in order. It is fast per chunk, because nothing is merged.

    `tools`: the names of the offered tools. Calls of other tools are malformed, and alone are not content.
    `ended`: the last chunk has come, with or without a terminal reason.
    """

    __slots__ = (
        "_calls", "_cost", "_finish", "_headers", "_malformed", "_model", "_other", "_refused", "_seen", "_streamed",
        "_tally", "_texts", "_tier", "_tools", "_unoffered", "cached", "carried", "ended",
    )  # fmt: skip

    def __init__(self, counting: Counting = "", *, streamed: bool = False, tools: Offered = None) -> None:
        self._streamed = streamed
        self._tools, self._unoffered = tools, 0
        self._tally = StreamUsage(counting)
        self._tier = ""
        self._texts: list[str] = []
        self._calls: RawCalls | None = None  # while there are none
        self._seen: dict[str, bool] = {}  # whole tool calls by id
        self._malformed = 0
        self._finish: Finish | None = None
        self._model = ""
        self._refused = self._other = False
        self._cost: Decimal | None = None
        self._headers: Mapping[str, str] = {}
        self.cached = self.ended = False
        self.carried = False  # whether anything seen so far held content

    def see(self, message: AIMessage) -> bool:
        """Read a message or chunk; returns whether it carries content."""
        if not is_ai(type(message)):  # a ChatMessage: ChatOpenAI's for a role that it does not know
            message = _as_said(message)
        content, part, beside = message.content, is_chunk(type(message)), message.additional_kwargs
        plain = isinstance(content, str)
        text = content if plain else str(message.text)
        if text:
            self._texts.append(text)  # type: ignore[arg-type]  # a str, by `plain`
        if message.usage_metadata:
            self._count(message.usage_metadata, part=part)
        metadata = message.response_metadata
        if metadata and (len(metadata) > 1 or "model_provider" not in metadata):  # of most chunks there is that alone
            self._note(metadata, self._streamed or part)
        if (beside and beside.get("refusal")) or not (plain or not any(map(_refuses, content))):
            self._refused = True  # a stream's last chunk says "stop" all the same
        if not self._other and (beside or not plain):
            self._other = _holds_other(message)
        called = self._take_calls(message)
        filled = bool(text) if plain else _filled(content)
        carries = (filled and (self.carried or _tells(content, _full))) or _beside(message)
        if carries and called:
            carries = not self._only_calls_of_others(message)
        self.carried = self.carried or carries
        return carries

    def _take_calls(self, message: AIMessage) -> bool:
        """Whether there is a call, or a piece of one."""
        if not is_chunk(type(message)):
            for i, tool in enumerate(message.tool_calls):
                self._take_call(tool["id"] or f"#{i}", tool["name"])
            self._malformed += len(message.invalid_tool_calls)
            return bool(message.tool_calls)
        if pieces := message.tool_call_chunks:  # type: ignore[attr-defined]  # a chunk
            self._calls = self._calls or RawCalls()
            self._calls.take(pieces)
        return bool(pieces)

    def _take_call(self, id: str, name: str) -> None:
        if name and not strange(name, self._tools):
            self._seen[id] = True
            return
        self._malformed += 1
        self._unoffered += bool(name)

    def _only_calls_of_others(self, message: AIMessage) -> bool:
        """Whether a stream has given only calls of tools that were not offered, so that another model may answer."""
        calls = self._calls
        if self.carried or self._seen or calls is None or not calls.only_of_others(self._tools):
            return False
        beside = message.additional_kwargs.get("reasoning_content") or _tells(message.content, _full_beside_calls)
        return is_chunk(type(message)) and not beside

    def _count(self, told: Mapping[str, Any], *, part: bool) -> None:
        self.cached = told.get("total_cost") == 0
        now = counted(told)
        if not self.cached and not states(now):
            return
        if part or self._tally.usage is None:
            self._tally.take(now)
        else:  # another message
            self._tally.usage = Usage.together((self._tally.usage, now))

    def _note(self, metadata: Mapping[str, Any], stream: bool) -> None:
        self._finish = finish_of(metadata) or self._finish
        self._model = str(metadata.get("model_name") or metadata.get("model") or self._model)
        self._tier = tier_of(metadata) or self._tier
        if self._tally.usage is None and (apart := usage_in_metadata(metadata)) is not None:
            self._tally.take(apart)
        self._tally.usage = with_cached(self._tally.usage, metadata)
        headers = metadata.get("headers")
        if headers and isinstance(headers, Mapping):
            self._headers = {str(name).lower(): str(value) for name, value in headers.items()}
        cost = cost_of(metadata, self._headers, stream=stream)
        self._cost = self._cost if cost is None else cost

    def served(self, word: object) -> None:
        """Set the service tier from the provider's own chunk, if the package drops it."""
        self._tier = service_tier(word) or self._tier

    def reply(self, parse_error: str = "") -> Reply:
        """The reply as received so far."""
        # While pieces of a call may still come it is not malformed: only an ended reply is judged.
        calls = self._calls.whole() if self._calls else ()
        unoffered = broken = 0
        seen = False
        if calls and (self._finish or self.ended):
            wrong = [call for call in calls if call.broken]
            unoffered = sum(not call.broken and strange(call.name, self._tools) for call in calls)
            broken = len(wrong) + unoffered
            seen = self._finish in ENDED_WELL and not unoffered and not any(call.hidden for call in wrong)
        ids = tuple([call.id for call in calls if call.id]) if calls else ()
        refused = self._refused and self._finish in (None, Finish.STOP)
        return Reply(
            under(self._tally.usage, self._tier), Finish.REFUSAL if refused else self._finish, "".join(self._texts),
            len(calls) - broken + len(self._seen),
            self._malformed + broken, ids + tuple(self._seen), self._model, self._cost, self.cached, self._headers,
            parse_error, carried=self.carried, unoffered_tool_calls=self._unoffered + unoffered, other=self._other,
            mismatch_streamed=seen and broken > 0,
        )  # fmt: skip


class EventReader:
    """Collects a reply from the events of the v3 protocol, in order. `tools`: the names of those that were offered."""

    __slots__ = (
        "_begun",
        "_calls",
        "_cut",
        "_held",
        "_malformed",
        "_other",
        "_reader",
        "_texts",
        "_tools",
        "_unoffered",
        "carried",
    )

    def __init__(self, tools: Offered = None) -> None:
        self._tools, self._held, self._unoffered = tools, set[Any](), 0
        self._begun, self._other = 0, False
        self._reader = ReplyReader(streamed=True)
        self._texts: list[str] = []
        self._calls: list[str] = []
        self._malformed = 0
        self.carried = self._cut = False

    def see(self, event: Mapping[str, Any]) -> bool:
        """Take in an event; whether it carries content."""
        carries = self._take(event)
        self.carried = self.carried or carries
        return carries

    def _take(self, event: Mapping[str, Any]) -> bool:
        kind = event.get("event")
        if kind == "content-block-delta":
            return self._delta(event.get("delta") or {}) and event.get("index") not in self._held
        if kind == "content-block-start":
            return self._start(event.get("content") or {}, event.get("index"))
        if kind == "content-block-finish":
            return self._block(event.get("content") or {})
        if kind == "message-finish":
            metadata = dict(event.get("metadata") or {})
            metadata.setdefault("finish_reason", event.get("finish_reason") or event.get("reason"))
            self._reader.see(
                AIMessage(
                    content="", usage_metadata=event.get("usage"), response_metadata=metadata,
                    additional_kwargs=event.get("additional_kwargs") or {},
                )
            )  # fmt: skip
        return False

    def _start(self, block: Mapping[str, Any], index: Any) -> bool:
        calls = block.get("type") in ("tool_call", "tool_call_chunk")
        self._begun += calls
        if calls and strange(str(block.get("name") or ""), self._tools):
            self._held.add(index)  # on its own it is no content: another model may still answer
            return False
        return _full(block) and block.get("type") != "text"

    def _delta(self, delta: Mapping[str, Any]) -> bool:
        text = delta.get("text")
        if isinstance(text, str):
            self._texts.append(text)
            if text.isspace() and not self.carried:
                return False
        return any(delta.get(key) for key in ("text", "reasoning", "args", "data", "fields"))

    def _block(self, block: Mapping[str, Any]) -> bool:
        kind = block.get("type")
        self._other = self._other or kind in _OTHER
        if _refuses(block):
            self._reader.see(AIMessage(content=[dict(block)]))
        if kind == "tool_call":
            return self._whole_call(block)
        if kind == "invalid_tool_call":
            self._malformed += 1
            self._cut = self._cut or breaks_off(str(block.get("args") or ""))
        return kind == "invalid_tool_call" or (_full(block) and not _blank(block))

    def _whole_call(self, block: Mapping[str, Any]) -> bool:
        name = str(block.get("name") or "")
        if name and not strange(name, self._tools):
            self._calls.append(str(block.get("id") or ""))
            return True
        self._malformed += 1
        self._unoffered += bool(name)
        return False

    def reply(self) -> Reply:
        """The reply as received so far."""
        calls = max(len(self._calls), self._begun - self._malformed)  # also those that were cut off
        reply = self._reader.reply()
        seen = self._malformed > 0 and not (self._cut or self._unoffered) and reply.finish in ENDED_WELL
        return replace(
            reply, text="".join(self._texts), tool_calls=calls, other=self._other, mismatch_streamed=seen,
            malformed_tool_calls=self._malformed, tool_call_ids=tuple(filter(None, self._calls)),
            carried=self.carried, unoffered_tool_calls=self._unoffered,
        )  # fmt: skip
