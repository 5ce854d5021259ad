"""When another model answers, and when none may."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import pytest
from fakes import Scripted
from langchain_core import exceptions as core
from routers import DOWN, router

from langchain_router import AllCandidatesFailed, StreamInterrupted
from langchain_router.messages.replies import ReplyReader


def test_a_stream_that_breaks_before_its_first_text_is_replaced() -> None:
    assert "".join(c.content for c in router(Scripted(script=["!"]), Scripted(name_="y")).stream("hi")) == "a b c"


def test_a_stream_that_breaks_after_its_first_text_raises_with_it() -> None:
    got: list[Any] = []
    stream = router(Scripted(script=["a !"]), Scripted(name_="y")).stream("hi")
    with pytest.raises(StreamInterrupted) as caught:
        got.extend(chunk.content for chunk in stream)
    assert got == ["a"]
    assert caught.value.partial == "a"
    assert isinstance(caught.value, core.ModelError)


def test_a_stream_under_a_clock_is_judged_when_all_of_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its model may have ended in another thread before the first chunk is looked at."""

    def see(reader: ReplyReader, message: Any) -> bool:
        while any(thread.name.startswith("router attempt") for thread in threading.enumerate()):
            time.sleep(0.001)
        return seen(reader, message)

    seen = ReplyReader.see
    monkeypatch.setattr(ReplyReader, "see", see)
    model = Scripted()
    chunks = list(router(model, Scripted(name_="y"), timeouts={"first_token": 10}).stream("hi"))
    assert "".join(chunk.content for chunk in chunks) == "a b c"
    assert chunks[-1].response_metadata["router"]["attempts"] == 1


def test_an_error_that_is_no_providers_passes_unchanged() -> None:
    class GraphBubbleUp(Exception):
        pass

    second = Scripted(name_="y")
    with pytest.raises(GraphBubbleUp):
        router(Scripted(script=[GraphBubbleUp()]), second).invoke("hi")
    assert second.calls == []


def test_max_retries_counts_further_attempts() -> None:
    models = [Scripted(name_=n, script=[DOWN]) for n in "abcd"]
    with pytest.raises(AllCandidatesFailed) as caught:
        router(*models, max_retries=1).invoke("hi")
    assert len(caught.value.failures) == 2


def test_a_router_may_be_a_candidate() -> None:
    inner = router(Scripted(script=[DOWN]), retry={"attempts": 1})
    assert router(inner, Scripted(name_="y")).invoke("hi").content == "a b c"


def test_tokens_shown_before_a_failure_may_forbid_another_model() -> None:
    class Showing(Scripted):
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            run_manager.on_llm_new_token("a")
            raise DOWN

    assert router(Showing(), Scripted(name_="y")).invoke("hi").content == "a b c"
    with pytest.raises(httpx.ConnectError):
        router(Showing(), Scripted(name_="y"), on_partial="raise").invoke("hi")
