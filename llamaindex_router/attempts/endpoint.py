"""A LlamaIndex LLM as the core sees it: a description to plan on, and attempts to carry out."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from llama_index.core.base.llms.types import LLMMetadata
from llama_index.core.callbacks import CallbackManager
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.llm import LLM

from capability_router.address import Address
from capability_router.catalog.aliases import provider_of
from capability_router.catalog.entry import Description
from capability_router.connections.closed_loops import Loops
from capability_router.connections.sdk_streams import sdk_streams
from capability_router.connections.stale import past_stale
from capability_router.execution.effects import GRACE_S, Launch
from capability_router.faults.kinds import Fault
from capability_router.money.bill import billed
from capability_router.request import Finish, Reply, own_answers, own_service
from llamaindex_router.attempts.continuation import Seam, going_on
from llamaindex_router.attempts.kept import KEEPERS, KeptEnd
from llamaindex_router.attempts.seen import ObjectTranscript, Transcript
from llamaindex_router.attempts.told import told
from llamaindex_router.attempts.told_usage import ASKED, counts_alone, wants_asking
from llamaindex_router.attempts.underway import Underway
from llamaindex_router.call import Call, fresh
from llamaindex_router.endpoint import EndpointLLM
from llamaindex_router.errors import AnswerWithheld, ErrorEvent, fault_of, misparsed, note_terms, stumbled
from llamaindex_router.fleet.chain_model import address_of_router, described, held_by, is_chat_model
from llamaindex_router.fleet.children import Children
from llamaindex_router.fleet.whereabouts import credential_of, stated_url_of, url_of
from llamaindex_router.messages.handover import Origins
from llamaindex_router.messages.toolset import offered_by
from llamaindex_router.messages.usage import error_event
from llamaindex_router.passage import Passage

_log = logging.getLogger(__name__)
_HOME = "llama_index.llms."
_REGIONS = ("region_name", "region", "location")
_BOUNDABLE = ("openai", "openai_like", "anthropic", "openrouter", "groq", "deepseek")
_REASONED = (
    "OpenAI", "OpenAIResponses", "Anthropic", "GoogleGenAI", "Ollama", "BedrockConverse", "MistralAI", "Cohere",
    "HuggingFaceInferenceAPI", *KEEPERS,
)  # fmt: skip
_BLIND = {"image_inputs": False, "pdf_inputs": False, "audio_inputs": False, "video_inputs": False}


def describe(llm: Any) -> Description | None:
    """What an LLM, or a LangChain chat model, says of itself and where it calls; None for what is neither."""
    if not isinstance(llm, LLM):
        return described(llm) if is_chat_model(llm) else None
    if (held := held_by(llm)) is not None:
        return described(held)
    own = getattr(llm, "description", None)
    if isinstance(own, Description):
        return own
    metadata = metadata_of(llm)
    model = str(getattr(llm, "model", None) or (metadata.model_name if metadata else "") or "")
    model = "" if model == "unknown" else model
    fields = {"provider": provider_of(stated_url_of(llm)) or home_of(llm), "model": model, **_known(llm, metadata)}
    return Description(fields, address_of_router(llm) or _address(llm, model), _reasons(type(llm)))


def _address(llm: LLM, model: str) -> Address:
    kind, credential = type(llm).__name__, credential_of(llm)
    region = next((str(v) for name in _REGIONS if (v := getattr(llm, name, None))), "")
    package = f"sdk:{kind}" if credential or home_of(llm) else ""
    return Address(url_of(llm) or package, model or kind, credential, region)


def gives_reason(llm: Any) -> bool:
    """Whether its answers end with a terminal reason whenever the provider sent all."""
    own = getattr(llm, "description", None)
    if isinstance(llm, LLM) and not isinstance(own, Description):
        return _reasons(type(llm))
    said = describe(llm)
    return said is not None and said.gives_reason


@lru_cache(maxsize=256)
def _reasons(kind: type) -> bool:
    homes = ((base.__module__, base.__name__) for base in kind.__mro__)
    return any(module.startswith(_HOME) and name in _REASONED for module, name in homes)


def metadata_of(llm: LLM) -> LLMMetadata | None:
    """The LLM's metadata; None when it can't tell.

    OpenAI's and Anthropic's raise for names they don't know; Ollama's asks its server, which may be down.
    """
    try:
        return llm.metadata
    except Exception as error:  # noqa: BLE001 - whatever a client raises: the window is unknown, and calls may still work
        _log.info("%s doesn't tell its window (%s)", type(llm).__name__, type(error).__name__)
        return None


def _known(llm: LLM, metadata: LLMMetadata | None) -> dict[str, Any]:
    """Only what is stated: LlamaIndex's default window of 3,900 stands for 'not known'."""
    fields: dict[str, Any] = dict(_BLIND) if isinstance(llm, CustomLLM) else {}
    reserve = getattr(llm, "max_tokens", None)
    fields["output_reserve"] = reserve if isinstance(reserve, int) and reserve > 0 else None
    fields["service_tier"], fields["answers"] = own_service(llm) or None, own_answers(llm)
    takes_tools = hasattr(llm, "chat_with_tools")
    if metadata is None:
        return fields if takes_tools else {**fields, "tool_calling": False}
    stated = metadata.context_window != DEFAULT_CONTEXT_WINDOW or "context_window" in llm.model_fields_set
    calls = takes_tools and metadata.is_function_calling_model
    return {
        **fields,
        "context_window": metadata.context_window if stated and metadata.context_window > 0 else None,
        "tool_calling": calls,
        "structured_output": True if calls else None,
    }


