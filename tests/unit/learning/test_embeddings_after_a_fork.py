from __future__ import annotations

import os
import threading
from types import SimpleNamespace

import pytest

from capability_router.clock import SystemClock
from capability_router.learning.embedder import embedder_of
from capability_router.learning.embedding_cache import EmbeddingCache
from capability_router.request import Request


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_text_that_the_parent_was_asking_for_is_asked_for_in_the_child() -> None:
    parent, asked, answer = os.getpid(), threading.Event(), threading.Event()

    def embed(texts: list[str]) -> list[list[float]]:
        if os.getpid() == parent:
            asked.set()
            answer.wait(30)
        return [[1.0, 2.0] for _ in texts]

    terms = SimpleNamespace(within_ms=2_000, cached=10, usd_per_mtok=None, embedder=embed)
    found = EmbeddingCache(embedder_of(embed), SystemClock(), terms)
    found.wanted = True
    request = Request(("hello",), id="r")
    first = threading.Thread(target=found.before, args=(request,), daemon=True)
    first.start()
    assert asked.wait(30)
    child = os.fork()
    if child == 0:
        found.before(Request(("hello",), id="s"))
        os._exit(0 if found.of(request) is not None else 1)
    answer.set()
    first.join(30)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert found.of(request) is not None
