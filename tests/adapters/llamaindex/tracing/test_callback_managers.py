"""The handlers of a router's callback manager hear its own calls, and no others of the same LLM."""

from __future__ import annotations

from typing import Any

from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata, MockLLM
from llama_index.core.llms.callbacks import llm_completion_callback
from pydantic import PrivateAttr

from llamaindex_router import RouterLLM


class Late(CustomLLM):
    """Makes its client at its first call, as OpenAI does."""

    _client: Any = PrivateAttr(default=None)
    _made: list[object] = PrivateAttr(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        if self._client is None:
            self._client = object()
            self._made.append(self._client)
        return CompletionResponse(text="hello")

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError


def counting() -> tuple[TokenCountingHandler, CallbackManager]:
    handler = TokenCountingHandler(tokenizer=str.split)
    return handler, CallbackManager([handler])


def test_a_users_own_llm_is_given_none() -> None:
    own, manager = counting()
    llm = MockLLM(callback_manager=manager)
    heard, routers = counting()
    router = RouterLLM(models=[llm], callback_manager=routers)
    router.complete("hi")
    assert (len(own.llm_token_counts), len(heard.llm_token_counts)) == (1, 1)
    llm.complete("hi")
    assert llm.callback_manager is manager
    assert (len(own.llm_token_counts), len(heard.llm_token_counts)) == (2, 1)


def test_copies_of_a_router_that_work_at_the_same_time_keep_to_their_own() -> None:
    (_, one), (_, other) = counting(), counting()
    children = RouterLLM(models=[MockLLM()])._core.children
    (candidate,) = (name for name, _ in children)
    first, second = children.ready(candidate, one), children.ready(candidate, other)
    assert (first.callback_manager, second.callback_manager) == (one, other)
    assert type(first) is MockLLM


def test_a_client_that_is_made_at_the_first_call_is_made_once() -> None:
    llm = Late()
    router = RouterLLM(models=[llm])
    for _ in range(3):
        router.callback_manager = counting()[1]
        router.complete("hi")
    llm.complete("hi")
    assert llm._made == [llm._client]