def home_of(llm: LLM) -> str:
    """The integration it comes from: 'openai' for llama_index.llms.openai and what is derived from it."""
    return _home(type(llm))


@lru_cache(maxsize=256)
def _home(kind: type) -> str:
    modules = (base.__module__ for base in kind.__mro__)
    homes = [m[len(_HOME) :].partition(".")[0] for m in modules if m.startswith(_HOME)]
    return homes[0] if homes else ""


class LlamaEndpoint:
    """Makes the attempts of one call. `launched` are the candidates tried, in order."""

    __slots__ = ("_call", "_children", "_manager", "_origins", "launched")

    def __init__(self, call: Call[Any], children: Children, manager: CallbackManager, origins: Origins) -> None:
        self._call, self._children, self._manager, self._origins = call, children, manager, origins
        self.launched: list[str] = []

    def start(self, launch: Launch) -> LlamaAttempt:
        """An attempt on the launch's candidate; nothing is sent before its chunks are asked for."""
        candidate = launch.candidate.id
        self.launched.append(candidate)
        llm, call, prefix = self._children.ready(candidate, self._manager), self._call, launch.prefix
        call = going_on(call, llm, prefix, launch.candidate.provider) if prefix else call
        args, kwargs = call.arguments(self._origins.rewrite(candidate, home_of(llm)))
        kwargs = _with_extras(call, kwargs, self._children.extras(candidate))
        asks = call.stream and wants_asking(llm, kwargs, kwargs.get("llm_kwargs"))
        kwargs = _with_extras(call, kwargs, ASKED) if asks else kwargs
        seam = Seam(prefix, self._call) if prefix else None
        return LlamaAttempt(llm, call, args, kwargs, launch, self._children.loops, seam, asks=asks)

    def told(self, chunks: Sequence[Any]) -> tuple[Any, str]:
        """What the chunks of an answer come to, for an evaluator: the last one, which holds all, and its text."""
        return told(chunks)

    def fault(self, error: BaseException) -> Fault | None:
        """What the error means; None = no provider's fault."""
        fault = fault_of(error, structured=self._call.structured)
        if fault is None and len(self._children) > 1:  # alone, a model's mistakes reach the caller as themselves
            fault = stumbled(error, self._call.kwargs)
        if fault is None:
            note_terms(error, self._call.kwargs)
        return fault


def _with_extras(call: Call[Any], kwargs: dict[str, Any], extras: Mapping[str, Any]) -> dict[str, Any]:
    if not extras:
        return kwargs
    if call.structured:
        return {**kwargs, "llm_kwargs": {**extras, **(kwargs.get("llm_kwargs") or {})}}
    return {**extras, **kwargs}


def _transcript(llm: LLM, call: Call[Any]) -> Transcript | ObjectTranscript:
    return Transcript(offered_by(llm, call.tools, call.kwargs))


