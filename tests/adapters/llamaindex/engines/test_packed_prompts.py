"""What engines pack by `context_window`, and whether a fallback remains for the packed prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Refuse
from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer
from llama_index.core.schema import NodeWithScore, TextNode

from llamaindex_router import AllCandidatesFailed, RouterLLM

WINDOWS = {"primary": 4_000, "tiny": 2_000, "middle": 16_000, "large": 64_000}
# 400 tokens each, of words whose estimate is not on the high side: docs/rag.md says what that does to a prompt that
# is packed to the brim, as LlamaIndex 0.14.5 packs it.
TEXT = "It rains in the north and the sun shines in the south. " * 31
PASSAGES = [NodeWithScore(node=TextNode(text=f"{i} {TEXT}")) for i in range(24)]


def router(child: Callable[..., Any], window: Any) -> RouterLLM:
    models = [(child(name, context_window=size), {"id": name}) for name, size in WINDOWS.items()]
    return RouterLLM(models=models, policy="single", context_window=window)


def answer(llm: RouterLLM, mode: ResponseMode) -> str:
    return str(get_response_synthesizer(llm=llm, response_mode=mode).synthesize("What?", PASSAGES))


@pytest.mark.parametrize("mode", [ResponseMode.COMPACT, ResponseMode.TREE_SUMMARIZE])
def test_a_smaller_window_makes_more_calls(child: Callable[..., Any], server: ChatServer, mode: ResponseMode) -> None:
    calls = {}
    for window in ("min", "primary", "auto", "max"):
        before = len(server.requests)
        answer(router(child, window), mode)
        calls[window] = len(server.requests) - before
    assert calls["min"] > calls["primary"] > calls["auto"] == calls["max"] == 1


def test_refine_makes_one_call_per_passage_whatever_the_window(child: Callable[..., Any], server: ChatServer) -> None:
    for window in ("min", "auto", "max"):
        before = len(server.requests)
        answer(router(child, window), ResponseMode.REFINE)
        assert len(server.requests) - before == len(PASSAGES)


def test_auto_leaves_a_fallback_for_a_full_prompt_and_max_does_not(
    child: Callable[..., Any], server: ChatServer
) -> None:
    more = PASSAGES * 3  # 29,000 tokens: two prompts of "auto", one of "max"
    for window in ("auto", "max"):
        server.script("large", *[Refuse(503)] * 20)
        llm = router(child, window)
        synthesizer = get_response_synthesizer(llm=llm, response_mode=ResponseMode.COMPACT)
        if window == "max":
            with pytest.raises(AllCandidatesFailed):
                synthesizer.synthesize("What?", more)
        else:
            assert "hello" in str(synthesizer.synthesize("What?", more))
            asked = [body["model"] for body in server.requests]
            assert asked[0] == "middle"  # the full prompt; what is left of the text may fit a smaller model
            assert "large" not in asked


CODE = "def f(x: int) -> dict[str, int]:\n    return {'a[%d]': x ** 2, **g(x, *args)}  # §4.2 {0!r:>{width}}\n"
TEXTS = {
    "prose": "The breaker opens after five failures in a row, waits, and then lets two probes through. ",
    "code": CODE,
    "numbers": "2026-01-17T03:14:15Z 10.0.0.7 200 0.00031 4411 0x7f3a\n",
    "german": "Die Sicherung fällt, wenn fünf Anfragen nacheinander scheitern, und prüft später erneut. ",
    "japanese": "遮断器は五回続けて失敗すると開き、しばらく待ってから試します。",
}


@pytest.mark.parametrize("kind", list(TEXTS))
@pytest.mark.parametrize("mode", [ResponseMode.COMPACT, ResponseMode.TREE_SUMMARIZE, ResponseMode.SIMPLE_SUMMARIZE])
def test_a_prompt_packed_to_the_brim_fits_the_model_it_was_packed_for(
    built_in: Callable[..., Any], server: ChatServer, mode: ResponseMode, kind: str
) -> None:
    llm = RouterLLM(models=[(built_in("small", context_window=4_000), {"id": "small"}),
                            (built_in("large", context_window=64_000), {"id": "large"})],
                    policy="single", context_window="min")  # fmt: skip
    nodes = [NodeWithScore(node=TextNode(text=f"{i} " + TEXTS[kind] * 12)) for i in range(40)]
    str(get_response_synthesizer(llm=llm, response_mode=mode).synthesize("What?", nodes))
    assert {body["model"] for body in server.requests} == {"small"}


def test_a_lone_model_can_be_given_all_that_is_packed_for_it(built_in: Callable[..., Any], server: ChatServer) -> None:
    llm = RouterLLM(models=[built_in("only", context_window=4_000)])
    nodes = [NodeWithScore(node=TextNode(text=f"{i} " + TEXTS["prose"] * 12)) for i in range(40)]
    synthesizer = get_response_synthesizer(llm=llm, response_mode=ResponseMode.TREE_SUMMARIZE)
    assert "hello" in str(synthesizer.synthesize("What?", nodes))
