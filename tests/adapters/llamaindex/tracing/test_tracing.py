"""What tracers and handlers see: one span per call, attempts below it, tokens once, handlers' errors passed on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Refuse, Say
from llama_index.core import Settings
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler, TokenCountingHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.llms import LLM, ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index_instrumentation.span import SimpleSpan
from llama_index_instrumentation.span_handlers import BaseSpanHandler
from pydantic import PrivateAttr

from langchain_router import ChatEndpoint
from llamaindex_router import EndpointLLM, RouterEventHandler, RouterLLM, routing
from llamaindex_router.fleet.chain_llm import ChainLLM

HI = [ChatMessage(content="hi")]


class Spans(BaseSpanHandler[SimpleSpan]):
    """Keeps (name, parent's name, tags, dropped)."""

    _seen: list[Any] = PrivateAttr(default_factory=list)

    @property
    def seen(self) -> list[Any]:
        return self._seen

    @classmethod
    def class_name(cls) -> str:
        return "Spans"

    def new_span(self, id_: str, bound_args: Any, instance: Any = None, parent_span_id: Any = None, tags: Any = None,
                 **kwargs: Any) -> SimpleSpan:  # fmt: skip
        span = SimpleSpan(id_=id_, parent_id=parent_span_id)
        self.seen.append([_name(id_), _name(parent_span_id), dict(tags or {}), "open"])
        return span

    def prepare_to_exit_span(self, id_: str, *args: Any, **kwargs: Any) -> Any:
        self._end(id_, "ok")
        return self.open_spans[id_]

    def prepare_to_drop_span(self, id_: str, *args: Any, **kwargs: Any) -> Any:
        self._end(id_, "error")
        return self.open_spans[id_]

    def _end(self, id_: str, how: str) -> None:
        next(span for span in reversed(self.seen) if span[0] == _name(id_) and span[3] == "open")[3] = how


def _name(span_id: str | None) -> str | None:
    return span_id.split("-")[0] if span_id else None


@pytest.fixture
def spans() -> Iterator[Spans]:
    handler, root = Spans(), get_dispatcher()
    before = list(root.span_handlers)
    root.add_span_handler(handler)
    yield handler
    root.span_handlers = before


@pytest.fixture
def costs() -> Iterator[RouterEventHandler]:
    handler, root = RouterEventHandler(), get_dispatcher()
    before = list(root.event_handlers)
    root.add_event_handler(handler)
    yield handler
    root.event_handlers = before


async def ask(llm: LLM, way: str) -> Any:
    if way == "chat":
        return llm.chat(HI)
    if way == "stream_chat":
        return list(llm.stream_chat(HI))[-1]
    return await llm.achat(HI) if way == "achat" else [c async for c in await llm.astream_chat(HI)][-1]


NAMES = {"chat": "call", "achat": "acall", "stream_chat": "stream", "astream_chat": "astream"}


@pytest.mark.parametrize("way", list(NAMES))
async def test_attempts_are_children_of_one_span_that_is_no_llm(
    pair: RouterLLM, server: ChatServer, spans: Spans, way: str
) -> None:
    server.script("a", Refuse(503))
    await ask(pair, way)
    own = f"RouterCall.{NAMES[way]}"
    outer = [s for s in spans.seen if s[1] is None]
    children = [s for s in spans.seen if s[1] == own]
    assert [s[0] for s in outer] == [own]
    assert len(children) == 2
    assert not any(s[0].startswith("RouterLLM") for s in spans.seen)
    assert [s[2]["router.attempt"] for s in children] == [1, 2]
    assert [s[2]["router.candidate"] for s in children] == ["a", "b"]
    assert children[1][2]["router.reason"].startswith("after ")
    # A stream's own span ends when its generator is handed over; what fails later is the outer one's matter.
    assert children[0][3] == ("error" if "stream" not in way else "ok")


def test_predict_keeps_its_own_span(pair: RouterLLM, spans: Spans) -> None:
    pair.predict(PromptTemplate("hi"))
    assert [s[0] for s in spans.seen][:2] == ["RouterLLM.predict", "RouterCall.call"]


def test_the_model_name_is_no_models(pair: RouterLLM) -> None:
    assert pair.metadata.model_name == "llm-router/router"
    assert pair.model == pair.to_payload()["model"] == "llm-router/router"
    assert pair.to_payload()["model"] == "llm-router/router"
    assert pair.class_name() == "RouterLLM"


@pytest.fixture
def settings_manager() -> Iterator[None]:
    before = Settings._callback_manager
    yield
    Settings._callback_manager = before


@pytest.mark.usefixtures("settings_manager")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("way", list(NAMES))
async def test_tokens_are_counted_once(child: Callable[..., Any], server: ChatServer, when: str, way: str) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    manager = CallbackManager([counter])
    if when == "before":
        Settings.callback_manager = manager
    server.script("a", Say("hello world", usage=(100, 20)))
    llm = RouterLLM(models=[child("a")])
    if when == "after":
        llm.callback_manager = manager
    await ask(llm, way)
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (100, 20)
    assert len(counter.llm_token_counts) == 1


def test_one_billed_attempt_is_one_event(pair: RouterLLM, server: ChatServer) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    pair.callback_manager = CallbackManager([debug])
    server.script("a", Refuse(503))
    pair.chat(HI)
    ended = [end for _, end in debug.get_event_pairs(CBEventType.LLM)]
    assert ["response" in (e.payload or {}) for e in ended] == [False, True]


class Strict(TokenCountingHandler):
    """Stops at the first tokens, as `token_budget` does where LlamaIndex has it."""

    def on_event_end(self, *args: Any, **kwargs: Any) -> None:
        super().on_event_end(*args, **kwargs)
        if self.total_llm_token_count:
            raise ValueError("Token budget exceeded")


@pytest.mark.parametrize("way", ["chat", "achat"])
async def test_a_handlers_error_passes_and_counts_against_nobody(pair: RouterLLM, server: ChatServer, way: str) -> None:
    pair.callback_manager = CallbackManager([Strict(tokenizer=str.split)])
    with pytest.raises(ValueError, match="Token budget exceeded"):
        await ask(pair, way)
    assert [body["model"] for body in server.requests] == ["a"]
    pair.callback_manager = CallbackManager([])
    assert (await ask(pair, way)).additional_kwargs["router"]["model"] == "a"


def test_a_stream_may_be_drained_in_another_thread(pair: RouterLLM, server: ChatServer) -> None:
    server.script("a", Refuse(503))
    opened, texts = pair.stream_chat(HI), []
    thread = threading.Thread(target=lambda: texts.extend(c.delta for c in opened))
    thread.start()
    thread.join()
    assert "".join(texts) == "hello world"


async def test_costs_are_told(pair: RouterLLM, costs: RouterEventHandler) -> None:
    with routing(tenant="acme", tags=["nightly", "eu"]):
        pair.chat(HI)
        list(pair.stream_chat(HI))
    await pair.achat(HI)
    assert costs.total_cost_usd == pytest.approx(3 * 140e-6)
    assert costs.by("tenant") == pytest.approx({"acme": 280e-6, "": 140e-6})
    assert costs.by("tags") == pytest.approx({"nightly": 280e-6, "eu": 280e-6})
    assert [call["model"] for call in costs.calls] == ["a"] * 3
    assert costs.calls[0]["input_tokens"] == 100


def test_other_handlers_see_no_events_of_ours(pair: RouterLLM, costs: RouterEventHandler) -> None:
    kinds: list[str] = []

    class Others(RouterEventHandler):
        def handle(self, event: Any, **_: Any) -> None:
            kinds.append(event.class_name())

    root = get_dispatcher()
    plain = type("Plain", (Others.__mro__[2],), {"handle": Others.handle, "class_name": classmethod(lambda c: "Plain")})
    root.add_event_handler(plain())
    pair.chat(HI)
    assert costs.calls
    assert "RouterCallEvent" not in kinds
    assert "LLMChatEndEvent" in kinds


def endpoint_llm(url: str) -> LLM:
    return EndpointLLM(base_url=url, model="a")


def chain_llm(url: str) -> LLM:
    return ChainLLM(ChatEndpoint(base_url=url, model="a"))


@pytest.mark.parametrize("made", [endpoint_llm, chain_llm])
@pytest.mark.parametrize("way", list(NAMES))
async def test_a_call_of_our_own_llms_is_one_span(
    server: ChatServer, spans: Spans, made: Callable[[str], LLM], way: str
) -> None:
    llm = made(server.url)
    await ask(llm, way)
    assert [s[:2] for s in spans.seen] == [[f"{llm.class_name()}.{way}", None]]