class LlamaAttempt:
    """One call on one LLM."""

    __slots__ = (
        "_args", "_asks", "_call", "_kept", "_kwargs", "_launch", "_llm", "_loops", "_passage", "_seam", "_seen",
        "_underway",
    )  # fmt: skip

    def __init__(
        self, llm: LLM, call: Call[Any], args: list[Any], kwargs: dict[str, Any], launch: Launch, loops: Loops,
        seam: Seam | None = None, *, asks: bool = False,
    ) -> None:  # fmt: skip
        self._llm, self._call, self._args, self._kwargs, self._launch = llm, call, args, kwargs, launch
        self._passage, self._loops, self._seam = Passage(launch.timeouts, elsewhere=launch.elsewhere), loops, seam
        self._asks = asks
        self._kept = KeptEnd() if call.stream and type(llm).__name__ in KEEPERS else None
        self._seen = ObjectTranscript(call.args[0]) if call.structured else _transcript(llm, call)
        sink = self._seen.tapped if isinstance(self._seen, ObjectTranscript) else None
        self._underway = Underway(launch, self._passage, sink)

    @property
    def keeps_time(self) -> bool:
        """Whether the LLM ends a blocking call in time; a `timeout` of each read, which many take, does not."""
        return isinstance(self._llm, EndpointLLM)

    def chunks(self) -> Generator[Any, None, None]:
        """Make the call; a call without a stream is a stream of one."""
        self._bound()
        answer = self._stepped(self._method(is_async=False))
        if not self._call.stream:
            self._check_failed(answer)
            yield answer
            return
        steps = iter(answer)
        try:
            while (chunk := self._stepped(partial(next, steps, _END))) is not _END:
                self._watch(answer)
                if not self._for_us(chunk):
                    yield self._joined(chunk)
            self._over()
        finally:
            _close(answer)

    async def achunks(self) -> AsyncGenerator[Any, None]:
        """The same, asynchronously."""
        self._loops.enter()
        if not self._call.stream:
            method = self._method(is_async=True)
            answer = await self._astepped(lambda: past_stale(method))
            self._check_failed(answer)
            yield answer
            return
        answer, chunk = await past_stale(self._opened)
        try:
            while chunk is not _END:
                self._watch(answer)
                if not self._for_us(chunk):
                    yield self._joined(chunk)
                chunk = await self._astepped(partial(anext, answer, _END))
            self._over()
        finally:
            await _aclose(answer)

    def _watch(self, answer: Any) -> None:
        if self._kept is not None:
            self._kept.watch(answer)

    def _over(self) -> None:
        """After the last chunk. Raises AnswerWithheld."""
        if self._kept is not None:
            self._kept.note(self._passage)
        self._check_withheld()

    def _check_withheld(self, error: Exception | None = None) -> None:
        """Raise AnswerWithheld if a model refused or was stopped before there was an object; parsers see a misfit."""
        end = self._seen.withheld if isinstance(self._seen, ObjectTranscript) else None
        if end is not None and (error is None or misparsed(error)):
            raise AnswerWithheld(filtered=end is Finish.CONTENT_FILTER) from error

    def _check_failed(self, answer: Any) -> None:
        """Raise ErrorEvent for a whole reply of OpenAI's Responses that says why it failed; its tokens are read."""
        code = error_event(getattr(answer, "raw", None))
        if code:
            self._seen.take(answer)
            raise ErrorEvent(code)

    def _joined(self, chunk: Any) -> Any:
        return chunk if self._seam is None else self._seam.joined(chunk)

    def _for_us(self, chunk: Any) -> bool:
        """Whether it is only what the router asked for beside the caller's call; it is read then.

        Raises ErrorEvent for an error that came as a chunk.
        """
        code = error_event(getattr(chunk, "raw", None))
        if code is not None:
            raise ErrorEvent(code)
        alone = self._asks and counts_alone(chunk)
        if alone:
            self._seen.take(chunk)
        return alone

    def abort(self) -> None:
        """Closing its chunks closes the stream."""

    async def _opened(self) -> tuple[Any, Any]:
        """A stream and its first chunk: some integrations send only when that is asked for."""
        async with AsyncExitStack() as broken:
            answer = await self._astepped(self._method(is_async=True))
            broken.push_async_callback(_aclose, answer)
            opened = answer, await self._astepped(partial(anext, answer, _END))
            broken.pop_all()
            return opened

    def commits(self, chunk: Any) -> bool:
        """Whether the chunk carries anything a caller would see."""
        return self._seen.take(chunk)

    def reply(self) -> Reply:
        """What has been seen so far."""
        if self._passage.overheard:
            self._seen.ended(self._passage.end)
        reply, headers = self._muted(self._seen.reply()), self._passage.headers
        reply = reply if self._kept is None else replace(reply, mute=self._kept.unseen)
        if not headers:
            return reply
        bill = billed({}, headers, stream=self._call.stream)
        return replace(reply, headers=headers, cost_usd=reply.cost_usd if bill is None else bill)

    def _muted(self, reply: Reply) -> Reply:
        """Of a whole reply an integration that nobody knows may not hand on why it ended."""
        if self._call.stream or reply.finish is not None:
            return reply
        return reply if gives_reason(self._llm) else replace(reply, mute=True)

    def _method(self, *, is_async: bool) -> Callable[[], Any]:
        method = getattr(self._llm, self._call.name(is_async=is_async))
        if not is_async:  # called once, and a history is long; what the keywords hold may be another call's as well
            return partial(method, *self._args, **fresh(self._kwargs))
        return lambda: method(*fresh(self._args), **fresh(self._kwargs))  # it may be called again

    def _stepped(self, step: Callable[[], Any]) -> Any:
        try:
            with self._underway:
                return step()
        except Exception as error:
            self._check_withheld(error)
            raise

    async def _astepped(self, step: Callable[[], Awaitable[Any]]) -> Any:
        try:
            with self._underway:
                return await step()
        except Exception as error:
            self._check_withheld(error)
            raise

    def _bound(self) -> None:
        """Nobody can interrupt a read: a time-out, for SDKs that take one per call, ends the thread of one given up."""
        clocks = self._launch.timeouts
        limit = (clocks.first_token or clocks.total) if self._call.stream else clocks.total
        if limit is not None and home_of(self._llm) in _BOUNDABLE:
            self._kwargs = _with_extras(self._call, self._kwargs, {"timeout": limit + GRACE_S})


_END: Any = object()


def _close(stream: Any) -> None:
    below = sdk_streams(stream)
    if callable(getattr(stream, "close", None)):
        stream.close()
    for read in below:
        read.close()


async def _aclose(stream: Any) -> None:
    below = sdk_streams(stream)
    if callable(getattr(stream, "aclose", None)):
        await stream.aclose()
    for read in below:
        await read.close()
